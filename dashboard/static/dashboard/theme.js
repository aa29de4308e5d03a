// The theme: what the system prefers, unless chosen. Not a module: it runs before the first paint.
"use strict";

(() => {
  const KEY = "julaba-theme";
  const LABELS = { auto: "◐ Auto", light: "☀ Light", dark: "☾ Dark" };
  const order = Object.keys(LABELS);

  function stored() {
    try {
      const theme = localStorage.getItem(KEY);
      return order.includes(theme) ? theme : "auto";
    } catch {
      return "auto"; // Storage is blocked: the system's preference it is.
    }
  }

  function apply(theme) {
    if (theme === "auto") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = theme;
    document.dispatchEvent(new Event("themechange"));
  }

  let theme = stored();
  apply(theme);

  function label() {
    const button = document.getElementById("theme");
    if (!button) return;
    button.textContent = LABELS[theme];
    button.title = `Theme: ${theme}`;
  }

  document.addEventListener("DOMContentLoaded", label);
  // On the document: a click that comes before the page is complete counts as well.
  document.addEventListener("click", (event) => {
    if (!event.target.closest("#theme")) return;
    theme = order[(order.indexOf(theme) + 1) % order.length];
    try {
      localStorage.setItem(KEY, theme);
    } catch {
      // Not stored: it holds until the page is left.
    }
    apply(theme);
    label();
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => apply(theme));
})();
