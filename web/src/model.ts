// What the page knows: the picture, its regions, what is chosen. Views listen and draw; nothing here touches the DOM.

import type { Bill, Network, Patch, Picture, Restored, Way } from "./api";
import { same, type Box } from "./geometry";

export interface Region {
  readonly number: number; // as the reader sees it
  box: Box;
  state: "restoring" | "sharp" | "failed";
  said: string; // why it failed
  restored: Restored | null; // the last answer; while it is of another box, its pixels are still shown in their place
  sharp: ImageBitmap | null;
  soft: ImageBitmap | null; // bicubic, at the same scale
  attention: Patch[] | null;
}

/** Whether what was restored is of the box as it is now. */
export const savable = ({ state, restored, box }: Region): boolean =>
  state !== "restoring" && restored !== null && same(restored.box, box);

export type Tool = "box" | "hand";

export class Model {
  picture: Picture | null = null;
  networks: readonly Network[] = [];
  network: Network | null = null;
  strategy = "";
  regions: Region[] = [];
  selected: Region | null = null;
  draft: Box | null = null; // while it is drawn
  tool: Tool = "box";
  split = 1; // share of the selected region that shows restored pixels, from the left; the rest shows bicubic
  context = false; // whether the attention's circles are shown
  bills: Record<string, Bill> = {}; // of the selected region, by strategy

  private readonly listeners: (() => void)[] = [];
  private told = false;
  private last = 0;

  listen(listener: () => void): void {
    this.listeners.push(listener);
  }

  /** Tell all views, once for all changes of a moment. */
  changed(): void {
    if (this.told) return;
    this.told = true;
    queueMicrotask(() => {
      this.told = false;
      for (const listener of this.listeners) listener();
    });
  }

  get way(): Way {
    return { network: this.network?.name ?? "", strategy: this.strategy };
  }

  /** Start on a picture, or on none. */
  show(picture: Picture | null): void {
    for (const region of this.regions) release(region);
    Object.assign(this, { picture, regions: [], selected: null, draft: null, context: false, bills: {} });
    this.last = 0;
    this.changed();
  }

  add(box: Box): Region {
    const region: Region = {
      number: ++this.last,
      box,
      state: "restoring",
      said: "",
      restored: null,
      sharp: null,
      soft: null,
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
    this.changed();
  }

  select(region: Region | null): void {
    if (this.selected !== region) {
      this.selected = region;
      this.bills = {};
    }
    this.changed();
  }

  /** Choose a network, and of its strategies the one that is chosen already, or the first of those it runs by itself. */
  choose(network: Network, strategy = this.strategy): void {
    this.network = network;
    const usual = network.strategies.includes("clsr") ? "clsr" : "halo";
    this.strategy = network.strategies.includes(strategy) ? strategy : usual;
    this.bills = {};
    this.changed();
  }
}

/** Free what a region holds outside the script's memory. */
export function release(region: Region): void {
  region.sharp?.close();
  region.soft?.close();
  region.sharp = region.soft = null;
}
