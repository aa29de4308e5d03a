// Wires the overview: panels and chart to the socket, ages and badge to a clock of one second.

import { equityChart } from "./chart.js";
import { sync, tick } from "./clock.js";
import { connect } from "./live.js";
import { swap } from "./panels.js";

sync(document.body.dataset.now);
const chart = equityChart(document.getElementById("chart"), document.getElementById("chart-empty"));
chart.show(JSON.parse(document.getElementById("equity").textContent));

const live = connect((frame) => {
  for (const [name, html] of Object.entries(frame.panels ?? {})) swap(name, html);
  if (frame.equity) chart.show(frame.equity);
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

const menu = document.querySelector("details.menu");
document.addEventListener("click", (event) => {
  if (!menu.contains(event.target)) menu.open = false;
});
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape") menu.open = false;
});
