// Scale, network and strategy: what the server offers, with the selected region's price by each strategy.

import type { Network } from "./api";
import { formatTime, formatWork } from "./region_list";
import type { Model } from "./model";

const EXPLANATIONS: Readonly<Record<string, string>> = {
  crop: "the region alone",
  halo: "the region and a few pixels around it",
  clsr: "the region, and what the whole picture tells of it",
  full: "every pixel that can matter",
};

export class Settings {
  private readonly scales = document.querySelector<HTMLElement>("#scales")!;
  private readonly factor = document.querySelector<HTMLInputElement>("#factor")!;
  private readonly network = document.querySelector<HTMLSelectElement>("#network")!;
  private readonly about = document.querySelector<HTMLElement>("#network-about")!;
  private readonly strategies = document.querySelector<HTMLElement>("#strategies")!;
  private offered: readonly Network[] = [];
  private shown = "";

  constructor(
    private readonly model: Model,
    private readonly chosen: () => void,
  ) {
    this.network.addEventListener("change", () => {
      const network = model.networks.find((other) => other.name === this.network.value);
      if (network) this.chooseNetwork(network, model.scale);
    });
    this.factor.addEventListener("change", () => this.chooseFactor());
  }

  private chooseNetwork(network: Network, scale: number | null, strategy?: string): void {
    this.model.choose(network, strategy, scale);
    this.chosen();
  }

  /** Take a scale between those of the networks: made from the next larger one. */
  private chooseFactor(): void {
    const { network } = this.model;
    if (!network) return;
    const largest = Math.max(...this.offered.map((other) => other.scale));
    const scale = this.factor.value === "" ? null : Math.min(Math.max(this.factor.valueAsNumber, 1), largest);
    const enough = [network, ...this.offered].filter((other) => other.scale >= (scale ?? network.scale));
    const least = Math.min(...enough.map((other) => other.scale));
    const fitting = enough.filter((other) => other.scale === least);
    this.chooseNetwork(fitting.find((other) => other === network || other.default) ?? fitting[0]!, scale);
    this.factor.value = String(scale ?? network.scale);
  }

  update(): void {
    const { model } = this;
    const { network } = model;
    if (!network) return;
    if (this.offered !== model.networks) {
      this.offered = model.networks;
      this.offerScales();
    }
    if (this.shown !== network.name) {
      this.shown = network.name;
      this.offerNetworks(network);
    }
    const scale = model.scale ?? network.scale;
    for (const input of this.scales.querySelectorAll("input")) input.checked = Number(input.value) === scale;
    if (this.factor !== document.activeElement) this.factor.value = String(scale);
    for (const label of this.strategies.querySelectorAll("label")) {
      const input = label.querySelector("input")!;
      input.checked = input.value === model.strategy;
      const estimate = model.estimates[input.value];
      label.querySelector(".price")!.textContent = estimate
        ? `${formatWork(estimate.gflops)}, about ${formatTime(estimate.seconds)}`
        : "";
    }
  }

  private offerScales(): void {
    const scales = [...new Set(this.offered.map((network) => network.scale))].sort((a, b) => a - b);
    this.scales.replaceChildren(
      ...scales.map((scale) =>
        radioButton("scale", String(scale), `×${scale}`, () => {
          const fitting = this.offered.filter((network) => network.scale === scale);
          this.chooseNetwork(fitting.find((network) => network.default) ?? fitting[0]!, null);
        }),
      ),
    );
  }

  /** Offer the networks of the chosen one's scale, and its strategies. */
  private offerNetworks(network: Network): void {
    const fitting = this.offered.filter((other) => other.scale === network.scale);
    this.network.replaceChildren(...fitting.map((other) => new Option(other.name, other.name)));
    this.network.value = network.name;
    this.about.textContent = network.description;
    this.strategies.replaceChildren(
      ...network.strategies.map((name) => {
        const label = radioButton("strategy", name, name, () => this.chooseNetwork(network, this.model.scale, name));
        label.className = "strategy";
        const explanation = document.createElement("span");
        explanation.className = "small";
        explanation.textContent = EXPLANATIONS[name] ?? "";
        const price = document.createElement("span");
        price.className = "price small";
        label.append(explanation, price);
        return label;
      }),
    );
  }
}

function radioButton(group: string, value: string, text: string, chosen: () => void): HTMLLabelElement {
  const label = document.createElement("label");
  const input = document.createElement("input");
  input.type = "radio";
  input.name = group;
  input.value = value;
  input.addEventListener("change", chosen);
  const name = document.createElement("span");
  name.textContent = text;
  label.append(input, name);
  return label;
}
