// Keeps the open picture on the server, which lets go of what nobody asks about; and keeps the regions over a reload.

import * as api from "./api";
import type { Box } from "./geometry";
import type { Model } from "./model";

const STORAGE_KEY = "localsr";

interface Saved extends api.Method {
  readonly id: string;
  readonly name: string | null;
  readonly boxes: readonly Box[];
}

export class Session {
  private file: File | null = null; // of a picture that was sent from here
  private sending: Promise<void> | null = null;

  constructor(
    private readonly model: Model,
    private readonly onNewId: () => void,
  ) {}

  /** Ask about the picture now and then, a few times before it would be let go after `seconds`. */
  keepAlive(seconds: number): void {
    setInterval(() => {
      const { picture } = this.model;
      if (picture) this.withPicture(picture.id, () => api.picture(picture.id)).catch(() => {}); // said when needed
    }, seconds * 250);
  }

  /** Note the file of the picture that is open, null where the server had it already. */
  setFile(file: File | null): void {
    this.file = file;
  }

  /** Do something with the picture; where the server has let go of it, send it once more and do it again. */
  async withPicture<T>(id: string, action: () => Promise<T>): Promise<T> {
    try {
      return await action();
    } catch (error) {
      const { picture } = this.model;
      if (!(error instanceof api.Refusal) || error.status !== 404 || !this.file || !picture) throw error;
      if (picture.id === id) await (this.sending ??= this.send(this.file));
      return await action();
    }
  }

  private async send(file: File): Promise<void> {
    try {
      const { id } = await api.upload(file, () => {}, new AbortController().signal);
      const { picture } = this.model;
      if (!picture) return;
      const seconds = api.secondsOf(picture.id);
      this.model.picture = { ...picture, id: seconds === null ? id : api.momentOf(id, seconds) };
      this.onNewId();
    } finally {
      this.sending = null;
    }
  }

  /** Save what is open, for a reload of this tab. */
  save(): void {
    const { picture, regions, method } = this.model;
    if (!picture) return;
    const saved: Saved = { id: picture.id, name: picture.name, boxes: regions.map((region) => region.box), ...method };
    sessionStorage.setItem(STORAGE_KEY, JSON.stringify(saved));
  }

  /** What was open before a reload, or null. */
  static saved(): Saved | null {
    try {
      return JSON.parse(sessionStorage.getItem(STORAGE_KEY) ?? "null") as Saved | null;
    } catch {
      return null;
    }
  }
}
