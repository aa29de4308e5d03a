// Puts a panel's new HTML in place of the old and keeps what the reader was doing: open details, focus, scroll.

import { tick } from "./clock.js";

const shown = new Map();

export function swap(name, html) {
  const panel = document.querySelector(`[data-panel="${name}"]`);
  if (!panel || shown.get(name) === html) return;
  shown.set(name, html);
  const before = new Map([...panel.querySelectorAll("[data-flash]")].map((e) => [e.dataset.flash, e.textContent]));
  const open = new Set([...panel.querySelectorAll("details[open]")].map((e) => e.dataset.key));
  const focused = panel.contains(document.activeElement) ? document.activeElement.dataset.key : undefined;

  // The server escapes every value; a parsed document runs no script, and the policy allows none inline.
  const incoming = new DOMParser().parseFromString(html, "text/html");
  for (const details of incoming.querySelectorAll("details")) details.open = open.has(details.dataset.key);
  tick(incoming);
  panel.replaceChildren(...incoming.body.childNodes);

  if (focused) panel.querySelector(`[data-key="${CSS.escape(focused)}"]`)?.focus({ preventScroll: true });
  for (const element of panel.querySelectorAll("[data-flash]")) {
    const old = before.get(element.dataset.flash);
    if (old !== undefined && old !== element.textContent) flash(element);
  }
}

function flash(element) {
  element.classList.add("flash");
  element.addEventListener("animationend", () => element.classList.remove("flash"), { once: true });
}
