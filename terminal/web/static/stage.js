// Which screen is shown, and since when: a verdict must have been seen before it can be confirmed.

const SEEN_MS = 400;
const WORD_LEAST_PX = 64; // readable at two metres; less only where the page itself is small or enlarged
const WORD_SMALL_PX = 40;
const body = document.body;
const stage = document.getElementById("stage");

export class Stage {
  constructor({ changed }) {
    this.changed = changed;
    this.since = 0;
    this.left = ""; // the act that was last left: a camera that still sees the card shows it no more
    this.timer = 0;
    new ResizeObserver(() => this.fit()).observe(body);
  }

  get kind() {
    return body.dataset.kind;
  }

  get screen() {
    return stage.firstElementChild;
  }

  get act() {
    return this.screen ? this.screen.dataset.act : "";
  }

  // True once what is shown has been visible long enough to be read.
  seen(now) {
    return now - this.since >= SEEN_MS;
  }

  show(html) {
    const holder = document.createElement("template");
    holder.innerHTML = html;
    const screen = holder.content.querySelector(".verdict");
    if (!screen || this.isSame(screen)) return;
    clearTimeout(this.timer);
    stage.replaceChildren(screen);
    delete body.dataset.explained;
    body.dataset.kind = screen.dataset.kind;
    body.dataset.tone = screen.dataset.tone;
    this.since = performance.now();
    this.fit();
    (screen.querySelector("[data-list] button") || screen).focus({ preventScroll: true });
    const stays = Number(body.dataset.doneMs);
    if (this.kind === "done" && stays > 0) this.timer = setTimeout(() => this.ready(), stays);
    this.changed(screen);
  }

  isSame(screen) {
    const now = this.screen;
    return now && screen.dataset.act && now.dataset.act === screen.dataset.act && now.dataset.kind === screen.dataset.kind;
  }

  ready() {
    clearTimeout(this.timer);
    if (this.kind === "ready") return;
    this.left = this.act;
    stage.replaceChildren();
    delete body.dataset.explained;
    body.dataset.kind = "ready";
    body.dataset.tone = "paper";
    this.since = performance.now();
    this.changed(null);
  }

  // Turns the screen to the citizen, and back.
  explain() {
    const text = this.screen && this.screen.querySelector(".explain");
    if (!text) return;
    const explained = text.hidden;
    text.hidden = !explained;
    body.toggleAttribute("data-explained", explained);
    for (const button of this.screen.querySelectorAll("[data-while]")) {
      button.hidden = (button.dataset.while === "explained") !== explained;
    }
    this.screen.focus({ preventScroll: true });
    this.since = performance.now();
  }

  // The word is as large as its screen allows, and never smaller than can be read at two metres.
  fit() {
    const word = this.screen && this.screen.querySelector(".word");
    if (!word) return;
    word.style.fontSize = "";
    const least = Math.min(WORD_LEAST_PX, Math.max(WORD_SMALL_PX, innerWidth * 0.06));
    let size = parseFloat(getComputedStyle(word).fontSize);
    const page = document.documentElement;
    while (size > least && (word.scrollWidth > word.clientWidth || page.scrollHeight > page.clientHeight)) {
      size = Math.max(least, size - 4);
      word.style.fontSize = `${size}px`;
    }
  }
}
