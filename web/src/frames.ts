// The regions' outlines over the picture: elements, so that they can be focused, named and read aloud.

import { describe, height, width, type Box, type Grip } from "./geometry";
import type { Model, Region } from "./model";
import type { Viewer } from "./viewer";

const MIN_HANDLE_SIDE = 56; // CSS pixels: a side shorter than that has no handle in its middle
const MIN_WORDS_WIDTH = 170; // CSS pixels: a box less wide has no room for the words beside the slider's line
const KNOB_SIZE = 44; // CSS pixels: the slider's knob, as large as a finger

const GRIPS: readonly Grip[] = ([-1, 0, 1] as const)
  .flatMap((y) => ([-1, 0, 1] as const).map((x) => ({ x, y })))
  .filter((grip) => grip.x !== 0 || grip.y !== 0);

export class Frames {
  private readonly frames = new Map<Region, HTMLElement>();
  private readonly handles = new Map<Grip, HTMLElement>();
  private readonly draft = document.createElement("div");
  private readonly line = document.createElement("div");
  private readonly knob = document.createElement("div");

  constructor(
    private readonly layer: HTMLElement,
    private readonly viewer: Viewer,
    private readonly model: Model,
    grab: (grip: Grip, event: PointerEvent, handle: HTMLElement) => void,
    slide: (share: number) => void,
  ) {
    this.draft.className = "frame draft";
    this.line.className = "line";
    this.knob.className = "knob";
    this.knob.tabIndex = 0;
    this.knob.setAttribute("role", "slider");
    this.knob.setAttribute("aria-label", "Bicubic up to here, restored from here");
    this.knob.setAttribute("aria-valuemin", "0");
    this.knob.setAttribute("aria-valuemax", "100");
    this.draft.append(document.createElement("span"));
    layer.append(this.draft, this.line);
    for (const grip of GRIPS) {
      const handle = document.createElement("div");
      handle.className = "handle";
      handle.dataset.grip = `${grip.y < 0 ? "n" : grip.y > 0 ? "s" : ""}${grip.x < 0 ? "w" : grip.x > 0 ? "e" : ""}`;
      handle.addEventListener("pointerdown", (event) => grab(grip, event, handle));
      this.handles.set(grip, handle);
      layer.append(handle);
    }
    layer.append(this.knob);
    this.listenToKnob(slide);
    layer.addEventListener("wheel", (event) => viewer.osd.canvas.dispatchEvent(new WheelEvent("wheel", event)));
  }

  /** Let the knob be dragged, and moved by the arrow keys. */
  private listenToKnob(slide: (share: number) => void): void {
    const { knob } = this;
    knob.addEventListener("pointerdown", (event) => {
      event.preventDefault();
      event.stopPropagation();
      knob.focus();
      knob.setPointerCapture(event.pointerId);
      knob.onpointermove = (move) => {
        const box = this.model.selected?.box;
        if (!box) return;
        const from = this.viewer.toScreen({ x: box.left, y: box.top }).x;
        const at = move.clientX - this.layer.getBoundingClientRect().left;
        slide((at - from) / (width(box) * this.viewer.zoom));
      };
    });
    const end = (): void => {
      knob.onpointermove = null;
    };
    knob.addEventListener("pointerup", end);
    knob.addEventListener("pointercancel", end);
    knob.addEventListener("keydown", (event) => {
      const steps: Record<string, number> = { ArrowLeft: -0.05, ArrowDown: -0.05, ArrowRight: 0.05, ArrowUp: 0.05 };
      const ends: Record<string, number> = { Home: 0, End: 1 };
      const step = steps[event.key];
      const to = ends[event.key] ?? (step === undefined ? undefined : this.model.cut + step);
      if (to === undefined) return;
      event.preventDefault();
      event.stopPropagation();
      slide(to);
    });
  }

  /** The element of a region, to be focused. */
  frameOf(region: Region): HTMLElement | undefined {
    return this.frames.get(region);
  }

  /** Make the outlines those of the model's regions. */
  update(): void {
    const { model } = this;
    for (const [region, frame] of this.frames) {
      if (model.regions.includes(region)) continue;
      frame.remove();
      this.frames.delete(region);
    }
    for (const region of model.regions) {
      const frame = this.frames.get(region) ?? this.makeFrame(region);
      frame.dataset.state = region.state;
      frame.classList.toggle("selected", region === model.selected);
      frame.setAttribute("aria-pressed", String(region === model.selected));
      frame.setAttribute("aria-label", `Region ${region.number}: ${describe(region.box)} pixels, ${region.state}`);
    }
    this.place();
  }

  private makeFrame(region: Region): HTMLElement {
    const frame = document.createElement("div");
    frame.className = "frame";
    frame.tabIndex = 0;
    frame.setAttribute("role", "button");
    frame.append(document.createElement("span"));
    frame.addEventListener("focus", () => this.model.select(region));
    this.frames.set(region, frame);
    this.layer.insertBefore(frame, this.line);
    return frame;
  }

  /** Put everything where the view has it. */
  place(): void {
    const { model, viewer } = this;
    this.layer.hidden = !viewer.ready || model.picture === null;
    if (this.layer.hidden) return;
    for (const [region, frame] of this.frames) {
      const size = `${width(region.box)} × ${height(region.box)}`;
      const label = region === model.selected ? `${region.number} · ${size}` : `${region.number}`;
      this.placeFrame(frame, region.box, label);
    }
    this.draft.hidden = model.draft === null;
    if (model.draft) this.placeFrame(this.draft, model.draft, `${width(model.draft)} × ${height(model.draft)}`);
    const selected = model.draft ? null : model.selected;
    for (const handle of this.handles.values()) handle.hidden = selected === null;
    this.knob.hidden = this.line.hidden = !selected?.plain;
    if (!selected) return;
    this.placeHandles(selected.box);
    this.placeSlider(selected.box);
  }

  /** Put a frame on a box, and its label above it, or within the stage where that is out of sight. */
  private placeFrame(frame: HTMLElement, box: Box, text: string): void {
    const at = this.viewer.toScreen({ x: box.left, y: box.top });
    frame.style.transform = `translate(${at.x}px, ${at.y}px)`;
    frame.style.width = `${width(box) * this.viewer.zoom}px`;
    frame.style.height = `${height(box) * this.viewer.zoom}px`;
    const label = frame.firstElementChild as HTMLElement;
    label.textContent = text;
    label.style.transform = `translate(${Math.max(-at.x + 4, 0)}px, ${Math.max(28 - at.y, 0)}px)`;
  }

  private placeHandles(box: Box): void {
    const zoom = this.viewer.zoom;
    const at = this.viewer.toScreen({ x: box.left, y: box.top });
    const wide = width(box) * zoom;
    const high = height(box) * zoom;
    for (const [grip, handle] of this.handles) {
      handle.hidden = (grip.x === 0 && wide < MIN_HANDLE_SIDE) || (grip.y === 0 && high < MIN_HANDLE_SIDE);
      const x = at.x + ((grip.x + 1) / 2) * wide;
      const y = at.y + ((grip.y + 1) / 2) * high;
      handle.style.transform = `translate(${x}px, ${y}px)`;
    }
  }

  /** Put the slider's line in the box, and its knob low on the line, or below a box that is too small for both. */
  private placeSlider(box: Box): void {
    const zoom = this.viewer.zoom;
    const at = this.viewer.toScreen({ x: box.left, y: box.top });
    const high = height(box) * zoom;
    const x = at.x + this.model.cut * width(box) * zoom;
    const top = Math.max(at.y, 0);
    const bottom = Math.min(at.y + high, this.layer.clientHeight);
    const within = bottom - top > 3.5 * KNOB_SIZE;
    const y = within ? bottom - (bottom - top) / 4 : bottom + KNOB_SIZE / 2 + 2;
    const seen = bottom > top && x > -KNOB_SIZE / 2 && x < this.layer.clientWidth + KNOB_SIZE / 2;
    this.knob.hidden ||= !seen || y > this.layer.clientHeight - KNOB_SIZE / 2;
    this.line.hidden ||= !seen || this.model.cut === 0 || this.model.cut === 1;
    this.knob.style.transform = `translate(${x}px, ${y}px)`;
    this.line.style.transform = `translate(${x}px, ${top}px)`;
    this.line.style.height = `${bottom - top}px`;
    this.line.classList.toggle("bare", bottom - top < MIN_HANDLE_SIDE || width(box) * zoom < MIN_WORDS_WIDTH);
    const share = Math.round(this.model.cut * 100);
    this.knob.setAttribute("aria-valuenow", String(share));
    this.line.dataset.plain = this.model.plainName.toLowerCase();
    this.knob.setAttribute("aria-valuetext", `${share} % ${this.model.plainName.toLowerCase()}, ${100 - share} % restored`);
  }
}
