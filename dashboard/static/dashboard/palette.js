// The palette: Ctrl K, some letters, Enter. It knows the pages, what can be done from everywhere, and the pairs.

const MOST = 12;

export function bindPalette() {
  const dialog = document.getElementById("palette");
  const input = document.getElementById("palette-input");
  const list = document.getElementById("palette-list");
  if (!dialog) return;
  const entries = known();
  let shown = [];
  let chosen = 0;

  function open() {
    if (dialog.open) return;
    input.value = "";
    show();
    dialog.showModal();
    input.focus();
  }

  function show() {
    const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
    shown = entries.filter((entry) => words.every((word) => entry.search.includes(word))).slice(0, MOST);
    chosen = 0;
    list.replaceChildren(...shown.map(item));
    if (!shown.length) list.append(Object.assign(document.createElement("li"), { className: "faint", textContent: "Nothing is called so." }));
    mark();
  }

  function item(entry, index) {
    const line = document.createElement("li");
    const link = document.createElement("a");
    link.textContent = entry.label;
    link.href = entry.href ?? "#";
    link.tabIndex = -1;
    link.addEventListener("click", (event) => {
      event.preventDefault();
      chosen = index;
      run();
    });
    line.append(link);
    return line;
  }

  function mark() {
    [...list.children].forEach((line, index) => line.classList.toggle("chosen", index === chosen));
  }

  function run() {
    const entry = shown[chosen];
    if (!entry) return;
    dialog.close();
    if (entry.act) entry.act();
    else location.assign(entry.href);
  }

  input.addEventListener("input", show);
  input.addEventListener("keydown", (event) => {
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      const step = event.key === "ArrowDown" ? 1 : -1;
      if (shown.length) chosen = (chosen + step + shown.length) % shown.length;
      mark();
    } else if (event.key === "Enter") run();
    else return;
    event.preventDefault();
  });
  document.addEventListener("keydown", (event) => {
    if ((event.ctrlKey || event.metaKey) && !event.shiftKey && !event.altKey && event.key.toLowerCase() === "k") {
      event.preventDefault();
      open();
    }
  });
  document.getElementById("palette-open").addEventListener("click", open);
}

function known() {
  const pages = [...document.querySelectorAll("nav.side > .group a")].map((link) => entry(link.title, { href: link.href }));
  const at = (name) => document.querySelector(`nav.side > .group a[title="${name}"]`)?.href;
  const symbols = document.getElementById("palette").dataset.symbols.split(" ").flatMap((symbol) => [
    entry(`${symbol} trades`, { href: `${at("Trades")}?symbol=${encodeURIComponent(symbol)}` }),
    entry(`${symbol} chart`, { href: `${at("Chart")}?symbol=${encodeURIComponent(symbol)}` }),
    entry(`${symbol} signals`, { href: `${at("Signals")}?symbol=${encodeURIComponent(symbol)}` }),
  ]);
  const acts = [
    entry("Keyboard help", { act: () => document.getElementById("keys").showModal() }),
    entry("Change the theme", { act: () => document.getElementById("theme").click() }),
  ];
  return [...pages, ...acts, ...symbols];
}

function entry(label, how) {
  return { label, search: label.toLowerCase(), ...how };
}
