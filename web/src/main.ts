// The page: puts its parts together, and starts on the picture that the server was started on, if any.

import * as api from "./api";
import { Frames } from "./frames";
import { describe, placed, type Box } from "./geometry";
import { Gestures } from "./gestures";
import { Ink } from "./ink";
import { fresh, listen } from "./keys";
import { Keeping } from "./keeping";
import { List } from "./list";
import { Model, type Region, type Tool } from "./model";
import { Opening } from "./opening";
import { Restoring, sentence } from "./restoring";
import { Saving } from "./saving";
import { Say } from "./say";
import { Settings } from "./settings";
import { Viewer } from "./viewer";

const KEEP = 600; // s after which the server lets go of a picture, where it does not tell
const PAUSE = 180; // ms after the last key before a box is restored again

const find = <T extends HTMLElement>(id: string): T => document.querySelector<T>(`#${id}`)!;

const model = new Model();
const say = new Say();
const stage = find("stage");
const viewer: Viewer = new Viewer(
  find("picture"),
  (place, signal) => keeping.again(model.picture!.id, () => api.tile(model.picture!.id, place, signal)),
  (error) => say.error(`${model.picture?.name ?? "The picture"} cannot be shown: ${sentence(error)}`),
);
const keeping = new Keeping(model, () => viewer.rename(model.picture!.id));
const restoring = new Restoring(model, keeping, say);
const ink = new Ink(find<HTMLCanvasElement>("ink"), viewer, model);
const saving = new Saving(model, keeping, say);
const settings = new Settings(model, () => restoring.askAll());
let session: api.Session | null = null;

const gestures = new Gestures(stage, viewer, model, {
  drawn: add,
  shaped: (region) => restoring.ask(region),
  entered: (region) => viewer.goTo(region.box),
});
const frames = new Frames(
  find("frames"),
  viewer,
  model,
  (grip, event, handle) => gestures.grab(grip, event, handle),
  slide,
);
const list = new List(model, {
  zoom: (region) => viewer.goTo(region.box),
  context: () => void restoring.look(!model.context),
  save: (region) => void saving.saveRegion(region),
  remove,
  shape: (region, left, top, wide, high) => {
    region.box = placed(left, top, wide, high, model.picture!);
    restoring.ask(region);
  },
  slide,
});
new Opening(say, open, () => session && body(session));

function add(box: Box): void {
  const region = model.add(box);
  restoring.ask(region);
  queueMicrotask(() => frames.of(region)?.focus({ preventScroll: true }));
}

function remove(region: Region): void {
  restoring.stop(region);
  model.remove(region);
  say.tell(`Region ${region.number} removed`);
  queueMicrotask(() => (model.selected ? frames.of(model.selected) : stage)?.focus({ preventScroll: true }));
}

function slide(share: number): void {
  model.split = Math.min(Math.max(share, 0), 1);
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
  for (const region of model.regions) restoring.stop(region);
  keeping.hold(file);
  model.show(picture);
  update(); // the stage has its size from here on
  viewer.open(picture);
  if (before && before.id !== session?.picture && before.id !== picture.id) api.forget(before.id).catch(() => {});
  say.tell(`${picture.name ?? "The picture"} is open, ${picture.width} by ${picture.height} pixels`);
}

function update(): void {
  const { picture } = model;
  find("start").hidden = picture !== null;
  find("work").hidden = picture === null;
  find("hint").hidden = model.regions.length > 0 || model.draft !== null || model.tool !== "box";
  find("about").textContent = picture
    ? `${picture.name ?? "picture"}, ${picture.width} × ${picture.height}, ${picture.depth} bit`
    : "";
  document.title = picture?.name ? `${picture.name}, localsr` : "localsr";
  for (const button of stage.querySelectorAll<HTMLElement>("[data-tool]")) {
    button.setAttribute("aria-pressed", String(button.dataset.tool === model.tool));
  }
  settings.update();
  list.update();
  saving.update();
  keeping.note();
  paint();
}

function paint(): void {
  frames.place();
  ink.draw();
}

/** The news of the selected region, for those who hear it. */
let heard = "";
function speak(): void {
  const region = model.selected;
  const news = region?.state === "sharp" ? `Region ${region.number} is sharp, ${describe(region.box)}` : "";
  if (news && news !== heard) say.tell(news);
  heard = news;
}

/** Price the region that is newly selected, and show what it drew on. */
let priced: Region | null = null;
function turn(): void {
  if (priced === model.selected) return;
  priced = model.selected;
  if (priced?.state !== "sharp") return;
  restoring.price();
  if (model.context) void restoring.look(true);
}

const tools: Record<string, () => void> = {
  new: () => add(fresh(viewer, model, stage)),
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
listen(stage, viewer, model, gestures, {
  add,
  shaped: (region) => restoring.ask(region, PAUSE),
  remove,
  enter: (region) => viewer.goTo(region.box),
  use,
  help: () => help.showModal(),
});
viewer.osd.addHandler("update-viewport", paint);
viewer.osd.addHandler("open", paint);
model.listen(() => {
  frames.update();
  update();
  speak();
  turn();
});

/** Bytes that the server takes in one body, or null where it does not tell. */
const body = (told: api.Session): number | null => (told.limits.body ? told.limits.body * 2 ** 20 : null);

async function start(): Promise<void> {
  const [told, networks] = await Promise.all([api.session(), api.networks()]);
  session = told;
  model.networks = networks;
  const usual = networks.find((network) => network.default) ?? networks[0];
  if (!usual) throw new api.Refusal("The server has no network to restore with.", 0);
  model.choose(usual);
  const most = body(told);
  if (most) find("limit").textContent = `, up to ${Math.round(most / 2 ** 20)} MiB`;
  keeping.watch(told.limits.keep ?? KEEP);
  if (model.picture) return; // one was picked meanwhile
  const noted = Keeping.noted();
  const before = noted && (await api.picture(noted.id).catch(() => null)); // gone, or of another server
  if (noted && before) resume({ ...before, name: noted.name }, noted);
  else if (told.picture) open(await api.picture(told.picture));
}

/** Go on after a reload: the same picture, the same boxes. */
function resume(picture: api.Picture, noted: NonNullable<ReturnType<typeof Keeping.noted>>): void {
  open(picture);
  const network = model.networks.find((other) => other.name === noted.network);
  if (network) model.choose(network, noted.strategy);
  for (const box of noted.boxes) restoring.ask(model.add(box));
}

use("box");
start().catch((error: unknown) => say.error(sentence(error)));
