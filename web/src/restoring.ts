// From a region to its sharp pixels: asked for again whenever its box, the network or the strategy changes.

import * as api from "./api";
import type { Box } from "./geometry";
import type { Keeping } from "./keeping";
import { release, type Model, type Region } from "./model";
import type { Say } from "./say";

const AT_ONCE = 2; // calls under way when all regions are asked for again; the service has few workers
const SETTLE = 800; // ms before a box is priced: its pixels come first, and so does a box that is drawn right after it

export class Restoring {
  private readonly turns = new Map<Region, AbortController>();
  private readonly waiting: (() => void)[] = [];
  private running = 0;
  private billing = 0;

  constructor(
    private readonly model: Model,
    private readonly keeping: Keeping,
    private readonly say: Say,
  ) {}

  /** Restore a region after a moment in which nothing else is asked of it; what is under way for it is stopped. */
  ask(region: Region, after = 0): void {
    this.stop(region);
    const turn = new AbortController();
    this.turns.set(region, turn);
    region.state = "restoring";
    this.model.changed();
    setTimeout(() => void this.take(region, turn.signal), after);
  }

  /** Restore all regions again, the selected one first. */
  askAll(): void {
    const { regions, selected } = this.model;
    const rest = regions.filter((region) => region !== selected);
    for (const region of selected ? [selected, ...rest] : rest) this.ask(region);
  }

  stop(region: Region): void {
    this.turns.get(region)?.abort();
    this.turns.delete(region);
  }

  /** Of the picture that is open: another one, where the server had let go of it. */
  private get id(): string {
    return this.model.picture!.id;
  }

  private async take(region: Region, signal: AbortSignal): Promise<void> {
    while (this.running >= AT_ONCE) await new Promise<void>((go) => this.waiting.push(go));
    this.running++;
    try {
      if (!signal.aborted) await this.restore(region, signal);
    } catch (error) {
      if (!signal.aborted) this.fail(region, null, sentence(error));
    } finally {
      this.running--;
      this.waiting.shift()?.();
    }
  }

  private async restore(region: Region, signal: AbortSignal): Promise<void> {
    const start = performance.now();
    const ask = (): Promise<api.Restored> => api.restore(this.id, region.box, this.model.way, "png", signal);
    const restored = await this.keeping.again(this.id, ask);
    const sharp = await createImageBitmap(restored.file).catch(() => null);
    if (signal.aborted) return sharp?.close();
    if (!sharp) return this.fail(region, restored, "It is restored, but too large for this browser to show: save it.");
    release(region);
    Object.assign(region, { restored, sharp, box: restored.box, state: "sharp", said: "", attention: null });
    this.model.changed();
    afterPaint(() => performance.measure("localsr:sharp", { start }));
    if (region === this.model.selected) this.price();
    await this.compare(region, restored, signal).catch((error: unknown) => {
      if (!signal.aborted) this.say.error(sentence(error)); // the region is sharp all the same
    });
  }

  /** Get what a sharp region is compared with, and what it drew on where that is shown. */
  private async compare(region: Region, restored: api.Restored, signal: AbortSignal): Promise<void> {
    const soft = await createImageBitmap(await api.bicubic(this.id, restored.box, restored.scale, signal));
    if (signal.aborted) return soft.close();
    region.soft = soft;
    this.model.changed();
    if (region === this.model.selected && this.model.context) await this.draw(region, signal);
  }

  /** Say why a region is not shown; what was restored can still be saved. */
  private fail(region: Region, restored: api.Restored | null, said: string): void {
    release(region);
    Object.assign(region, { restored, box: restored?.box ?? region.box, state: "failed", said, attention: null });
    this.model.changed();
    this.say.tell(`Region ${region.number} failed: ${said}`); // its card shows it
  }

  /** Show where the selected region's context came from, or no longer. */
  async look(on: boolean): Promise<void> {
    const region = this.model.selected;
    this.model.context = on;
    this.model.changed();
    if (!on || !region || region.attention || region.state !== "sharp") return;
    await this.draw(region, this.turns.get(region)?.signal).catch((error: unknown) => this.say.error(sentence(error)));
  }

  private async draw(region: Region, signal?: AbortSignal): Promise<void> {
    const { picture, network } = this.model;
    if (!network?.strategies.includes("clsr")) return;
    const patches = await api.attention(picture!.id, region.box, network.name);
    if (signal?.aborted) return;
    region.attention = patches;
    this.model.changed();
  }

  /** Ask what the selected region costs by each strategy. */
  price(): void {
    clearTimeout(this.billing);
    this.billing = window.setTimeout(() => void this.bill(), SETTLE);
  }

  private async bill(): Promise<void> {
    const { picture, network, selected } = this.model;
    if (!picture || !network || !selected) return;
    const box: Box = selected.box;
    const bills = await api.cost(picture.id, [box], network.name).catch(() => ({})); // the choice works without
    if (this.model.selected !== selected || selected.box !== box || this.model.network !== network) return;
    this.model.bills = bills;
    this.model.changed();
  }
}

/** Run something once what has just changed is on the screen: for the browser's own timing tools, and our benchmark. */
const afterPaint = (then: () => void): void => void requestAnimationFrame(() => setTimeout(then));

export const sentence = (error: unknown): string =>
  error instanceof api.Refusal ? error.message : `Something unexpected happened in the page: ${String(error)}`;
