// The timeline of a clip: which moment is shown, and from how many frames its regions are made.

import { secondsOf } from "./api";
import type { Model } from "./model";

const PAUSE = 150; // ms after which a moment that is scrubbed to is opened

const find = <T extends HTMLElement>(id: string): T => document.querySelector<T>(`#${id}`)!;

export class Timeline {
  private readonly bar = find("timeline");
  private readonly range = find<HTMLInputElement>("moment");
  private readonly count = find<HTMLSelectElement>("count");
  private timer = 0;

  constructor(
    private readonly model: Model,
    goTo: (seconds: number) => void,
    restoreAgain: () => void,
  ) {
    this.range.addEventListener("input", () => {
      this.say();
      clearTimeout(this.timer);
      this.timer = window.setTimeout(() => {
        this.timer = 0;
        goTo(Number(this.range.value));
      }, PAUSE);
    });
    this.count.addEventListener("change", () => {
      model.frames = Number(this.count.value);
      restoreAgain();
    });
  }

  update(): void {
    const { picture } = this.model;
    const clip = picture?.clip ?? null;
    this.bar.hidden = clip === null;
    if (!clip || !picture) return;
    const step = 1 / clip.rate;
    this.range.step = step.toFixed(4);
    this.range.max = Math.max(clip.seconds - step, 0).toFixed(3);
    if (!this.timer) this.range.value = String(secondsOf(picture.id) ?? 0); // not while it is scrubbed
    this.count.value = String(this.model.frames);
    this.say();
  }

  private say(): void {
    const seconds = Number(this.range.value);
    const said = `${Math.floor(seconds / 60)}:${(seconds % 60).toFixed(2).padStart(5, "0")}`;
    find("shown").textContent = said;
    this.range.setAttribute("aria-valuetext", said);
  }
}
