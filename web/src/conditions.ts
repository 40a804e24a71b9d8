// How the picture was degraded, as measured, and how much of it the reader has taken away: two sliders.

import * as api from "./api";
import type { Model } from "./model";
import type { Session } from "./session";

const NAMES = ["denoise", "deblur"] as const;

export class ConditionSliders {
  private readonly group = document.querySelector<HTMLElement>("#conditions")!;
  private readonly told = document.querySelector<HTMLElement>("#measured")!;
  private readonly reset = document.querySelector<HTMLButtonElement>("#as-measured")!;
  private measured: api.Conditions | null = null;
  private asked = ""; // of which picture and network

  constructor(
    private readonly model: Model,
    private readonly session: Session,
    private readonly sliding: () => void, // while a slider moves
    private readonly set: () => void, // once it rests
  ) {
    for (const name of NAMES) {
      const slider = this.slider(name);
      slider.addEventListener("input", () => this.take(name, slider.valueAsNumber, this.sliding));
      slider.addEventListener("change", () => this.take(name, slider.valueAsNumber, this.set));
    }
    this.reset.addEventListener("click", () => {
      this.model.adjustment = { denoise: null, deblur: null };
      this.model.changed();
      this.set();
    });
  }

  update(): void {
    const { picture, network, adjustment } = this.model;
    this.group.hidden = !network?.conditioned;
    if (!picture || !network?.conditioned) return;
    void this.measure(picture.id, network.name);
    for (const name of NAMES) {
      const value = adjustment[name];
      if (value !== null || this.measured) this.slider(name).value = String(value ?? this.measured![name]);
      this.slider(name).parentElement!.querySelector("output")!.value = value === null ? "auto" : String(value);
    }
    this.told.textContent = this.measured
      ? `Measured over the whole picture: ${this.measured.described}.`
      : "The picture is being measured.";
    this.reset.hidden = NAMES.every((name) => adjustment[name] === null);
  }

  private slider(name: (typeof NAMES)[number]): HTMLInputElement {
    return document.querySelector<HTMLInputElement>(`#${name}`)!;
  }

  private take(name: (typeof NAMES)[number], value: number, then: () => void): void {
    this.model.adjustment = { ...this.model.adjustment, [name]: value };
    this.model.changed();
    then();
  }

  private async measure(id: string, network: string): Promise<void> {
    const asked = `${id} ${network}`;
    if (asked === this.asked) return;
    this.asked = asked;
    this.measured = null;
    const call = (): Promise<api.Conditions> => api.conditions(this.model.picture!.id, network);
    const found = await this.session.withPicture(id, call).catch(() => null); // restoring says what is wrong
    if (asked !== this.asked) return;
    this.measured = found;
    if (!found) this.asked = "";
    else this.model.changed();
  }
}
