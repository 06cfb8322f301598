// A scanner types like a keyboard, only faster. Whatever has the focus, its keys are taken here and
// press nothing; the Enter that ends a scan hands the text over and never confirms anything.

const TYPED_GAP_MS = 80; // short texts faster than this on average are a scan, slower ones typing
const DROP_MS = 300; // a pause this long ends what was being typed
const QUIET_MS = 500; // after a scanner's key, an Enter confirms nothing for this long
const LEAST = 4;
const SURE = 20; // nobody types this much at a counter: it is a scan at any speed
const MOST = 16_000;
// Keys of a scanner set to a layout the machine does not know.
const STRANGE = new Set(["Dead", "Unidentified", "Process", "Compose"]);

export class Wedge {
  constructor({ scanned, broken }) {
    this.scanned = scanned;
    this.broken = broken;
    this.text = "";
    this.first = 0;
    this.last = -Infinity;
    this.timer = 0;
  }

  // Takes one key; true if it belongs to a scan and must do nothing else.
  take(event) {
    const character = this.character(event);
    if (character) {
      this.add(character, event.timeStamp);
      return true;
    }
    if (event.key !== "Enter" && event.key !== "Tab") return false;
    if (!this.text || event.timeStamp - this.last > DROP_MS) return false;
    return this.end(event.timeStamp);
  }

  character(event) {
    const chord = (event.ctrlKey || event.altKey || event.metaKey) && !event.getModifierState("AltGraph");
    if (chord) return "";
    if (event.key.length === 1) return event.key;
    return STRANGE.has(event.key) ? "\uFFFD" : "";
  }

  add(character, now) {
    if (now - this.last > DROP_MS) this.text = "";
    if (!this.text) this.first = now;
    if (this.text.length < MOST) this.text += character;
    this.last = now;
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.drop(), DROP_MS);
  }

  end(now) {
    const text = this.text;
    const gap = (this.last - this.first) / Math.max(1, text.length - 1);
    this.text = "";
    this.last = now;
    clearTimeout(this.timer);
    if (text.length >= SURE || (text.length >= LEAST && gap <= TYPED_GAP_MS)) this.scanned(text);
    return true;
  }

  drop() {
    const long = this.text.length >= SURE;
    this.text = "";
    if (long) this.broken();
  }

  // Forgets a lone key that turned out to be a person's.
  forget() {
    this.text = "";
    this.last = -Infinity;
    clearTimeout(this.timer);
  }

  // True while a scan is under way: its digits are the scan's.
  typing(now) {
    return this.text !== "" && now - this.last <= DROP_MS;
  }

  // True when no scanner has typed for long enough that a key is a person's.
  quiet(now) {
    return now - this.last > QUIET_MS;
  }
}
