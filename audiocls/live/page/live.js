// Brings a page up to date: fetches it again, and changes only the nodes that differ, so that focus,
// selection, scrolling, opened details and playing sounds stay as they are.
"use strict";
const main = () => document.getElementById("main");
const pause = document.getElementById("pause");
const connection = document.getElementById("connection");
const announcement = document.getElementById("announcement");
const ANNOUNCE_EVERY_MS = 15000;
let etag = "", announcedAt = 0;

function morph(now, next) {
  if (now.isEqualNode(next)) return;
  if (now.nodeName !== next.nodeName || now.id !== next.id) return now.replaceWith(next);
  if (now.nodeType !== Node.ELEMENT_NODE) { now.data = next.data; return; }
  for (const { name } of [...now.attributes])
    if (!next.hasAttribute(name) && name !== "open") now.removeAttribute(name);
  for (const { name, value } of next.attributes)
    if (now.getAttribute(name) !== value) now.setAttribute(name, value);
  morphChildren(now, next);
}

// Nodes with an id are told by it, so that what comes or goes before one leaves it as it is.
function morphChildren(now, next) {
  let at = now.firstChild;
  const passed = (node) => { at = node.nextSibling; return node; };
  for (const child of [...next.childNodes]) {
    const same = child.id && [...now.children].find((known) => known.id === child.id);
    while (same && at && at !== same) passed(at).remove();
    if (at && (at.id || "") === (child.id || "")) morph(passed(at), child);
    else now.insertBefore(child, at);
  }
  while (at) passed(at).remove();
}

function say(text) {
  if (text === announcement.textContent || Date.now() - announcedAt < ANNOUNCE_EVERY_MS) return;
  announcement.textContent = text;
  announcedAt = Date.now();
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
    say(main().dataset.announcement);
  }
  schedule();
}

function schedule() {
  const every = Number(main().dataset.every);
  pause.hidden = !every;
  if (every) setTimeout(tick, 1000 * every);
}

pause.addEventListener("click", () => {
  const isPaused = pause.getAttribute("aria-pressed") === "true";
  pause.setAttribute("aria-pressed", String(!isPaused));
});
schedule();
