// Fingers and mice on the picture: a drag draws a box, moves the selected one or pans; pinch and wheel zoom.

import type OpenSeadragon from "openseadragon";
import { between, contains, moved, resized, same, type Box, type Grip, type Point } from "./geometry";
import type { Model, Region, Tool } from "./model";
import type { Viewer } from "./viewer";

const MIN_DRAG = 4; // CSS pixels: less is a click

interface GestureActions {
  readonly drawn: (box: Box) => void; // a new box is done
  readonly reshaped: (region: Region) => void; // a region's box has changed and is let go
  readonly entered: (region: Region) => void; // double click
}

type Drag =
  | { readonly kind: "draw"; readonly from: Point; readonly start: Point }
  | { readonly kind: "move"; readonly from: Point; readonly region: Region; readonly box: Box };

export class Gestures {
  private drag: Drag | null = null;
  private space = false;

  constructor(
    private readonly stage: HTMLElement,
    private readonly viewer: Viewer,
    private readonly model: Model,
    private readonly actions: GestureActions,
  ) {
    const { osd } = viewer;
    osd.addHandler("canvas-press", (event) => this.press(event));
    osd.addHandler("canvas-drag", (event) => this.move(event));
    osd.addHandler("canvas-drag-end", (event) => this.end(event));
    osd.addHandler("canvas-release", () => this.release());
    osd.addHandler("canvas-pinch", () => this.cancel());
    osd.addHandler("canvas-click", (event) => event.quick && this.click(event.position));
    osd.addHandler("canvas-double-click", (event) => this.enter(event.position));
    stage.addEventListener("pointermove", (event) => this.point(event));
    window.addEventListener("blur", () => this.hold(false));
  }

  /** While the space bar is down, a drag pans. */
  hold(down: boolean): void {
    this.space = down;
    this.stage.dataset.tool = this.tool;
  }

  get tool(): Tool {
    return this.space ? "hand" : this.model.tool;
  }

  /** Leave a drag that is under way without a trace. */
  cancel(): void {
    if (this.drag?.kind === "move") this.drag.region.box = this.drag.box;
    this.drag = null;
    this.model.draft = null;
    this.model.changed();
  }

  private press(event: OpenSeadragon.CanvasPressEvent): void {
    this.drag = null;
    if (this.tool === "hand" || !this.model.picture || !this.viewer.ready) return;
    const from = this.viewer.toPicture(event.position);
    const chosen = this.model.selected;
    const inside = chosen !== null && contains(chosen.box, from) && !(event.originalEvent as MouseEvent).shiftKey;
    this.drag = inside
      ? { kind: "move", from, region: chosen, box: chosen.box }
      : { kind: "draw", from, start: event.position };
  }

  private move(event: OpenSeadragon.CanvasDragEvent): void {
    const { drag, model } = this;
    const size = model.picture;
    if (!drag || !size) return;
    event.preventDefaultAction = true;
    const at = this.viewer.toPicture(event.position);
    if (drag.kind === "move") {
      drag.region.box = moved(drag.box, at.x - drag.from.x, at.y - drag.from.y, size);
    } else if (model.draft || far(drag.start, event.position)) {
      model.draft = between(drag.from, at, size);
    }
    model.changed();
  }

  private end(event: { preventDefaultAction: boolean }): void {
    if (this.drag) event.preventDefaultAction = true;
    this.release();
  }

  private release(): void {
    const { drag, model } = this;
    const { draft } = model;
    this.drag = null;
    if (drag?.kind === "move" && !same(drag.region.box, drag.box)) this.actions.reshaped(drag.region);
    model.draft = null;
    if (drag?.kind === "draw" && draft) this.actions.drawn(draft);
  }

  /** A handle is taken: move its sides until it is let go. */
  grab(grip: Grip, event: PointerEvent, handle: HTMLElement): void {
    const region = this.model.selected;
    const size = this.model.picture;
    if (!region || !size || event.button !== 0) return;
    event.preventDefault();
    event.stopPropagation();
    const { box } = region;
    const start = { x: event.clientX, y: event.clientY };
    handle.setPointerCapture(event.pointerId);
    handle.onpointermove = (move) => {
      const { zoom } = this.viewer;
      region.box = resized(box, grip, (move.clientX - start.x) / zoom, (move.clientY - start.y) / zoom, size);
      this.model.changed();
    };
    const end = (): void => {
      handle.onpointermove = handle.onpointerup = handle.onpointercancel = null;
      if (!same(region.box, box)) this.actions.reshaped(region);
    };
    handle.onpointerup = end;
    handle.onpointercancel = end;
  }

  private under(place: Point): Region | null {
    if (!this.viewer.ready) return null;
    const at = this.viewer.toPicture(place);
    return this.model.regions.findLast((region) => contains(region.box, at)) ?? null;
  }

  private click(place: Point): void {
    this.model.select(this.under(place));
  }

  private enter(place: Point): void {
    const region = this.under(place);
    if (region) this.actions.entered(region);
  }

  /** Let the pointer tell what a drag would do here. */
  private point(event: PointerEvent): void {
    if (event.buttons !== 0 || !this.viewer.ready) return;
    const around = this.stage.getBoundingClientRect();
    const at = this.viewer.toPicture({ x: event.clientX - around.left, y: event.clientY - around.top });
    const inside = this.model.selected !== null && contains(this.model.selected.box, at);
    this.stage.dataset.tool = inside && this.tool === "box" && !event.shiftKey ? "move" : this.tool;
  }
}

const far = (a: Point, b: Point): boolean => Math.hypot(a.x - b.x, a.y - b.y) >= MIN_DRAG;
