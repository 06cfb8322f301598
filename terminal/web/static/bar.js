// What stands beside the verdicts is asked for again and again: it changes when a road opens.

const POLL_MS = 2000;
const notices = document.getElementById("notices");

export class Bar {
  constructor({ say }) {
    this.say = say;
    this.lost = false;
    this.timer = 0;
    this.poll();
  }

  async poll() {
    clearTimeout(this.timer);
    try {
      const answer = await fetch("/state", { signal: AbortSignal.timeout(10_000) });
      if (answer.ok) this.tell(await answer.json());
      else this.warn(this.say(answer.status === 403 ? "e.token" : "e.lost"));
    } catch {
      this.warn(this.say("e.lost"));
    }
    this.timer = setTimeout(() => this.poll(), POLL_MS);
  }

  tell({ texts, sent, notices: told }) {
    for (const place of document.querySelectorAll("[data-text]")) {
      const text = texts[place.dataset.text];
      if (text !== undefined && place.textContent !== text) place.textContent = text;
    }
    document.getElementById("ring").classList.toggle("filled", sent);
    this.write(told);
    this.lost = false;
  }

  // The counter does not answer: say so on whatever screen is open, until it does.
  warn(sentence) {
    this.lost = true;
    this.write([sentence]);
  }

  write(sentences) {
    const now = [...notices.children].map((line) => line.textContent);
    if (now.join("\n") === sentences.join("\n")) return;
    notices.replaceChildren(...sentences.map((sentence) => {
      const line = document.createElement("p");
      line.textContent = sentence;
      return line;
    }));
  }
}
