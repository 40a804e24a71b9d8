// What is saved to the reader's disk: a region, all of them in a zip, or the picture with them in it.

import * as api from "./api";
import { height, width } from "./geometry";
import type { Session } from "./session";
import { isSavable, type Model, type Region } from "./model";
import type { Notices } from "./notices";

export class Downloads {
  private readonly format = document.querySelector<HTMLSelectElement>("#format")!;
  private readonly feather = document.querySelector<HTMLInputElement>("#feather")!;
  private readonly all = document.querySelector<HTMLButtonElement>("#save-all")!;
  private readonly picture = document.querySelector<HTMLButtonElement>("#save-picture")!;
  private readonly enlarged = document.querySelector<HTMLElement>("#enlarged")!;

  constructor(
    private readonly model: Model,
    private readonly session: Session,
    private readonly notices: Notices,
  ) {
    this.all.addEventListener("click", () => void this.saveAll());
    this.picture.addEventListener("click", () => void this.savePicture());
  }

  update(): void {
    const { regions, picture } = this.model;
    for (const button of [this.all, this.picture]) button.disabled = regions.length === 0 || "busy" in button.dataset;
    if (picture) {
      const [wide, high] = [picture.width, picture.height].map((side) => Math.floor(side * this.scale + 0.5));
      this.enlarged.textContent = `Enlarged, ${wide} × ${high}`;
    }
  }

  /** Save a region as it is drawn now; restored pixels that are at hand are not asked for again. */
  async saveRegion(region: Region, button: HTMLButtonElement | null = null): Promise<void> {
    const { method } = this.model;
    const format = this.format.value;
    await this.attempt(button, async () => {
      const ready = format === "png" && isSavable(region) ? region.restored : null;
      const { file, box, scale } = ready ?? (await this.ask((id) => api.restore(id, region.box, method, format)));
      this.download(file, `-${box.left}-${box.top}-${width(box)}x${height(box)}-x${scale}.${format}`);
    });
  }

  private async saveAll(): Promise<void> {
    const { regions, method } = this.model;
    const boxes = regions.map((region) => region.box);
    if (boxes.length === 1) return this.saveRegion(regions[0]!, this.all); // one box comes as a picture, not as a zip
    await this.attempt(this.all, async () => {
      this.download(await this.ask((id) => api.restoreAll(id, boxes, method, this.format.value)), "-regions.zip");
    });
  }

  private async savePicture(): Promise<void> {
    const { regions, method } = this.model;
    const same = document.querySelector<HTMLInputElement>("input[name=size]:checked")!.value === "same";
    const how = { feather: Number(this.feather.value), same_size: same };
    const format = this.format.value;
    const boxes = regions.map((region) => region.box);
    await this.attempt(this.picture, async () => {
      const file = await this.ask((id) => api.paste(id, boxes, method, how, format));
      this.download(file, `-localsr${same ? "" : `-x${this.scale}`}.${format}`);
    });
  }

  /** How many times the whole picture is enlarged. */
  private get scale(): number {
    return this.model.scale ?? this.model.network?.scale ?? 1;
  }

  private ask<T>(action: (id: string) => Promise<T>): Promise<T> {
    return this.session.withPicture(this.model.picture!.id, () => action(this.model.picture!.id));
  }

  /** Do what takes a while; its button says so, and what goes wrong is shown. */
  private async attempt(button: HTMLButtonElement | null, action: () => Promise<void>): Promise<void> {
    if (button) button.dataset.busy = "";
    this.model.changed();
    try {
      await action();
    } catch (error) {
      this.notices.error(api.messageOf(error));
    } finally {
      if (button) delete button.dataset.busy;
      this.model.changed();
    }
  }

  private download(file: Blob, ending: string): void {
    const name = (this.model.picture?.name ?? "picture").replace(/\.[^.]*$/, "");
    const link = document.createElement("a");
    link.href = URL.createObjectURL(file);
    link.download = name + ending;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
    this.notices.announce(`Saved ${link.download}`);
  }
}
