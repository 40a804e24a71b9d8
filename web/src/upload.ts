// How a picture comes in: picked, dropped or pasted; sent once, with its progress shown.

import * as api from "./api";
import type { Notices } from "./notices";

const find = <T extends HTMLElement>(id: string): T => document.querySelector<T>(`#${id}`)!;

export class Upload {
  private readonly file = find<HTMLInputElement>("file");
  private readonly progress = find<HTMLProgressElement>("progress");
  private current: AbortController | null = null;

  constructor(
    private readonly notices: Notices,
    private readonly opened: (picture: api.Picture, file: File) => void,
    private readonly maxBytes: () => number | null, // bytes that the server takes
  ) {
    for (const id of ["pick", "open"]) find(id).addEventListener("click", () => this.file.click());
    this.file.addEventListener("change", () => {
      const chosen = this.file.files?.[0];
      this.file.value = ""; // so that the same file can be chosen again
      if (chosen) void this.send(chosen);
    });
    find("stop").addEventListener("click", () => this.current?.abort());
    this.acceptDrops();
    document.addEventListener("paste", (event) => {
      const pasted = event.clipboardData?.files[0];
      if (pasted) void this.send(pasted);
    });
  }

  private acceptDrops(): void {
    const over = (on: boolean): void => void document.body.classList.toggle("over", on);
    document.addEventListener("dragover", (event) => {
      event.preventDefault();
      over(true);
    });
    document.addEventListener("dragleave", (event) => event.relatedTarget === null && over(false));
    document.addEventListener("drop", (event) => {
      event.preventDefault();
      over(false);
      const files = event.dataTransfer?.files;
      if (!files?.length) return this.notices.error("That is no file. Drop a picture from a folder, or choose one.");
      if (files.length > 1) this.notices.announce("One picture at a time: the first is opened.");
      void this.send(files[0]!);
    });
  }

  private async send(file: File): Promise<void> {
    const maxBytes = this.maxBytes();
    if (maxBytes !== null && file.size > maxBytes) {
      const size = `${(file.size / 2 ** 20).toFixed(0)} MiB`;
      return this.notices.error(
        `${file.name} is ${size}; this server takes ${(maxBytes / 2 ** 20).toFixed(0)} MiB. ` +
          `A local picture of any size opens by "localsr view ${file.name}".`,
      );
    }
    this.current?.abort();
    const current = (this.current = new AbortController());
    this.showSending(file.name);
    try {
      const picture = await api.upload(file, (share) => this.showProgress(share), current.signal);
      if (current === this.current) this.opened({ ...picture, name: file.name }, file);
    } catch (error) {
      if (!api.stopped(error)) this.notices.error(`${file.name}: ${api.messageOf(error)}`);
    } finally {
      if (current === this.current) this.showSending(null);
    }
  }

  private showProgress(share: number): void {
    if (share < 1) this.progress.value = share;
    else this.progress.removeAttribute("value"); // the server looks at it now, for as long as that takes
    find("sending-name").dataset.step = share < 1 ? "sending" : "reading";
  }

  private showSending(name: string | null): void {
    find("sending").hidden = name === null;
    find("drop").hidden = name !== null;
    document.body.classList.toggle("sending", name !== null);
    if (name === null) return;
    find("sending-name").textContent = name;
    this.progress.value = 0;
  }
}
