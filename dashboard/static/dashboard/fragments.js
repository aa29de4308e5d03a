// Parts of a page that are not pushed themselves: news of the panels they name make them ask for the page anew.

import { tick } from "./clock.js";

const SPACING_MS = 3000;
const waiting = new Set();
let timer = 0;
let askedAt = 0;

export function refreshOn(names) {
  for (const part of document.querySelectorAll("[data-fragment][data-refresh]")) {
    const wanted = part.dataset.refresh.split(" ");
    const every = Number(part.dataset.every ?? 0) * 1000;
    const isOld = Date.now() - Number(part.dataset.askedAt ?? performance.timeOrigin) >= every;
    if (isOld && names.some((name) => wanted.includes(name))) waiting.add(part.dataset.fragment);
  }
  if (waiting.size && !timer) timer = setTimeout(ask, Math.max(200, askedAt + SPACING_MS - Date.now()));
}

async function ask() {
  const names = [...waiting];
  waiting.clear();
  askedAt = Date.now();
  try {
    const answer = await fetch(location.href, { cache: "no-store", redirect: "error" });
    if (answer.ok) replace(names, await answer.text());
  } catch {
    // The server is away: the badge says so, and the next news asks again.
  } finally {
    timer = 0;
  }
}

function replace(names, html) {
  const page = new DOMParser().parseFromString(html, "text/html");
  for (const name of names) {
    const selector = `[data-fragment="${CSS.escape(name)}"]`;
    const old = document.querySelector(selector);
    const fresh = page.querySelector(selector);
    if (!old || !fresh) continue;
    old.dataset.askedAt = Date.now();
    // Whoever chooses or types in it is not disturbed.
    if (old.matches(":has(input:focus, select:focus, textarea:focus)")) continue;
    tick(fresh);
    const key = document.activeElement?.closest?.("[data-key]")?.dataset.key;
    const scrolled = old.querySelector(".scroll")?.scrollTop ?? 0;
    old.replaceChildren(...fresh.childNodes);
    if (key) old.querySelector(`[data-key="${CSS.escape(key)}"] a.open-row`)?.focus({ preventScroll: true });
    const scroll = old.querySelector(".scroll");
    if (scroll) scroll.scrollTop = scrolled;
  }
}
