// "Explain": asks what a panel shows and puts the answer, as text, below the panel's title; and waits for answers of the chat.

const EVERY_MS = 1000;
const open = new Map();

export function bindExplanations() {
  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-explain]");
    if (button) toggle(button.dataset.explain);
    const closing = event.target.closest(".explanation [data-close]");
    if (closing) close(closing.closest(".explanation").dataset.of, true);
  });
  // A part of a page that is replaced loses the explanation that stood in it.
  const content = document.getElementById("content");
  if (content) new MutationObserver(putBack).observe(content, { childList: true, subtree: true });
  for (const item of document.querySelectorAll("[data-waiting]")) follow(item);
  const exchanges = document.getElementById("exchanges");
  if (exchanges) exchanges.scrollTop = exchanges.scrollHeight;
}

function toggle(name) {
  if (open.has(name)) close(name, true);
  else show(name);
}

async function show(name) {
  const area = areaOf(name);
  open.set(name, area);
  putBack();
  say(area, "Reading the panel…", "");
  try {
    const answer = await fetch(`/explain/${encodeURIComponent(name)}/`, { method: "POST", headers: { "X-CSRFToken": token() }, redirect: "error" });
    const told = await answer.json();
    if (!answer.ok) say(area, told.detail ?? "It could not be explained now.", "");
    else await fill(area, told, `/explain/answers/${told.id}/`);
  } catch {
    say(area, "The server does not answer. Close this and ask again in a moment.", "");
  }
}

async function fill(area, told, address) {
  while (told.is_waiting && area.isConnected) {
    say(area, "Gemini is asked…", "");
    await new Promise((done) => setTimeout(done, EVERY_MS));
    const answer = await fetch(address, { cache: "no-store", redirect: "error" });
    if (!answer.ok) throw new Error("no answer");
    told = await answer.json();
  }
  if (told.answer) say(area, told.answer, told.by);
}

async function follow(item) {
  try {
    await fill(item, { is_waiting: true }, item.dataset.waiting);
  } catch {
    say(item, "The server does not answer. Reload the page in a moment.", "");
  }
}

// Only ever as text: an answer is never parsed.
function say(area, words, by) {
  const said = area.querySelector(".said");
  if (said.textContent === words) return;
  said.textContent = words;
  area.querySelector(".signed").textContent = by;
}

function areaOf(name) {
  const area = document.createElement("div");
  area.className = "explanation";
  area.dataset.of = name;
  // It may scroll, so the keyboard must reach it.
  area.tabIndex = 0;
  area.setAttribute("role", "region");
  area.setAttribute("aria-label", "Explanation");
  const said = Object.assign(document.createElement("p"), { className: "said" });
  said.setAttribute("role", "status");
  const foot = Object.assign(document.createElement("p"), { className: "explanation-foot" });
  const by = Object.assign(document.createElement("span"), { className: "faint signed" });
  const closing = Object.assign(document.createElement("button"), { type: "button", className: "explain", textContent: "Close" });
  closing.dataset.close = "";
  foot.append(by, closing);
  area.append(said, foot);
  return area;
}

function putBack() {
  for (const [name, area] of open) {
    const button = document.querySelector(`[data-explain="${CSS.escape(name)}"]`);
    if (!button) continue;
    if (button.getAttribute("aria-expanded") !== "true") button.setAttribute("aria-expanded", "true");
    const header = button.closest("header");
    if (header.nextElementSibling !== area) header.after(area);
  }
}

function close(name, focuses) {
  open.get(name)?.remove();
  open.delete(name);
  const button = document.querySelector(`[data-explain="${CSS.escape(name)}"]`);
  button?.setAttribute("aria-expanded", "false");
  if (focuses) button?.focus();
}

function token() {
  return document.querySelector("input[name=csrfmiddlewaretoken]").value;
}
