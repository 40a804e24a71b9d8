// Boxes as the service takes them: integers, half-open, in pixels of the upright picture.

export interface Box {
  readonly left: number;
  readonly top: number;
  readonly right: number;
  readonly bottom: number;
}

export interface Size {
  readonly width: number;
  readonly height: number;
}

export interface Point {
  readonly x: number;
  readonly y: number;
}

/** Which sides of a box a handle moves: -1 the left or top one, 1 the right or bottom one, 0 neither. */
export interface Grip {
  readonly x: -1 | 0 | 1;
  readonly y: -1 | 0 | 1;
}

export const width = (box: Box): number => box.right - box.left;
export const height = (box: Box): number => box.bottom - box.top;

export const same = (a: Box, b: Box): boolean =>
  a.left === b.left && a.top === b.top && a.right === b.right && a.bottom === b.bottom;

export const contains = (box: Box, p: Point): boolean =>
  p.x >= box.left && p.x < box.right && p.y >= box.top && p.y < box.bottom;

const clamp = (value: number, low: number, high: number): number => Math.min(Math.max(value, low), high);

/** The box between two points of the picture: its sides on the nearest edges of pixels, one pixel at least. */
export function between(a: Point, b: Point, size: Size): Box {
  const [left, right] = span(Math.min(a.x, b.x), Math.max(a.x, b.x), size.width);
  const [top, bottom] = span(Math.min(a.y, b.y), Math.max(a.y, b.y), size.height);
  return { left, top, right, bottom };
}

function span(low: number, high: number, length: number): [number, number] {
  const first = clamp(Math.round(low), 0, length - 1);
  return [first, clamp(Math.round(high), first + 1, length)];
}

/** The box moved by whole pixels as far as the picture goes. */
export function moved(box: Box, right: number, down: number, size: Size): Box {
  const left = clamp(Math.round(box.left + right), 0, size.width - width(box));
  const top = clamp(Math.round(box.top + down), 0, size.height - height(box));
  return { left, top, right: left + width(box), bottom: top + height(box) };
}

/** The box with one or two of its sides moved by whole pixels: within the picture, and never past the other side. */
export function resized(box: Box, grip: Grip, right: number, down: number, size: Size): Box {
  const x = Math.round(right);
  const y = Math.round(down);
  return {
    left: grip.x < 0 ? clamp(box.left + x, 0, box.right - 1) : box.left,
    top: grip.y < 0 ? clamp(box.top + y, 0, box.bottom - 1) : box.top,
    right: grip.x > 0 ? clamp(box.right + x, box.left + 1, size.width) : box.right,
    bottom: grip.y > 0 ? clamp(box.bottom + y, box.top + 1, size.height) : box.bottom,
  };
}

/** A box of a width and a height as near to a place as the picture allows. */
export function placed(left: number, top: number, wide: number, high: number, size: Size): Box {
  const w = clamp(Math.round(wide), 1, size.width);
  const h = clamp(Math.round(high), 1, size.height);
  const x = clamp(Math.round(left), 0, size.width - w);
  const y = clamp(Math.round(top), 0, size.height - h);
  return { left: x, top: y, right: x + w, bottom: y + h };
}

export const describe = (box: Box): string => `${width(box)} × ${height(box)} at ${box.left}, ${box.top}`;
