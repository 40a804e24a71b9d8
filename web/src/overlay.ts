// What is drawn over the picture: restored pixels in their place, what they are compared with left of the slider, the attention's circles.

import type { Patch } from "./api";
import { height, width, type Box } from "./geometry";
import type { Model, Region } from "./model";
import type { Viewer } from "./viewer";

const RING_COLOUR = "#ff2d95"; // hardly any photo has it
const VEIL_COLOUR = "rgb(0 0 0 / 55%)";
const MIN_RADIUS = 1.5; // CSS pixels

export class Overlay {
  private readonly context: CanvasRenderingContext2D;
  private drawn: readonly unknown[] = []; // all that the last drawing depends on

  constructor(
    private readonly canvas: HTMLCanvasElement,
    private readonly viewer: Viewer,
    private readonly model: Model,
  ) {
    this.context = canvas.getContext("2d")!;
    new ResizeObserver(() => this.draw()).observe(canvas);
  }

  draw(): void {
    const { canvas, context, model, viewer } = this;
    const ratio = devicePixelRatio;
    const wide = Math.round(canvas.clientWidth * ratio);
    const high = Math.round(canvas.clientHeight * ratio);
    const state = this.state(wide, high);
    // a box that is dragged changes nothing here, and painting without a graphics card would slow the network down
    if (state.length === this.drawn.length && state.every((value, n) => value === this.drawn[n])) return;
    this.drawn = state;
    if (canvas.width !== wide || canvas.height !== high) Object.assign(canvas, { width: wide, height: high });
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.clearRect(0, 0, wide, high);
    if (!viewer.ready || model.picture === null) return;
    context.imageSmoothingQuality = "high";
    for (const region of model.regions) {
      if (region !== model.selected) this.drawPixels(region, 0, ratio);
    }
    const chosen = model.selected;
    if (chosen) this.drawPixels(chosen, model.cut, ratio);
    if (chosen?.attention && model.showsAttention) this.drawRings(chosen, chosen.attention, ratio);
  }

  private state(wide: number, high: number): unknown[] {
    const { model, viewer } = this;
    if (!viewer.ready || model.picture === null) return [wide, high];
    const { x, y } = viewer.toScreen({ x: 0, y: 0 });
    const chosen = model.selected;
    const rings = model.showsAttention ? chosen?.attention : null;
    const pixels = model.regions.flatMap((region) => [region.sharp, region.plain]);
    return [wide, high, x, y, viewer.zoom, chosen, model.cut, rings, ...pixels];
  }

  /** A region's pixels, what they are compared with in the first `cut` of its width, restored in the rest. */
  private drawPixels(region: Region, cut: number, ratio: number): void {
    const { sharp, plain, restored } = region;
    if (!sharp || !restored) return;
    const box = restored.box;
    const middle = box.left + cut * width(box);
    if (cut > 0) this.drawPart(plain ?? sharp, box, box.left, middle, ratio);
    if (cut < 1) this.drawPart(sharp, box, middle, box.right, ratio);
  }

  /** Columns `from` to `to` of a picture of `box`, as far as they are on the stage: deep down, the rest is huge. */
  private drawPart(image: ImageBitmap, box: Box, from: number, to: number, ratio: number): void {
    const { context, viewer, canvas } = this;
    const across = image.width / width(box); // of a result in whole pixels, whose sides may differ a little in scale
    const down = image.height / height(box);
    const least = viewer.toPicture({ x: 0, y: 0 });
    const most = viewer.toPicture({ x: canvas.clientWidth, y: canvas.clientHeight });
    // whole source pixels, and one more, so that the edges' interpolation does not move with the view
    const left = Math.max(Math.floor((least.x - box.left) * across) - 1, 0);
    const top = Math.max(Math.floor((least.y - box.top) * down) - 1, 0);
    const right = Math.min(Math.ceil((most.x - box.left) * across) + 1, image.width);
    const bottom = Math.min(Math.ceil((most.y - box.top) * down) + 1, image.height);
    if (right <= left || bottom <= top) return;
    const device = (x: number, y: number): { x: number; y: number } => {
      const place = viewer.toScreen({ x, y });
      return { x: place.x * ratio, y: place.y * ratio };
    };
    const start = device(box.left + left / across, box.top + top / down);
    const end = device(box.left + right / across, box.top + bottom / down);
    const first = Math.round(device(from, box.top).x);
    const last = Math.round(device(to, box.top).x);
    context.save();
    context.beginPath();
    context.rect(first, 0, last - first, canvas.height);
    context.clip();
    fillWhite(context, start.x, start.y, end.x - start.x, end.y - start.y);
    context.drawImage(image, left, top, right - left, bottom - top, start.x, start.y, end.x - start.x, end.y - start.y);
    context.restore();
  }

  /** A circle on each patch whose area is its share of the attention, over a picture that steps back.
   *  While one compares, those in the region are hidden: its pixels are looked at. */
  private drawRings(region: Region, patches: readonly Patch[], ratio: number): void {
    const { context, viewer, canvas } = this;
    const box = region.restored?.box ?? region.box;
    const at = viewer.toScreen({ x: box.left, y: box.top });
    const zoom = viewer.zoom;
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.fillStyle = VEIL_COLOUR;
    context.beginPath();
    context.rect(0, 0, canvas.clientWidth, canvas.clientHeight);
    context.rect(at.x, at.y, width(box) * zoom, height(box) * zoom);
    context.fill("evenodd");
    context.save();
    if (this.model.cut > 0) context.clip("evenodd");
    for (const patch of patches) {
      const middle = viewer.toScreen({ x: (patch.left + patch.right) / 2, y: (patch.top + patch.bottom) / 2 });
      const radius = Math.max(patch.radius * zoom, MIN_RADIUS);
      context.beginPath();
      context.arc(middle.x, middle.y, radius, 0, 2 * Math.PI);
      context.fillStyle = `${RING_COLOUR}33`;
      context.fill();
      context.lineWidth = 3;
      context.strokeStyle = "rgb(0 0 0 / 60%)";
      context.stroke();
      context.lineWidth = 1.5;
      context.strokeStyle = RING_COLOUR;
      context.stroke();
    }
    context.restore();
  }
}

/** White under what may be transparent, as the server's tiles have it; not under pixels that are covered in part. */
function fillWhite(context: CanvasRenderingContext2D, x: number, y: number, wide: number, high: number): void {
  const left = Math.ceil(x);
  const top = Math.ceil(y);
  context.fillStyle = "#fff";
  context.fillRect(left, top, Math.floor(x + wide) - left, Math.floor(y + high) - top);
}

/** Draw a region at the size of a canvas: in the list, and to compare while it is small in the picture. */
export function drawRegion(canvas: HTMLCanvasElement, region: Region, cut: number): void {
  const context = canvas.getContext("2d")!;
  context.clearRect(0, 0, canvas.width, canvas.height);
  if (!region.sharp) return;
  const { width: wide, height: high } = region.sharp;
  const factor = Math.min(canvas.width / wide, canvas.height / high);
  const w = wide * factor;
  const h = high * factor;
  const x = (canvas.width - w) / 2;
  const y = (canvas.height - h) / 2;
  context.imageSmoothingQuality = "high";
  fillWhite(context, x, y, w, h);
  context.drawImage(region.sharp, x, y, w, h);
  if (cut > 0 && region.plain) {
    fillWhite(context, x, y, w * cut, h);
    context.drawImage(region.plain, 0, 0, wide * cut, high, x, y, w * cut, h);
    context.fillStyle = "#fff";
    context.fillRect(Math.round(x + w * cut) - 1, y, 2, h);
  }
}
