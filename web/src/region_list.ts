// The list of regions: thumbnail, time and cost of each; the selected one opened, to compare, set, save and remove.

import { describe, height, width, type Box } from "./geometry";
import { drawRegion } from "./overlay";
import { isSavable, type Model, type Region } from "./model";

export interface CardActions {
  readonly zoom: (region: Region) => void;
  readonly context: () => void;
  readonly save: (region: Region) => void;
  readonly remove: (region: Region) => void;
  readonly undo: () => void;
  readonly shape: (region: Region, left: number, top: number, wide: number, high: number) => void;
  readonly slide: (share: number) => void;
}

const MAX_COMPARE_HEIGHT = 220; // CSS pixels of the picture to compare by

interface Card {
  readonly item: HTMLElement;
  drawn: string; // what its pictures show, so that they are drawn when that changes
}

export class RegionList {
  private readonly list = document.querySelector<HTMLOListElement>("#regions")!;
  private readonly none = document.querySelector<HTMLElement>("#none")!;
  private readonly undo = document.querySelector<HTMLButtonElement>("#undo")!;
  private readonly template = document.querySelector<HTMLTemplateElement>("#card")!;
  private readonly cards = new Map<Region, Card>();
  private shown: Region | null = null;

  constructor(
    private readonly model: Model,
    private readonly actions: CardActions,
  ) {
    this.undo.addEventListener("click", () => actions.undo());
  }

  update(): void {
    const { model } = this;
    this.none.hidden = model.regions.length > 0;
    this.undo.hidden = model.lastRemoved === null;
    if (model.lastRemoved) this.undo.textContent = `Put region ${model.lastRemoved.number} back`;
    for (const [region, card] of this.cards) {
      if (model.regions.includes(region)) continue;
      card.item.remove();
      this.cards.delete(region);
    }
    for (const region of model.regions) {
      const card = this.cards.get(region) ?? this.makeCard(region);
      this.updateCard(region, card);
    }
    if (model.selected !== this.shown) {
      this.shown = model.selected;
      const item = this.shown && this.cards.get(this.shown)?.item;
      if (item && !item.contains(document.activeElement)) item.scrollIntoView({ block: "nearest" });
    }
  }

  private makeCard(region: Region): Card {
    const item = (this.template.content.cloneNode(true) as DocumentFragment).querySelector<HTMLElement>("li")!;
    const { actions, model } = this;
    item.querySelector(".pick")!.addEventListener("click", () => model.select(region));
    const handlers: Record<string, () => void> = {
      zoom: () => actions.zoom(region),
      context: () => actions.context(),
      save: () => actions.save(region),
      remove: () => actions.remove(region),
    };
    for (const button of item.querySelectorAll<HTMLElement>("[data-do]")) {
      button.addEventListener("click", handlers[button.dataset.do ?? ""]!);
    }
    item.querySelector<HTMLInputElement>("[type=range]")!.addEventListener("input", (event) => {
      actions.slide(Number((event.target as HTMLInputElement).value) / 100);
    });
    const side = (name: string): number => Number(sideInput(item, name).value);
    item.querySelector(".sides")!.addEventListener("change", () => {
      actions.shape(region, side("left"), side("top"), side("width"), side("height"));
      this.showSides(item, region.box);
    });
    this.list.append(item);
    const card = { item, drawn: "" };
    this.cards.set(region, card);
    return card;
  }

  private updateCard(region: Region, card: Card): void {
    const { item } = card;
    const { model } = this;
    const selected = region === model.selected;
    item.dataset.state = region.state;
    item.classList.toggle("selected", selected);
    item.querySelector(".pick")!.setAttribute("aria-pressed", String(selected));
    item.querySelector(".title")!.textContent = `${region.number}.  ${describe(region.box)}`;
    item.querySelector(".facts")!.textContent = describeResult(region);
    item.querySelector<HTMLElement>(".more")!.hidden = !selected;
    this.drawPictures(region, card, selected);
    if (!selected) return;
    const range = item.querySelector<HTMLInputElement>("[type=range]")!;
    const plain = model.plainName.toLowerCase();
    range.value = String(Math.round(model.cut * 100));
    range.setAttribute("aria-valuetext", `${range.value} % ${plain}, ${100 - Number(range.value)} % restored`);
    item.querySelector(".split span")!.textContent = model.plainName;
    this.showFrames(item, region);
    item.querySelector("output")!.textContent = `${range.value} %`;
    range.disabled = region.plain === null;
    this.showSides(item, region.box);
    const context = item.querySelector<HTMLButtonElement>("[data-do=context]")!;
    const able = model.network?.attention === true;
    context.disabled = !able;
    context.title = able ? "Where the context came from" : "This network looks at no context";
    context.setAttribute("aria-pressed", String(model.showsAttention && able));
    this.showShares(item, region);
    item.querySelector<HTMLButtonElement>("[data-do=save]")!.disabled = !isSavable(region);
  }

  private showShares(item: HTMLElement, region: Region): void {
    const rings = item.querySelector<HTMLElement>(".rings")!;
    const patches = region.attention;
    rings.hidden = !(this.model.showsAttention && patches);
    if (!patches) return;
    const share = (part: number): string => `${(100 * part).toFixed(1)} %`;
    const largest = Math.max(...patches.map((patch) => patch.weight));
    rings.querySelector("span")!.textContent =
      `The largest share is ${share(largest)}; an even one would be ${share(1 / patches.length)}.`;
  }

  /** Show what the frames that a region was made from show of it, and say why others were left out. */
  private showFrames(item: HTMLElement, region: Region): void {
    const strip = item.querySelector<HTMLElement>(".strip")!;
    const used = region.frames.filter((frame) => frame.used);
    const said = region.frames.map((frame) => `${frame.name} ${frame.used}`).join();
    strip.hidden = region.frames.length === 0;
    if (strip.dataset.said === said) return;
    strip.dataset.said = said;
    const views = used.map((frame) => {
      const view = document.createElement("img");
      Object.assign(view, { src: frame.picture, alt: frame.name });
      const [x, y] = frame.motion;
      view.title = `${frame.name}, moved by ${x.toFixed(2)}, ${y.toFixed(2)} px, correlation ${frame.correlation.toFixed(3)}`;
      return view;
    });
    const reasons = new Map<string, number>();
    for (const { used, reason } of region.frames) if (!used) reasons.set(reason, (reasons.get(reason) ?? 0) + 1);
    const left = [...reasons].map(([reason, count]) => `${count} left out: ${reason}`).join("; ");
    const text = document.createElement("p");
    text.className = "small";
    text.textContent = `From ${used.length} frame${used.length === 1 ? "" : "s"}${left && `. ${left}`}. It is computed, and no evidence.`;
    strip.replaceChildren(...views, text);
  }

  /** Show the box in its fields, but for one that is being written in. */
  private showSides(item: HTMLElement, box: Box): void {
    const values = { left: box.left, top: box.top, width: width(box), height: height(box) };
    for (const [name, value] of Object.entries(values)) {
      const field = sideInput(item, name);
      if (document.activeElement !== field || field.value === "") field.value = String(value);
    }
  }

  private drawPictures(region: Region, card: Card, selected: boolean): void {
    const box = region.restored?.box;
    const shows = box ? `${describe(box)} ${region.restored!.scale} ${selected && this.model.cut}` : "";
    const images = `${region.sharp !== null} ${region.plain !== null}`;
    const drawn = `${shows} ${images} ${region.restored?.seconds} ${selected}`;
    if (drawn === card.drawn) return;
    card.drawn = drawn;
    drawRegion(card.item.querySelector<HTMLCanvasElement>(".pick canvas")!, region, 0);
    const compare = card.item.querySelector<HTMLCanvasElement>(".compare")!;
    compare.hidden = !region.sharp;
    if (!selected || !region.sharp) return;
    const wide = compare.parentElement!.clientWidth || 300;
    const factor = Math.min(wide / region.sharp.width, MAX_COMPARE_HEIGHT / region.sharp.height);
    compare.width = Math.round(region.sharp.width * factor * devicePixelRatio);
    compare.height = Math.round(region.sharp.height * factor * devicePixelRatio);
    compare.style.width = `${region.sharp.width * factor}px`;
    drawRegion(compare, region, this.model.cut);
  }
}

const sideInput = (item: HTMLElement, name: string): HTMLInputElement =>
  item.querySelector<HTMLInputElement>(`[data-side=${name}]`)!;

function describeResult(region: Region): string {
  if (region.state === "restoring") return "Restoring …";
  if (region.state === "failed") return region.problem;
  const { scale, strategy, seconds, gflops, frames } = region.restored!;
  const several = frames > 1 ? `${frames} frames · ` : "";
  return `×${scale} · ${several}${strategy} · ${formatTime(seconds)} · ${formatWork(gflops)}`;
}

export const formatTime = (seconds: number): string =>
  seconds < 1 ? `${Math.max(Math.round(seconds * 1000), 1)} ms` : `${seconds.toPrecision(3)} s`;

export const formatWork = (gflops: number): string =>
  `${gflops < 100 ? gflops.toPrecision(2) : Math.round(gflops).toLocaleString("en")} GFLOPs`;
