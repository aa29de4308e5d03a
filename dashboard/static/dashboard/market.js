// The chart of one symbol: bars, indicators and marks by the API, in panes that move together; times in the reader's zone.

import { faded, token } from "./chart.js";
import { LAYERS, describe, markers, moment, regimeColours, stopPoints, zone } from "./market_marks.js";

const { createChart, CrosshairMode, LineStyle, LineType } = window.LightweightCharts;

const NEAR_LEFT = 25;
const NEWS_MS = 5000;
const STORED = "julaba-chart-layers";
const LINE = { priceLineVisible: false, lastValueVisible: false, crosshairMarkerVisible: false };

export function marketChart(setup) {
  const rows = new Map(); // seconds -> the bar with its indicators
  const trades = new Map();
  const refused = new Map();
  let times = [];
  let begins = null; // the `until` of the bars before the first; null: there are none
  let isLoading = false;
  let askedAt = 0;

  const panes = [...document.querySelectorAll("[data-pane]")].map((element) => pane(element));
  const price = panes[0];
  const series = drawn(panes);
  const hidden = new Set(stored());

  // Questions -------------------------------------------------------------------------------------
  async function ask(path, asked) {
    const query = new URLSearchParams({ symbol: setup.symbol, timeframe: setup.timeframe, ...asked });
    const answer = await fetch(`/api/v1/${path}?${query}`, { cache: "no-cache", redirect: "error" });
    const body = await answer.json();
    if (!answer.ok) throw new Error(body.detail ?? "the server did not answer");
    return body;
  }

  async function load(asked) {
    const [bars, measured] = await Promise.all([ask("candles", asked), ask("indicators", asked)]);
    for (const [at, open, high, low, close, volume] of bars.candles) rows.set(at / 1000, { time: at / 1000, open, high, low, close, volume });
    const { opened_ms: opened = [], ...columns } = measured.columns;
    opened.forEach((at, index) => {
      const row = rows.get(at / 1000);
      if (row) for (const [name, values] of Object.entries(columns)) row[name] = values[index];
    });
    if (bars.candles.length) {
      const last = bars.candles.at(-1)[0] + setup.bar_ms;
      const marks = await ask("marks", { since: bars.candles[0][0], until: asked.until ? last : Date.now() });
      for (const trade of marks.trades) trades.set(trade.id, trade);
      for (const signal of marks.refused) refused.set(signal.id, signal);
    }
    return bars;
  }

  async function first() {
    await guarded(async () => {
      const bars = await load({ limit: setup.limit });
      begins = bars.previous;
      document.getElementById("market-empty").hidden = rows.size > 0;
      document.getElementById("market-panes").hidden = rows.size === 0;
      draw();
      price.chart.timeScale().setVisibleLogicalRange({ from: times.length - Math.min(200, times.length), to: times.length + 4 });
    });
  }

  async function earlier() {
    if (begins === null) return;
    await guarded(async () => {
      const before = begins;
      const bars = await load({ limit: setup.limit, until: before });
      begins = bars.candles.length ? bars.previous : null;
      draw();
    });
  }

  async function newest() {
    if (Date.now() - askedAt < NEWS_MS || !times.length) return;
    await guarded(async () => {
      await load({ limit: 20 });
      draw();
    });
  }

  async function guarded(work) {
    if (isLoading) return;
    isLoading = true;
    askedAt = Date.now();
    try {
      await work();
      document.getElementById("market-problem").hidden = true;
      document.getElementById("market-panes").dataset.state = "drawn";
    } catch (error) {
      document.getElementById("market-problem").hidden = false;
      document.getElementById("market-problem-text").textContent = `The bars could not be read: ${error.message}`;
    } finally {
      isLoading = false;
    }
  }

  // Drawing ---------------------------------------------------------------------------------------
  function draw() {
    times = [...rows.keys()].sort((a, b) => a - b);
    const all = times.map((time) => rows.get(time));
    const colours = palette();
    const shades = regimeColours(colours, faded);
    const values = (name) => all.map((row) => (Number.isFinite(row[name]) ? { time: row.time, value: row[name] } : { time: row.time }));
    const last = all.at(-1)?.close ?? 1;
    const precision = Math.max(2, 4 - Math.floor(Math.log10(Math.max(last, 1e-9))));
    const priceFormat = { type: "price", precision, minMove: 10 ** -precision };
    for (const name of ["candles", "sma_fast", "sma_slow", "bollinger_low", "bollinger_high", "stop"]) series[name].applyOptions({ priceFormat });
    series.regime.setData(all.map(({ time, regime }) => shaded(time, shades[regime])));
    series.session.setData(all.map(({ time, session }) => shaded(time, session ? faded(colours.accent, 0.55) : undefined)));
    series.candles.setData(all.map(({ time, open, high, low, close }) => ({ time, open, high, low, close })));
    series.volume.setData(all.map(({ time, volume, open, close }) => ({ time, value: volume, color: faded(close >= open ? colours.gain : colours.loss, 0.3) })));
    for (const name of ["sma_fast", "sma_slow", "bollinger_low", "bollinger_high", "rsi", "adx"]) series[name].setData(values(name));
    series.macd.setData(all.map(({ time, macd_histogram: value }) => (Number.isFinite(value) ? { time, value, color: faded(value >= 0 ? colours.gain : colours.loss, 0.7) } : { time })));
    series.stop.setData(stopPoints([...trades.values()], times));
    mark(colours);
    for (const each of panes) each.chart.applyOptions(theme(colours));
    series.candles.applyOptions({ upColor: faded(colours.gain, 0.75), downColor: faded(colours.loss, 0.75), borderVisible: false, wickUpColor: colours.gain, wickDownColor: colours.loss });
    series.sma_fast.applyOptions({ color: colours.accent });
    series.sma_slow.applyOptions({ color: colours.warn });
    for (const name of ["bollinger_low", "bollinger_high"]) series[name].applyOptions({ color: faded(colours.muted, 0.7) });
    series.stop.applyOptions({ color: colours.loss });
    for (const name of ["rsi", "adx"]) series[name].applyOptions({ color: colours.accent });
    read(times.at(-1));
  }

  // The stop belongs into the picture, where it is not so far away that the bars become flat.
  function widened(info) {
    if (!info || hidden.has("trades")) return info;
    const { minValue, maxValue } = info.priceRange;
    const room = maxValue - minValue;
    const near = [...trades.values()].flatMap((trade) => trade.stops.map((each) => each[1])).filter((level) => level > minValue - room && level < maxValue + room);
    return { ...info, priceRange: { minValue: Math.min(minValue, ...near), maxValue: Math.max(maxValue, ...near) } };
  }

  function mark(colours) {
    series.candles.setMarkers(
      markers({ trades: hidden.has("trades") ? [] : [...trades.values()], refused: hidden.has("refused") ? [] : [...refused.values()], times, colours }),
    );
  }

  function layers() {
    for (const [layer, names] of Object.entries(LAYERS)) for (const name of names) series[name].applyOptions({ visible: !hidden.has(layer) });
    for (const each of panes.slice(1)) each.element.hidden = hidden.has(each.name);
    series.stop.applyOptions({ visible: !hidden.has("trades") });
    if (times.length) mark(palette());
  }

  // Reading ---------------------------------------------------------------------------------------
  const readout = document.getElementById("market-readout");
  function read(time) {
    const row = rows.get(time);
    if (!row) return;
    const number = (value, places = 2) => (Number.isFinite(value) ? value.toLocaleString("en-US", { maximumFractionDigits: places }) : "–");
    const places = Math.max(2, 4 - Math.floor(Math.log10(Math.max(row.close, 1e-9))));
    const parts = [
      moment(row.time), `O ${number(row.open, places)}`, `H ${number(row.high, places)}`, `L ${number(row.low, places)}`, `C ${number(row.close, places)}`,
      `volume ${number(row.volume)}`, `RSI ${number(row.rsi, 1)}`, `ADX ${number(row.adx, 1)}`, `Hurst ${number(row.hurst)}`, (row.regime ?? "").replaceAll("_", " "),
    ];
    const refusal = [...refused.values()].find((signal) => signal.at / 1000 === time);
    if (refusal && !hidden.has("refused")) parts.push(`refused ${refusal.side}: ${refusal.text}`);
    readout.textContent = parts.filter(Boolean).join("  ·  ");
    readout.title = new Date(time * 1000).toISOString().replace(".000", "");
  }

  function choose(time) {
    const list = document.getElementById("market-bar");
    const lines = describe({ time, bar: setup.bar_ms / 1000, trades: [...trades.values()], refused: [...refused.values()] });
    list.replaceChildren(...(lines.length ? lines : [nothing(time)]));
  }

  function nothing(time) {
    const line = document.createElement("li");
    line.className = "wide-line muted";
    line.textContent = `${moment(time)}: nothing was entered, left or refused at this bar.`;
    return line;
  }

  // Panes that move together ------------------------------------------------------------------------
  let leader = null;
  for (const each of panes) {
    each.chart.timeScale().subscribeVisibleLogicalRangeChange((range) => {
      if (!range || (leader && leader !== each)) return;
      leader = each;
      for (const other of panes) if (other !== each) other.chart.timeScale().setVisibleLogicalRange(range);
      leader = null;
      if (range.from < NEAR_LEFT && times.length) earlier();
    });
    each.chart.subscribeCrosshairMove(({ time }) => {
      if (leader) return;
      leader = each;
      for (const other of panes) {
        if (other === each) continue;
        if (time === undefined) other.chart.clearCrosshairPosition();
        else other.chart.setCrosshairPosition(0, time, series[other.main]);
      }
      leader = null;
      read(time ?? times.at(-1));
    });
    each.chart.subscribeClick(({ time }) => time !== undefined && choose(time));
  }

  // Controls ----------------------------------------------------------------------------------------
  for (const box of document.querySelectorAll("[data-layer]")) {
    box.checked = !hidden.has(box.dataset.layer);
    box.addEventListener("change", () => {
      if (box.checked) hidden.delete(box.dataset.layer);
      else hidden.add(box.dataset.layer);
      store([...hidden]);
      layers();
    });
  }
  document.getElementById("market-symbol").addEventListener("change", (event) => event.target.form.requestSubmit());
  document.getElementById("market-again").addEventListener("click", () => (times.length ? newest() : first()));
  document.getElementById("market-picture").addEventListener("click", () => {
    price.chart.takeScreenshot().toBlob((blob) => {
      const link = Object.assign(document.createElement("a"), { href: URL.createObjectURL(blob), download: `${setup.symbol.replace("/", "-")}-${setup.timeframe}.png` });
      link.click();
      URL.revokeObjectURL(link.href);
    });
  });
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest?.("input, select, textarea, dialog[open]")) return;
    document.querySelector(`a[data-digit="${CSS.escape(event.key)}"]`)?.click();
  });
  document.addEventListener("themechange", () => times.length && draw());
  document.addEventListener("news", newest);
  document.getElementById("market-zone").textContent = `times in ${zone}`;

  series.candles.applyOptions({ autoscaleInfoProvider: (original) => widened(original()) });
  layers();
  first();
}

const shaded = (time, colour = "transparent") => ({ time, value: 1, topColor: colour, bottomColor: colour, lineColor: "transparent" });

function pane(element) {
  const container = element.matches(".chart") ? element : element.querySelector(".chart");
  const isPrice = element.dataset.pane === "price";
  const chart = createChart(container, {
    autoSize: true,
    layout: { background: { color: "transparent" } }, // else it is white until it is coloured
    rightPriceScale: { borderVisible: false, minimumWidth: 78, scaleMargins: isPrice ? { top: 0.06, bottom: 0.12 } : { top: 0.1, bottom: 0.1 } },
    timeScale: { visible: isPrice, borderVisible: false, timeVisible: true, secondsVisible: false, tickMarkFormatter: tickText },
    localization: { timeFormatter: (time) => moment(time) },
    crosshair: { mode: CrosshairMode.Normal },
    handleScroll: { mouseWheel: false, pressedMouseMove: true, horzTouchDrag: true, vertTouchDrag: false },
    handleScale: { mouseWheel: true, pinch: true, axisPressedMouseMove: true },
  });
  return { element, chart, name: element.dataset.pane, main: isPrice ? "candles" : element.dataset.pane };
}

function drawn([price, rsi, macd, adx]) {
  const shade = (id, margins) => {
    const made = price.chart.addAreaSeries({ ...LINE, lineVisible: false, lineType: LineType.WithSteps, priceScaleId: id, autoscaleInfoProvider: () => ({ priceRange: { minValue: 0, maxValue: 1 } }) });
    price.chart.priceScale(id).applyOptions({ scaleMargins: margins, visible: false });
    return made;
  };
  const made = { regime: shade("regime", { top: 0, bottom: 0 }), session: shade("session", { top: 0.985, bottom: 0 }) };
  made.volume = price.chart.addHistogramSeries({ ...LINE, priceScaleId: "volume", priceFormat: { type: "volume" } });
  price.chart.priceScale("volume").applyOptions({ scaleMargins: { top: 0.86, bottom: 0.02 }, visible: false });
  made.bollinger_low = price.chart.addLineSeries({ ...LINE, lineWidth: 1, lineStyle: LineStyle.Dotted });
  made.bollinger_high = price.chart.addLineSeries({ ...LINE, lineWidth: 1, lineStyle: LineStyle.Dotted });
  made.sma_slow = price.chart.addLineSeries({ ...LINE, lineWidth: 1 });
  made.sma_fast = price.chart.addLineSeries({ ...LINE, lineWidth: 1 });
  made.candles = price.chart.addCandlestickSeries({ priceLineVisible: true, lastValueVisible: true });
  made.stop = price.chart.addLineSeries({ ...LINE, lineWidth: 2, lineType: LineType.WithSteps, autoscaleInfoProvider: () => null });
  made.rsi = rsi.chart.addLineSeries({ ...LINE, lineWidth: 1, autoscaleInfoProvider: () => ({ priceRange: { minValue: 0, maxValue: 100 } }) });
  for (const level of [30, 70]) made.rsi.createPriceLine({ price: level, lineWidth: 1, lineStyle: LineStyle.Dotted, axisLabelVisible: false, color: "#8888" });
  made.macd = macd.chart.addHistogramSeries({ ...LINE, priceFormat: { type: "price", precision: 4, minMove: 0.0001 } });
  made.adx = adx.chart.addLineSeries({ ...LINE, lineWidth: 1 });
  return made;
}

function theme(colours) {
  return {
    layout: { background: { color: "transparent" }, textColor: colours.muted, fontFamily: getComputedStyle(document.body).fontFamily, fontSize: 11 },
    grid: { vertLines: { visible: false }, horzLines: { color: colours.line } },
  };
}

function palette() {
  return Object.fromEntries(["gain", "loss", "accent", "warn", "muted", "faint", "line", "text"].map((name) => [name, token(name)]));
}

// What a tick of the time axis says: the library counts types from years (0) to times (3), and knows no zone.
function tickText(time, type) {
  const how = [{ year: "numeric" }, { month: "short" }, { day: "numeric", month: "short" }][type] ?? { hour: "2-digit", minute: "2-digit", hourCycle: "h23" };
  return new Intl.DateTimeFormat("en-GB", how).format(time * 1000);
}

function stored() {
  try {
    return JSON.parse(localStorage.getItem(STORED) ?? "[]").filter((name) => typeof name === "string");
  } catch {
    return []; // Storage is blocked or holds something else: everything is drawn.
  }
}

function store(names) {
  try {
    localStorage.setItem(STORED, JSON.stringify(names));
  } catch {
    // Not stored: it holds until the page is left.
  }
}
