// Everything on the picture by the keyboard alone.

import { moved, placed, resized, same, type Box } from "./geometry";
import type { Gestures } from "./gestures";
import type { Model, Region, Tool } from "./model";
import type { Viewer } from "./viewer";

const PAN_STEP = 60; // CSS pixels an arrow key
const ZOOM_STEP = 1.4;
const LARGE_STEP = 10; // pixels of the picture, with Ctrl
const NEW_BOX_SIDE = 64; // pixels: the side of a new box, where the view shows as many

export interface KeyActions {
  readonly add: (box: Box) => void;
  readonly reshaped: (region: Region) => void;
  readonly remove: (region: Region) => void;
  readonly undo: () => void;
  readonly enter: (region: Region) => void;
  readonly use: (tool: Tool) => void;
  readonly help: () => void;
}

const ARROWS: Readonly<Record<string, readonly [number, number]>> = {
  ArrowLeft: [-1, 0],
  ArrowRight: [1, 0],
  ArrowUp: [0, -1],
  ArrowDown: [0, 1],
};

export function listenToKeys(
  stage: HTMLElement,
  viewer: Viewer,
  model: Model,
  gestures: Gestures,
  actions: KeyActions,
): void {
  stage.addEventListener("keydown", (event) => {
    if (!model.picture || !viewer.ready || event.altKey || event.metaKey) return;
    if ((event.target as Element).closest("button")) return; // the tools' own keys
    const arrow = ARROWS[event.key];
    const region = model.selected;
    if (arrow) {
      const onBox = region !== null && (event.target as Element).classList.contains("frame");
      if (onBox) shape(region, arrow, event);
      else viewer.panBy(arrow[0] * PAN_STEP, arrow[1] * PAN_STEP);
      event.preventDefault();
      return;
    }
    if (event.ctrlKey && event.key === "z") actions.undo();
    else if (event.ctrlKey || !act(event.key, region)) return;
    event.preventDefault();
  });
  stage.addEventListener("keyup", (event) => {
    if (event.key === " ") gestures.hold(false);
  });

  /** Move the region by an arrow key; with Shift its right and bottom sides alone. */
  function shape(region: Region, [x, y]: readonly [number, number], event: KeyboardEvent): void {
    const step = event.ctrlKey ? LARGE_STEP : 1;
    const size = model.picture!;
    const box = event.shiftKey
      ? resized(region.box, { x: 1, y: 1 }, x * step, y * step, size)
      : moved(region.box, x * step, y * step, size);
    if (same(box, region.box)) return;
    region.box = box;
    actions.reshaped(region);
  }

  function act(key: string, region: Region | null): boolean {
    const actionsByKey: Record<string, (() => void) | undefined> = {
      n: () => actions.add(newBox(viewer, model, stage)),
      b: () => actions.use("box"),
      h: () => actions.use("hand"),
      " ": () => gestures.hold(true),
      "+": () => viewer.zoomBy(ZOOM_STEP),
      "=": () => viewer.zoomBy(ZOOM_STEP),
      "-": () => viewer.zoomBy(1 / ZOOM_STEP),
      "0": () => viewer.goHome(),
      "1": () => viewer.goActual(),
      c: () => {
        model.cut = model.cut < 1 ? 1 : 0;
        model.changed();
      },
      Escape: () => {
        gestures.cancel();
        model.select(null);
        stage.focus();
      },
      "?": actions.help,
      ...(region && {
        z: () => actions.enter(region),
        Enter: () => actions.enter(region),
        Delete: () => actions.remove(region),
        Backspace: () => actions.remove(region),
      }),
    };
    const found = actionsByKey[key.length === 1 ? key.toLowerCase() : key];
    found?.();
    return found !== undefined;
  }
}

/** A new box in the middle of what is seen. */
export function newBox(viewer: Viewer, model: Model, stage: HTMLElement): Box {
  const middle = viewer.toPicture({ x: stage.clientWidth / 2, y: stage.clientHeight / 2 });
  const side = Math.min(NEW_BOX_SIDE, Math.round(Math.min(stage.clientWidth, stage.clientHeight) / viewer.zoom / 2));
  return placed(middle.x - side / 2, middle.y - side / 2, side, side, model.picture!);
}
