// From a region to its sharp pixels: asked for again whenever its box, the network or the strategy changes.

import * as api from "./api";
import { same, type Box } from "./geometry";
import { release, type Model, type Region } from "./model";
import type { Notices } from "./notices";
import type { Session } from "./session";

const MAX_CALLS = 2; // at once, when all regions are asked for again; the service has few workers
const ESTIMATE_DELAY = 800; // ms before the cost of a box is asked for: its pixels, and those of a next box, come first

export class Restorations {
  private readonly turns = new Map<Region, AbortController>();
  private readonly waiting: (() => void)[] = [];
  private running = 0;
  private estimateTimer = 0;
  private isSliding = false;
  private slid = false; // since the last call while sliding

  constructor(
    private readonly model: Model,
    private readonly session: Session,
    private readonly notices: Notices,
  ) {}

  /** Restore a region after a moment in which nothing else is asked of it; what is under way for it is stopped. */
  request(region: Region, after = 0): void {
    this.stop(region);
    const turn = new AbortController();
    this.turns.set(region, turn);
    region.state = "restoring";
    this.model.changed();
    setTimeout(() => void this.restoreInTurn(region, turn.signal), after);
  }

  /** Restore all regions again, the selected one first. */
  requestAll(): void {
    const { regions, selected } = this.model;
    const rest = regions.filter((region) => region !== selected);
    for (const region of selected ? [selected, ...rest] : rest) this.request(region);
  }

  /** Restore the selected region again while a slider moves: one call after the other, each with the last values. */
  async slide(): Promise<void> {
    this.slid = true;
    if (this.isSliding) return;
    this.isSliding = true;
    while (this.slid) {
      this.slid = false;
      const region = this.model.selected;
      if (!region) break;
      this.stop(region);
      const turn = new AbortController();
      this.turns.set(region, turn);
      await this.restoreInTurn(region, turn.signal);
    }
    this.isSliding = false;
  }

  stop(region: Region): void {
    this.turns.get(region)?.abort();
    this.turns.delete(region);
  }

  /** Of the picture that is open: another one, where the server had let go of it. */
  private get id(): string {
    return this.model.picture!.id;
  }

  private async restoreInTurn(region: Region, signal: AbortSignal): Promise<void> {
    while (this.running >= MAX_CALLS) await new Promise<void>((go) => this.waiting.push(go));
    this.running++;
    try {
      if (!signal.aborted) await this.restore(region, signal);
    } catch (error) {
      if (!signal.aborted) this.fail(region, null, api.messageOf(error));
    } finally {
      this.running--;
      this.waiting.shift()?.();
    }
  }

  private async restore(region: Region, signal: AbortSignal): Promise<void> {
    const start = performance.now();
    const call = (): Promise<api.Restored> => api.restore(this.id, region.box, this.model.method, "png", signal);
    const restored = await this.session.withPicture(this.id, call);
    const sharp = await createImageBitmap(restored.file).catch(() => null);
    if (signal.aborted) return sharp?.close();
    if (!sharp) return this.fail(region, restored, "It is restored, but too large for this browser to show: save it.");
    const compared = !this.model.picture?.clip && isOf(region.restored, restored) ? region.plain : null; // bicubic, of the same box
    if (compared) region.plain = null;
    release(region);
    Object.assign(region, { restored, sharp, box: restored.box, state: "sharp", problem: "", attention: null, frames: [] });
    region.plain = compared;
    this.model.changed();
    afterPaint(() => performance.measure("localsr:sharp", { start }));
    if (region === this.model.selected) this.estimateSoon();
    await this.loadComparison(region, restored, signal).catch((error: unknown) => {
      if (!signal.aborted) this.notices.error(api.messageOf(error)); // the region is sharp all the same
    });
  }

  /** Get what a sharp region is compared with, and what it drew on where that is shown. */
  private async loadComparison(region: Region, restored: api.Restored, signal: AbortSignal): Promise<void> {
    const method = this.model.method;
    const several = method.frames > 1;
    if (!region.plain) {
      const one = several
        ? api.restore(this.id, restored.box, { ...method, frames: 1 }, "png", signal).then(({ file }) => file)
        : api.bicubic(this.id, restored.box, restored.scale, signal);
      const plain = await createImageBitmap(await one);
      if (signal.aborted) return plain.close();
      region.plain = plain;
      this.model.changed();
    }
    if (several) region.frames = await api.frames(this.id, restored.box, method, signal);
    if (signal.aborted) return;
    this.model.changed();
    if (region === this.model.selected && this.model.showsAttention) await this.loadAttention(region, signal);
  }

  /** Say why a region is not shown; what was restored can still be saved. */
  private fail(region: Region, restored: api.Restored | null, problem: string): void {
    release(region);
    Object.assign(region, { restored, box: restored?.box ?? region.box, state: "failed", problem, attention: null });
    this.model.changed();
    this.notices.announce(`Region ${region.number} failed: ${problem}`); // its card shows it
  }

  /** Show where the selected region's context came from, or no longer. */
  async showAttention(on: boolean): Promise<void> {
    const region = this.model.selected;
    this.model.showsAttention = on;
    this.model.changed();
    if (!on || !region || region.attention || region.state !== "sharp") return;
    await this.loadAttention(region, this.turns.get(region)?.signal).catch((error: unknown) => {
      this.notices.error(api.messageOf(error));
    });
  }

  private async loadAttention(region: Region, signal?: AbortSignal): Promise<void> {
    const { picture, network } = this.model;
    if (!network?.attention) return;
    const patches = await api.attention(picture!.id, region.box, network.name);
    if (signal?.aborted) return;
    region.attention = patches;
    this.model.changed();
  }

  /** Ask what the selected region costs by each strategy. */
  estimateSoon(): void {
    clearTimeout(this.estimateTimer);
    this.estimateTimer = window.setTimeout(() => void this.estimate(), ESTIMATE_DELAY);
  }

  private async estimate(): Promise<void> {
    const { picture, network, selected } = this.model;
    if (!picture || !network || !selected) return;
    const box: Box = selected.box;
    const estimates = await api.cost(picture.id, [box], network.name).catch(() => ({})); // the choice works without
    if (this.model.selected !== selected || selected.box !== box || this.model.network !== network) return;
    this.model.estimates = estimates;
    this.model.changed();
  }
}

/** Whether two answers are of the same box at the same scale. */
const isOf = (one: api.Restored | null, other: api.Restored): boolean =>
  one !== null && one.scale === other.scale && same(one.box, other.box);

/** Run something once what has just changed is on the screen: for the browser's own timing tools, and our benchmark. */
const afterPaint = (then: () => void): void => void requestAnimationFrame(() => setTimeout(then));
