// A number of a KTP or KK, typed key by key. It lives here and nowhere else until it is searched for:
// no field, no storage, no title; the screen shows its mask alone, and forgets it after a minute.

const DIGITS = 16;
const SHOWN = 4; // digits at each end; the middle is masked as it is typed
const MOST = 24;
const FORGET_MS = 60_000;

export class NumberPad {
  constructor(panel) {
    this.panel = panel;
    this.cells = [...panel.querySelector(".mask").children];
    this.count = panel.querySelector(".count");
    this.find = panel.querySelector("[data-do=find]");
    this.digits = "";
    this.timer = 0;
  }

  get open() {
    return !this.panel.hidden;
  }

  // Takes one key; true if it was typed into the number.
  take(event) {
    if (!this.open || event.ctrlKey || event.altKey || event.metaKey) return false;
    const digit = /^[0-9]$/.test(event.key);
    const between = ".-".includes(event.key) || (event.key === " " && !document.activeElement.closest("button"));
    if (!digit && event.key !== "Backspace" && !between) return false;
    if (digit && !event.repeat && this.digits.length < MOST) this.digits += event.key;
    if (event.key === "Backspace") this.digits = this.digits.slice(0, -1);
    this.show();
    return true;
  }

  // Hands the number over once, and forgets it.
  hand() {
    const digits = this.digits;
    this.clear();
    return digits;
  }

  get whole() {
    return this.digits.length === DIGITS;
  }

  clear() {
    this.digits = "";
    this.show();
  }

  show() {
    clearTimeout(this.timer);
    if (this.digits) this.timer = setTimeout(() => this.clear(), FORGET_MS);
    this.cells.forEach((cell, at) => {
      const ends = at < SHOWN || at >= DIGITS - SHOWN;
      cell.textContent = at >= this.digits.length ? "" : ends ? this.digits[at] : "•";
    });
    this.count.textContent = this.count.dataset.count.replace("{n}", this.digits.length);
    this.find.disabled = !this.whole;
  }
}
