// A page that frames this one may type into it, through the same keys as a scanner, and hears what
// is shown. Only the origin that the counter was started with is listened to and told.

const KEYS_A_TURN = 4;
const TEXT_MOST = 4096;
let typing = Promise.resolve();

export function listenToFrame(origin, { meant }) {
  if (!origin) return;
  addEventListener("message", ({ origin: from, source, data }) => {
    if (from !== origin || source !== parent || !data || data.type !== "keys") return;
    if (typeof data.text !== "string" || data.text.length > TEXT_MOST) return;
    typing = typing.then(() => {
      if (data.meant === true) meant();
      return type(data.text);
    });
  });
}

export function tellFrame(origin, screen) {
  if (!origin || parent === window) return;
  const { kind, reason, number, tone } = screen ? screen.dataset : { kind: "ready" };
  parent.postMessage({ type: "screen", kind, reason: reason || null, number: number || null, tone: tone || "paper" }, origin);
}

async function type(text) {
  const keys = [...text.replace(/[\r\n]+$/, ""), "Enter"];
  for (let at = 0; at < keys.length; at += KEYS_A_TURN) {
    for (const key of keys.slice(at, at + KEYS_A_TURN)) {
      document.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true }));
    }
    await new Promise((go) => setTimeout(go));
  }
}
