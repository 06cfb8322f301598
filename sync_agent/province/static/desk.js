// Reads the page again when something has arrived. Without this script the page is complete.
"use strict";

const EVERY_MS = 4000;
let known = null;

async function look() {
  try {
    const answer = await fetch("/desk/data", { cache: "no-store" });
    if (!answer.ok) return;
    const text = await answer.text();
    if (known !== null && text !== known && !document.hidden) location.reload();
    known = text;
  } catch {
    // The province was stopped; the page stays as it was read.
  }
}

look();
setInterval(look, EVERY_MS);
