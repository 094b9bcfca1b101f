// Brings a page up to date: fetches it again, and changes only the nodes that differ, so that focus,
// selection, scrolling, opened details and playing sounds stay as they are.
"use strict";
const main = () => document.getElementById("main");
const pause = document.getElementById("pause");
const connection = document.getElementById("connection");
const said = document.getElementById("said");
const SAID_EVERY_MS = 15000;
let etag = "", saidAt = 0;

function morph(now, next) {
  if (now.isEqualNode(next)) return;
  if (now.nodeName !== next.nodeName || now.id !== next.id) return now.replaceWith(next);
  if (now.nodeType !== Node.ELEMENT_NODE) { now.data = next.data; return; }
  for (const { name } of [...now.attributes])
    if (!next.hasAttribute(name) && name !== "open") now.removeAttribute(name);
  for (const { name, value } of next.attributes)
    if (now.getAttribute(name) !== value) now.setAttribute(name, value);
  let at = now.firstChild;
  for (const child of [...next.childNodes]) {
    const same = child.id && [...now.children].find((known) => known.id === child.id);
    while (same && at !== same) { const gone = at; at = at.nextSibling; gone.remove(); }
    if (!at || (child.id && at.id !== child.id)) { now.insertBefore(child, at); continue; }
    const following = at.nextSibling;
    morph(at, child);
    at = following;
  }
  while (at) { const gone = at; at = at.nextSibling; gone.remove(); }
}

function say(text) {
  if (text === said.textContent || Date.now() - saidAt < SAID_EVERY_MS) return;
  said.textContent = text;
  saidAt = Date.now();
}

async function update() {
  const headers = etag ? { "If-None-Match": etag } : {};
  const answer = await fetch(location.href, { headers, cache: "no-store" });
  if (answer.status === 304) return;
  if (!answer.ok) throw new Error(answer.status);
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  etag = answer.headers.get("ETag") || "";
  document.title = page.title;
  morph(main(), page.getElementById("main"));
}

async function tick() {
  if (!document.hidden && pause.getAttribute("aria-pressed") === "false") {
    try {
      await update();
      connection.textContent = "";
    } catch {
      connection.textContent = "No answer from audiocls serve; trying again.";
    }
    say(main().dataset.said);
  }
  schedule();
}

function schedule() {
  const every = Number(main().dataset.every);
  if (every) setTimeout(tick, 1000 * every);
}

pause.hidden = !Number(main().dataset.every);
pause.addEventListener("click", () => {
  const isPaused = pause.getAttribute("aria-pressed") === "true";
  pause.setAttribute("aria-pressed", String(!isPaused));
});
schedule();
