// Wires every page: panels and charts to the socket, ages and badge to a clock of one second, the keyboard.

import { sync, tick } from "./clock.js";
import { bindExplanations } from "./explain.js";
import { refreshOn } from "./fragments.js";
import { connect } from "./live.js";
import { bindKeys } from "./keys.js";
import { bindPalette } from "./palette.js";
import { swap } from "./panels.js";

sync(document.body.dataset.now);

const parsed = (id) => JSON.parse(document.getElementById(id).textContent);

let equity = null;
const kind = document.getElementById("ask-kind");
if (kind) (await import("./study_form.js")).bindStudyForm(kind);
const change = document.getElementById("change");
if (change) (await import("./parameters.js")).bindParameters(change);

let joined = false;
const live = connect((frame) => {
  const panels = frame.panels ?? {};
  for (const [name, html] of Object.entries(panels)) swap(name, html);
  // The first snapshot is what the page shows already; a later one follows a gap, in which anything may have happened.
  if (frame.type === "panels" || joined) {
    refreshOn([...Object.keys(panels), ...(frame.kinds ?? [])]);
    document.dispatchEvent(new Event("news"));
  }
  joined = true;
  if (frame.equity && equity) equity.show(frame.equity);
  everySecond();
});

const badge = document.getElementById("live");
function everySecond() {
  tick();
  const { state, text } = live.state();
  badge.dataset.state = state;
  if (badge.textContent !== text) badge.textContent = text;
}
everySecond();
setInterval(everySecond, 1000);

const menus = document.querySelectorAll("details.menu");
document.addEventListener("click", (event) => {
  for (const menu of menus) if (!menu.contains(event.target) && event.target.isConnected) menu.open = false;
});
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape") for (const menu of menus) menu.open = false;
});

// A choice filters at once; text waits for Enter or the button.
for (const form of document.querySelectorAll("form.filters")) {
  form.addEventListener("change", (event) => {
    if (event.target.matches("select, input[type=date], input[type=checkbox]")) form.requestSubmit();
  });
  // Fields that say nothing do not lengthen the address.
  form.addEventListener("formdata", (event) => {
    for (const [name, value] of [...event.formData]) if (value === "") event.formData.delete(name);
  });
}

const views = document.querySelector("details.views");
if (views) (await import("./views.js")).bindViews(views);

// Together, and last: what was clicked before is done now, and nothing is done twice.
bindExplanations();
bindPalette();
bindKeys();
document.dispatchEvent(new Event("ready"));

// Pictures come after everything that answers a key or a click. The chart library is on those pages alone that draw something.
if (document.getElementById("chart")) {
  const { areaChart } = await import("./chart.js");
  const container = document.getElementById("chart");
  const falls = document.getElementById("drawdown-chart");
  const curve = areaChart(container, document.getElementById("chart-empty"), "accent", !falls);
  curve.show(parsed("equity"));
  // A run's curve stands still; the account's grows.
  if (!("still" in container.dataset)) equity = curve;
  if (falls) areaChart(falls, document.getElementById("drawdown-empty"), "loss").show(parsed("drawdown"));
}
const trade = document.getElementById("trade-chart");
if (trade) (await import("./trade.js")).tradeChart(trade, parsed("trade-data"));
const curves = document.getElementById("curves");
if (curves) (await import("./research.js")).curves(curves, document.getElementById("curves-legend"), parsed("curves-data"));
if (document.getElementById("market-setup")) (await import("./market.js")).marketChart(parsed("market-setup"));
