// Sentences to the reader: errors that stay until they are read, and news that a screen reader speaks.

const ERROR_TIME = 12_000; // ms for which an error is shown

export class Notices {
  private readonly errors = document.querySelector<HTMLElement>("#errors")!;
  private readonly news = document.querySelector<HTMLElement>("#news")!;

  readonly error = (sentence: string): void => {
    for (const shown of this.errors.children) {
      if (shown.querySelector("span")?.textContent === sentence) return;
    }
    const note = document.createElement("div");
    const text = document.createElement("span");
    text.textContent = sentence;
    const close = document.createElement("button");
    close.type = "button";
    close.className = "quiet";
    close.textContent = "Dismiss";
    note.append(text, close);
    this.errors.append(note);
    const timer = setTimeout(() => note.remove(), ERROR_TIME);
    close.addEventListener("click", () => {
      clearTimeout(timer);
      note.remove();
    });
    note.addEventListener("focusin", () => clearTimeout(timer));
  };

  readonly announce = (sentence: string): void => {
    this.news.textContent = sentence;
  };
}
