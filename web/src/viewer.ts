// The picture, panned and zoomed by OpenSeadragon on the server's tiles, and the one change of coordinates.

import OpenSeadragon from "openseadragon";
import { stopped, type Picture } from "./api";
import { height, width, type Box, type Point } from "./geometry";

const MAX_ZOOM = 40; // CSS pixels to a pixel of the picture
const MAX_TILE_CALLS = 3; // that are asked for at once: a browser has six connections to a server, and boxes need some
const TILE_TIMEOUT = 600_000; // ms for a tile: the server knows sooner what takes too long
const MIN_LEVEL = 8; // the lowest level of the pyramid that is asked for: 256 px

export class Viewer {
  readonly osd: OpenSeadragon.Viewer;
  private id = "";
  private broken = false; // a tile of the picture has failed

  constructor(
    readonly element: HTMLElement,
    private readonly fetchTile: (place: string, signal: AbortSignal) => Promise<Blob>,
    private readonly onFailure: (error: unknown) => void,
  ) {
    preventStyle();
    this.osd = new OpenSeadragon.Viewer({
      element,
      drawer: "canvas", // the same everywhere: WebGL is missing on some machines
      showNavigationControl: false,
      keyboardNavEnabled: false, // the keys are ours
      imageLoaderLimit: MAX_TILE_CALLS,
      timeout: TILE_TIMEOUT,
      maxZoomPixelRatio: MAX_ZOOM,
      minZoomImageRatio: 0.7,
      visibilityRatio: 0.4,
      animationTime: matchMedia("(prefers-reduced-motion: reduce)").matches ? 0 : 0.5,
      gestureSettingsMouse: { clickToZoom: false, dblClickToZoom: false, flickEnabled: false },
      gestureSettingsTouch: { clickToZoom: false, dblClickToZoom: false, flickEnabled: false, pinchRotate: false },
      gestureSettingsPen: { clickToZoom: false, dblClickToZoom: false },
      tabIndex: -1, // one stop for the tab key: the stage around it
    });
    // it would draw each tile a pixel of the screen too large, so that no hairline shows: none does, and boxes fit
    Object.assign(this.osd.drawer, { minimumOverlapRequired: () => false });
    // the stage had no size while the start was shown, so the whole picture is fitted again
    this.osd.addHandler("open", () => {
      this.osd.viewport.resize(new OpenSeadragon.Point(element.clientWidth, element.clientHeight), false);
      this.osd.viewport.goHome(true);
      const tiles = this.osd.world.getItemAt(0);
      const busy = (): void => element.setAttribute("aria-busy", String(!tiles.getFullyLoaded()));
      tiles.addHandler("fully-loaded-change", busy);
      busy();
    });
  }

  open(picture: Picture): void {
    this.id = picture.id;
    this.broken = false;
    const highest = picture.tiles.levels - 1;
    const tileSource = {
      width: picture.width,
      height: picture.height,
      tileSize: picture.tiles.size,
      tileOverlap: 0,
      minLevel: Math.min(MIN_LEVEL, highest),
      maxLevel: highest,
      getTileUrl: (level: number, column: number, row: number) => `${this.id}/${level}/${column}_${row}`,
      downloadTileStart: (job: OpenSeadragon.ImageJob) => this.load(job),
      downloadTileAbort: (job: OpenSeadragon.ImageJob) => (job.userData as AbortController).abort(),
    };
    this.osd.open({ tileSource });
  }

  /** Fetch a tile as all else is fetched: what is busy is asked again, and what goes wrong becomes a sentence. */
  private load(job: OpenSeadragon.ImageJob): void {
    const { level, x, y } = job.tile;
    const stop = new AbortController();
    job.userData = stop;
    this.fetchTile(`${level}/${x}_${y}`, stop.signal).then(
      (blob) => job.finish(blob, null, "rasterBlob"),
      (error: unknown) => {
        if (stopped(error)) return;
        job.fail(String(error), null);
        if (!this.broken) this.onFailure(error); // once a picture: its other tiles fail for the same reason
        this.broken = true;
      },
    );
  }

  /** Go on with the same picture by another id. */
  rename(id: string): void {
    this.id = id;
    this.osd.world.resetItems();
  }

  get ready(): boolean {
    return this.osd.world.getItemCount() > 0;
  }

  /** CSS pixels to a pixel of the picture, now. */
  get zoom(): number {
    return this.osd.viewport.viewportToImageZoom(this.osd.viewport.getZoom(true));
  }

  /** A place on the screen, from the stage's left upper corner, in pixels of the picture. */
  toPicture(place: Point): Point {
    return this.osd.viewport.viewerElementToImageCoordinates(new OpenSeadragon.Point(place.x, place.y));
  }

  /** A place of the picture in CSS pixels from the stage's left upper corner. */
  toScreen(place: Point): Point {
    return this.osd.viewport.imageToViewerElementCoordinates(new OpenSeadragon.Point(place.x, place.y));
  }

  /** Make a box fill half of the stage. */
  goTo(box: Box): void {
    const wide = width(box);
    const high = height(box);
    const around = new OpenSeadragon.Rect(box.left - wide / 2, box.top - high / 2, wide * 2, high * 2);
    this.osd.viewport.fitBounds(this.osd.viewport.imageToViewportRectangle(around));
  }

  goHome(): void {
    this.osd.viewport.goHome();
  }

  /** One pixel of the picture on one of the screen. */
  goActual(): void {
    this.osd.viewport.zoomTo(this.osd.viewport.imageToViewportZoom(1 / devicePixelRatio));
  }

  zoomBy(factor: number): void {
    this.osd.viewport.zoomBy(factor);
    this.osd.viewport.applyConstraints();
  }

  /** Pan by CSS pixels. */
  panBy(x: number, y: number): void {
    const delta = this.osd.viewport.deltaPointsFromPixels(new OpenSeadragon.Point(x, y));
    this.osd.viewport.panBy(delta);
    this.osd.viewport.applyConstraints();
  }
}

/** Keep OpenSeadragon from a style of its own, which the content security policy refuses: it finds an empty one. */
function preventStyle(): void {
  const style = document.createElementNS(null, "style");
  style.setAttribute("data-openseadragon-mobile-css", "");
  document.head.append(style);
}
