// The counter's page: keys, scans and buttons become acts; the counter answers each with a screen.
// No rule is decided here.

import { Bar } from "./bar.js";
import { Camera } from "./camera.js";
import { listenToFrame, tellFrame } from "./frame.js";
import { NumberPad } from "./number.js";
import { Reader } from "./reader.js";
import { Sound } from "./sound.js";
import { Stage } from "./stage.js";
import { Wedge } from "./wedge.js";

const PICTURE_BYTES_MAX = 8 * 1024 * 1024;
const CHECKING_MS = 300;
const LONE_SPACE_MS = 120;
const ANSWER_MS = 20_000;

const body = document.body;
const chosen = document.getElementById("picture");
const doing = document.getElementById("doing");
const says = document.getElementById("says").content;
const say = (key) => says.querySelector(`[data-say="${key}"]`).textContent;

const bar = new Bar({ say });
const sound = new Sound();
const stage = new Stage({ changed });
const pad = new NumberPad(document.getElementById("number"));
const wedge = new Wedge({ scanned, broken: () => note(say("scan.lost_end")) });
const camera = new Camera(document.getElementById("camera"), {
  wanted: () => stage.kind === "ready" && !busy && !openPanel(),
  frame: lookAtFrame,
});

let queue = Promise.resolve(); // one act after another, in the order they were asked for
let busy = 0;
let meant = false; // the next scan is an act of its own, however soon it comes
let again = null; // what to ask once more after a fault

function changed(screen) {
  note("");
  if (screen) {
    closePanels();
    sound.play(screen);
  }
  tellFrame(body.dataset.embed, screen);
  bar.poll();
}

// --- acts ---

function scanned(text) {
  closePanels();
  ask("/scan", { text, programme: body.dataset.programme, meant });
  meant = false;
}

// A card was laid on the reader: the same screen as for a scan.
function laid() {
  closePanels();
  ask("/tap", { programme: body.dataset.programme, meant });
  meant = false;
}

// Asked once only: what was typed is kept nowhere, so a fault is told and the number typed again.
function lookUp() {
  if (!pad.whole || busy) return;
  const values = { digits: pad.hand(), programme: body.dataset.programme };
  closePanels();
  ask("/look-up", values);
  again = null;
}

function match() {
  if (stage.kind === "match" && !busy) ask("/match", { act: stage.act });
}

function choose(member) {
  ask("/choose", { act: stage.act, member: Number(member) });
}

// What a family says against a refusal: first asked, then filed; filed twice it is the same one.
function complain() {
  if (stage.kind === "refused" && !busy) ask("/complaint", { act: stage.act });
}

function file() {
  if (stage.kind === "complain" && !busy) ask("/complaint/file", { act: stage.act });
}

function give({ print }) {
  if (stage.kind !== "approved" || busy) return;
  ask("/redeem", { act: stage.act }).then(() => print && stage.kind === "done" && printSlip());
}

function ask(path, values) {
  again = () => ask(path, values);
  const request = { body: JSON.stringify(values), headers: { "Content-Type": "application/json" } };
  return enqueue(async () => stage.show(await send(path, request)));
}

function lookAtPicture(file) {
  if (file.size > PICTURE_BYTES_MAX) return note(say("e.too_big"));
  return enqueue(async () => stage.show(await send("/picture", pictureForm(file))));
}

async function lookAtFrame(picture) {
  const html = await send("/picture", pictureForm(picture, { frame: true })).catch(lost);
  // A card that still lies under the camera, after its screen was left, is not shown again.
  if (html && stage.kind === "ready" && !(stage.left && html.includes(`data-act="${stage.left}"`))) stage.show(html);
}

function pictureForm(picture, { frame = false } = {}) {
  const form = new FormData();
  form.append("programme", body.dataset.programme);
  if (frame) form.append("frame", "1");
  form.append("picture", picture, "picture");
  return { body: form };
}

function enqueue(task) {
  busy += 1;
  const slow = setTimeout(() => note(say("scan.checking")), CHECKING_MS);
  queue = queue.then(task).catch(lost).finally(() => {
    clearTimeout(slow);
    busy -= 1;
  });
  return queue;
}

async function send(path, request) {
  const answer = await fetch(path, { method: "POST", signal: AbortSignal.timeout(ANSWER_MS), ...request });
  return answer.status === 204 ? "" : answer.text();
}

function lost() {
  note("");
  bar.warn(say("e.lost"));
}

function note(text) {
  doing.textContent = text;
}

const hasSlip = () => Boolean(stage.screen && stage.screen.querySelector(".slip"));

function printSlip() {
  const slip = stage.screen.querySelector(".slip");
  window.print();
  // Whatever is printed after the first is a copy, and says so.
  slip.querySelector(".slip-copy").hidden = false;
}

async function toggleCamera() {
  if (camera.on) camera.stop();
  else await camera.start().catch(() => note(say("e.camera")));
  document.querySelector("[data-do=camera]").textContent = say(camera.on ? "scan.camera_off" : "scan.camera");
  if (camera.on) note(say("scan.camera_hint"));
}

// --- panels ---

const openPanel = () => document.querySelector(".panel:not([hidden])");

function togglePanel(id) {
  const panel = document.getElementById(id);
  const opens = panel.hidden;
  closePanels();
  panel.hidden = !opens;
  if (opens) (panel.querySelector("[aria-current], [data-list] button") || panel).focus();
}

function closePanels() {
  const panel = openPanel();
  if (!panel) return;
  panel.hidden = true;
  pad.clear();
  stage.since = performance.now();
}

function leave() {
  if (openPanel()) closePanels();
  else if (stage.kind === "ready") camera.stop();
  else stage.ready();
}

// --- buttons and keys ---

const ACTS = {
  camera: toggleCamera,
  picture: () => chosen.click(),
  number: () => togglePanel("number"),
  find: lookUp,
  match,
  service: () => togglePanel("service"),
  help: () => togglePanel("help"),
  sound: (button) => {
    sound.toggle();
    showSound(button);
  },
  member: (button) => choose(button.dataset.member),
  give: () => give({ print: false }),
  "give-print": () => give({ print: true }),
  print: printSlip,
  explain: () => stage.explain(),
  complain,
  file,
  retry: () => again && again(),
  leave,
};

const KEYS = {
  Enter: enter,
  F1: () => give({ print: false }),
  F2: () => (hasSlip() ? printSlip() : give({ print: true })),
};

// Keys that give nothing away: they need no guard against a scanner.
const FREE_KEYS = {
  Escape: leave,
  F3: () => stage.screen?.querySelector("[data-do=complain]")?.click(),
  F4: ACTS.number,
  F6: () => stage.kind === "ready" && !busy && document.getElementById("after").click(),
  F7: () => stage.kind === "ready" && !busy && document.getElementById("day")?.click(),
  F8: ACTS.service,
  F9: () => !busy && document.getElementById("two")?.click(),
  F12: ACTS.help,
  ArrowDown: move,
  ArrowUp: move,
  ArrowRight: move,
  ArrowLeft: move,
};

document.addEventListener("keydown", (event) => {
  if (!wedge.typing(event.timeStamp) && pad.take(event)) return event.preventDefault();
  if (wedge.take(event)) {
    event.preventDefault();
    if (event.key === " " && wedge.text === " ") maybePressWithSpace();
    return;
  }
  const act = FREE_KEYS[event.key] || KEYS[event.key];
  if (!act) return;
  event.preventDefault();
  if (event.repeat) return;
  if (FREE_KEYS[event.key] || isMeant(event)) act(event);
}, { capture: true });

// A person's key: no scanner has just typed, and what is shown could be read.
function isMeant(event) {
  return wedge.quiet(event.timeStamp) && stage.seen(event.timeStamp);
}

function enter() {
  const focused = pressable(document.activeElement);
  if (focused) return focused.click();
  if (pad.open) return lookUp();
  if (openPanel()) return closePanels();
  const main = stage.screen && stage.screen.querySelector(".press.main:not([hidden])");
  if (main) main.click();
}

function pressable(element) {
  return element && element.closest("button, a[href]");
}

// A space presses what has the focus, as ever; but only once it is plain that it is no scan's.
function maybePressWithSpace() {
  const focused = pressable(document.activeElement);
  setTimeout(() => {
    if (wedge.text !== " ") return;
    wedge.forget();
    if (focused && focused.isConnected && stage.seen(performance.now())) focused.click();
  }, LONE_SPACE_MS);
}

function move(event) {
  const place = openPanel() || stage.screen;
  const list = place && place.querySelector("[data-list]");
  if (!list) return;
  const buttons = [...list.querySelectorAll("button")];
  const step = event.key === "ArrowDown" || event.key === "ArrowRight" ? 1 : -1;
  const at = buttons.indexOf(document.activeElement);
  buttons[(at + step + buttons.length) % buttons.length].focus();
}

document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-do]");
  if (button) ACTS[button.dataset.do](button);
});

document.addEventListener("paste", (event) => {
  const text = event.clipboardData.getData("text").trim();
  if (text && !pad.open) scanned(text);
});

chosen.addEventListener("change", () => {
  if (chosen.files.length) lookAtPicture(chosen.files[0]);
  chosen.value = "";
});

function showSound(button) {
  button.textContent = say(sound.on ? "page.sound_on" : "page.sound_off");
}

showSound(document.querySelector("[data-do=sound]"));
if (body.dataset.shown) {
  history.replaceState(null, "", "/"); // loaded again, the page is ready for the next
  ask("/shown", { act: body.dataset.shown });
}
new Reader({ name: body.dataset.reader, laid, taps: Number(body.dataset.taps) });
listenToFrame(body.dataset.embed, { meant: () => { meant = true; } });
tellFrame(body.dataset.embed, null);
body.dataset.live = "true"; // from here on no key is lost
