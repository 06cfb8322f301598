// One sound for each family of verdicts, soft enough that a refusal is not announced to the queue.

const VOLUME = 0.18;
const SOFT = 0.07;
const SOUNDS = {
  approved: { hertz: 880, count: 1, ms: 120 },
  green: { hertz: 880, count: 1, ms: 120 },
  amber: { hertz: 440, count: 2, ms: 120 },
  red: { hertz: 220, count: 1, ms: 600 },
  black: { hertz: 330, count: 3, ms: 120 },
  filed: { hertz: 660, count: 1, ms: 120, volume: SOFT },
  purple: { hertz: 440, count: 1, ms: 120, volume: SOFT },
};
const STORE = "betang-sound";

export class Sound {
  constructor() {
    this.on = localStorage.getItem(STORE) !== "off";
    this.context = null;
    // A browser lets a page sound once a person has touched it.
    for (const touch of ["keydown", "pointerdown"]) {
      addEventListener(touch, (event) => this.wake(event), { capture: true });
    }
  }

  wake(event) {
    if (this.context || !event.isTrusted) return;
    this.context = new AudioContext();
  }

  toggle() {
    this.on = !this.on;
    localStorage.setItem(STORE, this.on ? "on" : "off");
  }

  play(screen) {
    const sound = SOUNDS[screen.dataset.kind] || SOUNDS[screen.dataset.tone];
    document.body.dataset.sound = sound && this.on ? `${sound.count}x${sound.hertz}` : "";
    if (!sound || !this.on || !this.context) return;
    const gap = (sound.ms / 1000) * 1.6;
    for (let beat = 0; beat < sound.count; beat += 1) {
      this.beep(sound, this.context.currentTime + beat * gap);
    }
  }

  beep({ hertz, ms, volume = VOLUME }, at) {
    const tone = this.context.createOscillator();
    const loudness = this.context.createGain();
    const end = at + ms / 1000;
    tone.frequency.value = hertz;
    loudness.gain.setValueAtTime(0, at);
    loudness.gain.linearRampToValueAtTime(volume, at + 0.01);
    loudness.gain.setValueAtTime(volume, end - 0.02);
    loudness.gain.linearRampToValueAtTime(0, end);
    tone.connect(loudness).connect(this.context.destination);
    tone.start(at);
    tone.stop(end);
  }
}
