// The page: puts its parts together, and starts on the picture that the server was started on, if any.

import * as api from "./api";
import { ConditionSliders } from "./conditions";
import { Downloads } from "./downloads";
import { Frames } from "./frames";
import { describe, placed, type Box } from "./geometry";
import { Gestures } from "./gestures";
import { listenToKeys, newBox } from "./keyboard";
import { Model, type Region, type Tool } from "./model";
import { Notices } from "./notices";
import { Overlay } from "./overlay";
import { RegionList } from "./region_list";
import { Restorations } from "./restorations";
import { Session } from "./session";
import { Settings } from "./settings";
import { Timeline } from "./timeline";
import { Upload } from "./upload";
import { Viewer } from "./viewer";

const KEEP_SECONDS = 600; // after which the server lets go of a picture, where it does not tell
const KEY_PAUSE = 180; // ms after the last key before a box is restored again

const find = <T extends HTMLElement>(id: string): T => document.querySelector<T>(`#${id}`)!;

const model = new Model();
const notices = new Notices();
const stage = find("stage");
const viewer: Viewer = new Viewer(
  find("picture"),
  (place, signal) => session.withPicture(model.picture!.id, () => api.tile(model.picture!.id, place, signal)),
  (error) => notices.error(`${model.picture?.name ?? "The picture"} cannot be shown: ${api.messageOf(error)}`),
);
const session = new Session(model, () => viewer.rename(model.picture!.id));
const restorations = new Restorations(model, session, notices);
const overlay = new Overlay(find<HTMLCanvasElement>("overlay"), viewer, model);
const downloads = new Downloads(model, session, notices);
const timeline = new Timeline(model, goTo, () => restorations.requestAll());
const settings = new Settings(model, () => restorations.requestAll());
const sliders = new ConditionSliders(
  model,
  session,
  () => void restorations.slide(),
  () => restorations.requestAll(),
);
let service: api.ServiceInfo | null = null;

const gestures = new Gestures(stage, viewer, model, {
  drawn: add,
  reshaped: (region) => restorations.request(region),
  entered: (region) => viewer.goTo(region.box),
});
const frames = new Frames(
  find("frames"),
  viewer,
  model,
  (grip, event, handle) => gestures.grab(grip, event, handle),
  slide,
);
const list = new RegionList(model, {
  zoom: (region) => viewer.goTo(region.box),
  context: () => void restorations.showAttention(!model.showsAttention),
  save: (region) => void downloads.saveRegion(region),
  remove,
  undo,
  shape: (region, left, top, wide, high) => {
    region.box = placed(left, top, wide, high, model.picture!);
    restorations.request(region);
  },
  slide,
});
new Upload(notices, open, () => service && maxBytes(service));

function add(box: Box): void {
  const region = model.add(box);
  restorations.request(region);
  queueMicrotask(() => frames.frameOf(region)?.focus({ preventScroll: true }));
}

function remove(region: Region): void {
  restorations.stop(region);
  model.remove(region);
  notices.announce(`Region ${region.number} removed; Ctrl+Z puts it back`);
  queueMicrotask(() => (model.selected ? frames.frameOf(model.selected) : stage)?.focus({ preventScroll: true }));
}

function undo(): void {
  const region = model.putBack();
  if (!region) return;
  restorations.request(region);
  notices.announce(`Region ${region.number} is back`);
  queueMicrotask(() => frames.frameOf(region)?.focus({ preventScroll: true }));
}

function slide(share: number): void {
  model.cut = Math.min(Math.max(share, 0), 1);
  model.changed();
}

function use(tool: Tool): void {
  model.tool = tool;
  stage.dataset.tool = tool;
  model.changed();
}

/** Leave the picture for another one; the server need not keep one that was sent from here. */
function open(picture: api.Picture, file: File | null = null): void {
  const before = model.picture;
  for (const region of model.regions) restorations.stop(region);
  session.setFile(file);
  model.show(picture);
  update(); // the stage has its size from here on
  viewer.open(picture);
  if (before && before.id !== service?.picture && before.id !== picture.id) api.forget(api.clipOf(before.id)).catch(() => {});
  notices.announce(`${picture.name ?? "The picture"} is open, ${picture.width} by ${picture.height} pixels`);
}

/** Show another moment of the clip that is open; its regions are restored anew in their places. */
function goTo(seconds: number): void {
  const picture = model.picture!;
  model.picture = { ...picture, id: api.momentOf(picture.id, seconds) };
  viewer.rename(model.picture.id);
  restorations.requestAll();
  model.changed();
}

function update(): void {
  const { picture } = model;
  find("start").hidden = picture !== null;
  find("work").hidden = picture === null;
  find("hint").hidden = model.regions.length > 0 || model.draft !== null || model.tool !== "box";
  find("about").textContent = picture
    ? `${picture.name ?? "picture"}, ${picture.width} × ${picture.height}, ${picture.depth} bit`
    : "";
  find("notes").hidden = !picture?.notes.length;
  find("notes").textContent = picture?.notes.length ? `Of this picture: ${picture.notes.join("; ")}.` : "";
  document.title = picture?.name ? `${picture.name}, localsr` : "localsr";
  for (const button of stage.querySelectorAll<HTMLElement>("[data-tool]")) {
    button.setAttribute("aria-pressed", String(button.dataset.tool === model.tool));
  }
  timeline.update();
  settings.update();
  sliders.update();
  list.update();
  downloads.update();
  session.save();
  paint();
}

function paint(): void {
  frames.place();
  overlay.draw();
}

/** Announce that the selected region is sharp, once. */
let announced = "";
function announce(): void {
  const region = model.selected;
  const news = region?.state === "sharp" ? `Region ${region.number} is sharp, ${describe(region.box)}` : "";
  if (news && news !== announced) notices.announce(news);
  announced = news;
}

/** Estimate the cost of a region that is newly selected, and show what it drew on. */
let estimated: Region | null = null;
function onSelection(): void {
  if (estimated === model.selected) return;
  estimated = model.selected;
  if (estimated?.state !== "sharp") return;
  restorations.estimateSoon();
  if (model.showsAttention) void restorations.showAttention(true);
}

const tools: Record<string, () => void> = {
  new: () => add(newBox(viewer, model, stage)),
  in: () => viewer.zoomBy(1.6),
  out: () => viewer.zoomBy(1 / 1.6),
  fit: () => viewer.goHome(),
  actual: () => viewer.goActual(),
};
find("tools").addEventListener("click", (event) => {
  const button = (event.target as Element).closest("button");
  if (button?.dataset.tool) use(button.dataset.tool as Tool);
  if (button?.dataset.do && viewer.ready) tools[button.dataset.do]?.();
});
const help = find<HTMLDialogElement>("help");
find("help-open").addEventListener("click", () => help.showModal());
listenToKeys(stage, viewer, model, gestures, {
  add,
  reshaped: (region) => restorations.request(region, KEY_PAUSE),
  remove,
  undo,
  enter: (region) => viewer.goTo(region.box),
  use,
  help: () => help.showModal(),
});
viewer.osd.addHandler("update-viewport", paint);
viewer.osd.addHandler("open", paint);
model.listen(() => {
  frames.update();
  update();
  announce();
  onSelection();
});

/** Bytes that the server takes in one body, or null where it does not tell. */
const maxBytes = ({ limits }: api.ServiceInfo): number | null => (limits.body ? limits.body * 2 ** 20 : null);

async function start(): Promise<void> {
  const [info, networks] = await Promise.all([api.service(), api.networks()]);
  service = info;
  model.networks = networks;
  const usual = networks.find((network) => network.default) ?? networks[0];
  if (!usual) throw new api.Refusal("The server has no network to restore with.", 0);
  model.choose(usual);
  model.adjustment = { denoise: info.denoise, deblur: info.deblur };
  const bytes = maxBytes(info);
  if (bytes) find("limit").textContent = `, up to ${Math.round(bytes / 2 ** 20)} MiB`;
  session.keepAlive(info.limits.keep ?? KEEP_SECONDS);
  if (model.picture) return; // one was picked meanwhile
  const saved = Session.saved();
  const before = saved && (await api.picture(saved.id).catch(() => null)); // gone, or of another server
  if (saved && before) resume({ ...before, name: saved.name }, saved);
  else if (info.picture) open(await api.picture(info.picture));
}

/** Go on after a reload: the same picture, the same boxes. */
function resume(picture: api.Picture, saved: NonNullable<ReturnType<typeof Session.saved>>): void {
  open(picture);
  const network = model.networks.find((other) => other.name === saved.network);
  if (network) model.choose(network, saved.strategy, saved.scale ?? null);
  model.adjustment = { denoise: saved.denoise ?? null, deblur: saved.deblur ?? null };
  for (const box of saved.boxes) restorations.request(model.add(box));
}

use("box");
start().catch((error: unknown) => notices.error(api.messageOf(error)));
