// The keyboard: ? help, / filter, g and a letter go to a page, j and k walk the rows of a table.

const GO_MS = 1500;
let goUntil = 0;

export function bindKeys() {
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target)) return;
    if (document.querySelector("dialog[open]")) return;
    if (handle(event.key)) event.preventDefault();
  });
  // A click anywhere in a row opens it, unless it was on a link or text was being selected.
  document.addEventListener("click", (event) => {
    const row = event.target.closest("tr[data-href]");
    if (row && !event.target.closest("a, button, summary") && !String(getSelection())) location.assign(row.dataset.href);
  });
}

function isTyping(target) {
  return target.closest?.("input, select, textarea, [contenteditable]") !== null;
}

function handle(key) {
  if (Date.now() < goUntil) {
    goUntil = 0;
    const place = document.querySelector(`nav.side a[data-key="${CSS.escape(key)}"]`);
    if (place) location.assign(place.href);
    return Boolean(place);
  }
  if (key === "g") goUntil = Date.now() + GO_MS;
  else if (key === "?") document.getElementById("keys").showModal();
  else if (key === "/") return focusFilter();
  else if (key === "j" || key === "k") return walk(key === "j" ? 1 : -1);
  else if (key === "[" || key === "]") return turn(key === "[" ? "prev" : "next");
  else return false;
  return true;
}

function focusFilter() {
  const field = document.querySelector(".filters :is(input:not([type=hidden]), select)");
  if (!field) return false;
  field.focus();
  field.select?.();
  return true;
}

function walk(step) {
  const rows = [...document.querySelectorAll("a.open-row")];
  if (!rows.length) return false;
  const here = rows.indexOf(document.activeElement?.closest?.("tr")?.querySelector("a.open-row"));
  const next = here < 0 ? (step > 0 ? 0 : rows.length - 1) : Math.min(Math.max(here + step, 0), rows.length - 1);
  rows[next].focus();
  return true;
}

function turn(rel) {
  const link = document.querySelector(`.pages a[rel=${rel}]`);
  if (link) location.assign(link.href);
  return Boolean(link);
}
