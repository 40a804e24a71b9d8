// What the page knows: the picture, its regions, what is chosen. Views listen and draw; nothing here touches the DOM.

import type { Adjustment, CostEstimate, Frame, Method, Network, Patch, Picture, Restored } from "./api";
import { same, type Box } from "./geometry";

export interface Region {
  readonly number: number; // as the reader sees it
  box: Box;
  state: "restoring" | "sharp" | "failed";
  problem: string; // why it failed
  restored: Restored | null; // the last answer; while it is of another box, its pixels are still shown in their place
  sharp: ImageBitmap | null;
  plain: ImageBitmap | null; // to compare with, at the same scale: bicubic, or of a clip from one frame
  frames: Frame[]; // of a clip, what it was made from
  attention: Patch[] | null;
}

/** Whether what was restored is of the box as it is now. */
export const isSavable = ({ state, restored, box }: Region): boolean =>
  state !== "restoring" && restored !== null && same(restored.box, box);

export type Tool = "box" | "hand";

export class Model {
  picture: Picture | null = null;
  networks: readonly Network[] = [];
  network: Network | null = null;
  strategy = "";
  scale: number | null = null; // how many times regions are enlarged; null for as much as the network does
  adjustment: Adjustment = { denoise: null, deblur: null };
  regions: Region[] = [];
  selected: Region | null = null;
  draft: Box | null = null; // while it is drawn
  tool: Tool = "box";
  frames = 9; // of a clip, from how many a region may be made
  cut = 0; // share of the selected region's width that shows bicubic, from the left; the rest shows restored pixels
  showsAttention = false; // whether the attention's circles are shown
  estimates: Record<string, CostEstimate> = {}; // of the selected region, by strategy

  private removed: { readonly region: Region; readonly at: number }[] = []; // the last one last
  private readonly listeners: (() => void)[] = [];
  private scheduled = false;
  private last = 0;

  listen(listener: () => void): void {
    this.listeners.push(listener);
  }

  /** Tell all views, once for all changes of a moment. */
  changed(): void {
    if (this.scheduled) return;
    this.scheduled = true;
    queueMicrotask(() => {
      this.scheduled = false;
      for (const listener of this.listeners) listener();
    });
  }

  get method(): Method {
    const frames = this.picture?.clip ? this.frames : 1;
    const method = { network: this.network?.name ?? "", strategy: this.strategy, frames, scale: this.scale };
    return this.network?.conditioned ? { ...method, ...this.adjustment } : method;
  }

  /** What regions are compared with. */
  get plainName(): string {
    return this.method.frames > 1 ? "One frame" : "Bicubic";
  }

  /** Start on a picture, or on none. */
  show(picture: Picture | null): void {
    for (const region of this.regions) release(region);
    Object.assign(this, { picture, regions: [], selected: null, draft: null, showsAttention: false, estimates: {} });
    this.removed = [];
    this.last = 0;
    this.changed();
  }

  add(box: Box): Region {
    const region: Region = {
      number: ++this.last,
      box,
      state: "restoring",
      problem: "",
      restored: null,
      sharp: null,
      plain: null,
      frames: [],
      attention: null,
    };
    this.regions.push(region);
    this.select(region);
    return region;
  }

  remove(region: Region): void {
    const at = this.regions.indexOf(region);
    this.regions = this.regions.filter((other) => other !== region);
    if (this.selected === region) this.select(this.regions[Math.min(at, this.regions.length - 1)] ?? null);
    release(region);
    this.removed.push({ region, at });
    this.changed();
  }

  /** The region that was removed last, or null. */
  get lastRemoved(): Region | null {
    return this.removed.at(-1)?.region ?? null;
  }

  /** Put the region that was removed last back in its place; its pixels are to be asked for again. */
  putBack(): Region | null {
    const last = this.removed.pop();
    if (!last) return null;
    this.regions = this.regions.toSpliced(last.at, 0, last.region);
    this.select(last.region);
    return last.region;
  }

  select(region: Region | null): void {
    if (this.selected !== region) {
      this.selected = region;
      this.estimates = {};
    }
    this.changed();
  }

  /** Choose a network, and of its strategies the one that is chosen already, or the one that the server would. */
  choose(network: Network, strategy = this.strategy, scale: number | null = null): void {
    this.network = network;
    this.scale = scale;
    this.strategy = network.strategies.includes(strategy) ? strategy : network.default_strategy;
    this.estimates = {};
    this.changed();
  }
}

/** Free what a region holds outside the script's memory. */
export function release(region: Region): void {
  region.sharp?.close();
  region.plain?.close();
  region.sharp = region.plain = null;
}
