// Keeps the open picture on the server, which lets go of what nobody asks about; and keeps the regions over a reload.

import * as api from "./api";
import type { Box } from "./geometry";
import type { Model } from "./model";

const KEY = "localsr";

interface Kept {
  readonly id: string;
  readonly name: string | null;
  readonly boxes: readonly Box[];
  readonly network: string;
  readonly strategy: string;
}

export class Keeping {
  private file: File | null = null; // of a picture that was sent from here
  private sending: Promise<void> | null = null;

  constructor(
    private readonly model: Model,
    private readonly moved: () => void, // the picture has another id now
  ) {}

  /** Ask about the picture now and then, a few times before it would be let go after `seconds`. */
  watch(seconds: number): void {
    setInterval(() => {
      const { picture } = this.model;
      if (picture) this.again(picture.id, () => api.picture(picture.id)).catch(() => {}); // told when it is needed
    }, seconds * 250);
  }

  hold(file: File | null): void {
    this.file = file;
  }

  /** Do something with the picture; where the server has let go of it, send it once more and do it again. */
  async again<T>(id: string, deed: () => Promise<T>): Promise<T> {
    try {
      return await deed();
    } catch (error) {
      const { picture } = this.model;
      if (!(error instanceof api.Refusal) || error.status !== 404 || !this.file || !picture) throw error;
      if (picture.id === id) await (this.sending ??= this.send(this.file));
      return await deed();
    }
  }

  private async send(file: File): Promise<void> {
    try {
      const { id } = await api.upload(file, () => {}, new AbortController().signal);
      const { picture } = this.model;
      if (!picture) return;
      this.model.picture = { ...picture, id };
      this.moved();
    } finally {
      this.sending = null;
    }
  }

  /** Note what is open, for a reload of this tab. */
  note(): void {
    const { picture, regions, way } = this.model;
    if (!picture) return;
    const kept: Kept = { id: picture.id, name: picture.name, boxes: regions.map((region) => region.box), ...way };
    sessionStorage.setItem(KEY, JSON.stringify(kept));
  }

  /** What was open before a reload, or null. */
  static noted(): Kept | null {
    try {
      return JSON.parse(sessionStorage.getItem(KEY) ?? "null") as Kept | null;
    } catch {
      return null;
    }
  }
}
