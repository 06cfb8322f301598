// The card reader of the counter: what it is in, and a card that was laid on it.

const AGAIN_MS = 1000;
const WAIT_MS = 20_000;
const line = document.getElementById("reader");

export class Reader {
  constructor({ name, laid, taps }) {
    this.laid = laid; // called once for every card that is laid down
    this.number = 0;
    this.taps = taps; // of the card that was served already, before the page was opened
    if (name) this.follow();
  }

  async follow() {
    for (;;) {
      try {
        const answer = await fetch(`/reader?seen=${this.number}`, { signal: AbortSignal.timeout(WAIT_MS) });
        if (!answer.ok) throw new Error(answer.status);
        this.tell(await answer.json());
      } catch {
        await new Promise((go) => setTimeout(go, AGAIN_MS)); // the bar says that the counter is lost
      }
    }
  }

  tell({ number, state, taps, text, quiet }) {
    this.number = number;
    line.textContent = quiet ? "" : text;
    line.hidden = quiet;
    document.body.dataset.readerState = state;
    const before = this.taps;
    this.taps = taps;
    // A card that lay there before the page was opened is laid down for it now.
    if (state === "card" && taps !== before) this.laid();
  }
}
