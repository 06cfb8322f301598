"use strict";
// The demo's page. A card typed here goes to a counter key by key, through the same handler that
// hears a wedge scanner, each click an act of its own; everything shown is asked of the programs that run.

const POLL_MS = 700;
const counters = [...document.querySelectorAll(".counter")];

document.getElementById("drawer").addEventListener("click", (event) => {
  const card = event.target.closest("button.card");
  if (!card) return;
  const at = document.querySelector("input[name=at]:checked").value;
  const frame = counters[Number(at) - 1].querySelector("iframe");
  const origin = new URL(frame.src).origin;
  frame.contentWindow.postMessage({ type: "keys", text: card.dataset.text + "\n", meant: true }, origin);
  frame.focus();
});

document.getElementById("chips")?.addEventListener("click", async (event) => {
  const card = event.target.closest("button.card");
  if (!card) return;
  const at = document.querySelector("input[name=at]:checked").value;
  await fetch(`/lay/${at}/${card.dataset.uid}`, { method: "POST" }).catch(() => null);
  look();
});

for (const counter of counters) {
  counter.querySelector(".switches").addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (button) act(counter, button);
  });
}

async function act(counter, button) {
  const said = counter.querySelector(".said");
  button.disabled = true;
  said.textContent = { cable: "", sync: "sending…", plug: "killed; starting again…" }[button.dataset.act];
  try {
    const answer = await fetch(`/${button.dataset.act}/${counter.dataset.counter}`, { method: "POST" });
    said.textContent = (await answer.json()).said;
  } catch {
    said.textContent = "the demo does not answer; is it stopped?";
  }
  button.disabled = false;
  if (document.activeElement === document.body) button.focus();  // a disabled button loses it
  look();
}

async function look() {
  try {
    const answer = await fetch("/stage");
    if (answer.ok) show(await answer.json());
  } catch { /* the demo was stopped; the page keeps what it last showed */ }
}

function show(stage) {
  stage.counters.forEach((state, i) => showCounter(counters[i], state));
  showSteps(stage.steps);
  showProvince(stage.province);
  showChips(stage.lying);
}

function showChips(lying) {
  for (const card of document.querySelectorAll("#chips button.card")) {
    const at = Object.keys(lying).find((reader) => lying[reader] === card.dataset.uid);
    card.setAttribute("aria-pressed", String(Boolean(at)));
    card.querySelector(".where").textContent = at ? `on reader ${at}` : "";
  }
}

function showCounter(counter, state) {
  const frame = counter.querySelector("iframe");
  if (frame.src !== state.url) frame.src = state.url;
  const cable = counter.querySelector("[data-act=cable]");
  cable.textContent = state.cable ? "Cable: in" : "Cable: out";
  cable.setAttribute("aria-pressed", String(state.cable));
  const facts = counter.querySelector(".facts");
  facts.replaceChildren();
  if (!state.head_short) { facts.textContent = state.up ? "no entry yet" : "down"; }
  else facts.append(`waiting for a road: ${state.waiting} · head ${state.head_short}`);
  if (state.twice_rupiah > 0) {
    facts.append(" · ", bold(`could now be given twice: ${state.twice}`));
    if (state.exposure) facts.append(` ${state.exposure}`);
  } else if (state.up) facts.append(` · could be given twice: ${state.twice}`);
  const checked = counter.querySelector(".checked");
  checked.hidden = !state.checked;
  if (state.checked && checked.dataset.head !== state.checked.head + state.starts) {
    checked.dataset.head = state.checked.head + state.starts;
    checked.replaceChildren(state.checked.said, code(state.checked.command));
  }
}

function showSteps(done) {
  let next = 0;
  for (const item of document.querySelectorAll("#steps li")) {
    const number = Number(item.dataset.step);
    const isDone = done.includes(number);
    if (!isDone && !next) next = number;
    item.classList.toggle("done", isDone);
    item.classList.toggle("next", number === next);
    item.querySelector(".tick").textContent = isDone ? "✓" : String(number);
    item.toggleAttribute("aria-current", number === next);
  }
}

function showProvince(province) {
  document.getElementById("received").textContent = String(province.received);
  document.getElementById("nothing").hidden = province.redemptions.length > 0;
  document.getElementById("redemptions").replaceChildren(...province.redemptions.map((r) => {
    const row = document.createElement("tr");
    for (const text of [r.when, r.point, r.household, r.given, r.number]) {
      row.insertCell().textContent = text;
    }
    return row;
  }));
  if (!province.cases.length) return;
  document.getElementById("cases").replaceChildren(...province.cases.map((found) => {
    const item = document.createElement("p");
    item.className = "case";
    item.append(bold(`${found.winner} counts`), `: ${found.why.replace(/^[^:]*: */, "")} ${found.losers} is the double.`);
    return item;
  }));
}

function bold(text) { return Object.assign(document.createElement("b"), { textContent: text }); }
function code(text) { return Object.assign(document.createElement("code"), { textContent: text }); }

look();
setInterval(look, POLL_MS);
