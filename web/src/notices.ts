// Sentences to the reader: errors that stay until they are read, and news that a screen reader speaks.

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
    close.addEventListener("click", () => note.remove());
  };

  readonly announce = (sentence: string): void => {
    this.news.textContent = sentence;
  };
}
