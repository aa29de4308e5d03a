// One trade on its candles: entry and targets as lines, the stop as steps over its life, fills as arrows.

import { faded, token } from "./chart.js";

const { createChart, CrosshairMode, LineStyle, LineType } = window.LightweightCharts;

const GRID = 120;

export function tradeChart(container, data) {
  const chart = createChart(container, {
    autoSize: true,
    layout: { background: { color: "transparent" } }, // else it is white until it is coloured
    rightPriceScale: { borderVisible: false, scaleMargins: { top: 0.1, bottom: 0.1 } },
    timeScale: { borderVisible: false, timeVisible: true, secondsVisible: false },
    crosshair: { mode: CrosshairMode.Normal },
    handleScroll: { mouseWheel: false, pressedMouseMove: true, horzTouchDrag: true, vertTouchDrag: false },
    handleScale: { mouseWheel: false, pinch: true, axisPressedMouseMove: true },
  });
  const precise = { type: "price", precision: decimals(data), minMove: 10 ** -decimals(data) };
  const times = data.candles.length ? data.candles.map((bar) => bar[0]) : grid(data);
  const main = data.candles.length ? candles(chart, data, precise) : path(chart, data, times, precise);
  const stop = chart.addLineSeries({ lineWidth: 2, lineType: LineType.WithSteps, priceFormat: precise, priceLineVisible: false, lastValueVisible: false, crosshairMarkerVisible: false });
  stop.setData(onTimes(data.stops, times, data.begin, data.end));
  const lines = [[data.entry, "entry", "accent"], ...data.targets.map((price, index) => [price, `T${index + 1}`, "gain"])];
  const priceLines = lines.map(([price, title, colour]) => [main.createPriceLine({ price, title, lineWidth: 1, lineStyle: LineStyle.Dashed, axisLabelVisible: true }), colour]);

  function paint() {
    const [gain, loss, accent, muted, line] = ["gain", "loss", "accent", "muted", "line"].map(token);
    const colours = { gain, loss, accent };
    chart.applyOptions({
      layout: { background: { color: "transparent" }, textColor: muted, fontFamily: getComputedStyle(document.body).fontFamily, fontSize: 11 },
      grid: { vertLines: { visible: false }, horzLines: { color: line } },
    });
    if (data.candles.length) main.applyOptions({ upColor: faded(gain, 0.55), downColor: faded(loss, 0.55), borderVisible: false, wickUpColor: faded(gain, 0.7), wickDownColor: faded(loss, 0.7) });
    else main.applyOptions({ color: muted });
    stop.applyOptions({ color: loss });
    for (const [priceLine, colour] of priceLines) priceLine.applyOptions({ color: colours[colour], axisLabelColor: colours[colour] });
    main.setMarkers(marks(data, times, colours));
  }

  paint();
  chart.timeScale().fitContent();
  document.addEventListener("themechange", paint);
}

function candles(chart, data, priceFormat) {
  const series = chart.addCandlestickSeries({ priceFormat, priceLineVisible: false, lastValueVisible: false, autoscaleInfoProvider: (original) => widened(original(), data) });
  series.setData(data.candles.map(([time, open, high, low, close]) => ({ time, open, high, low, close })));
  return series;
}

// Without candles: a line from the entry through the fills to where it ended.
function path(chart, data, times, priceFormat) {
  const known = [[data.begin, data.entry], ...data.marks.map((mark) => [mark.time, mark.price]), ...(data.last.length ? [data.last] : [])];
  const series = chart.addLineSeries({ lineWidth: 2, priceFormat, priceLineVisible: false, lastValueVisible: false, autoscaleInfoProvider: (original) => widened(original(), data) });
  const at = new Map(known.map(([time, value]) => [nearest(times, time), value]));
  series.setData(times.map((time) => (at.has(time) ? { time, value: at.get(time) } : { time })));
  return series;
}

// The stop and the targets belong into the picture, where they are not so far away that the bars become flat.
function widened(info, data) {
  if (!info) return info;
  const { minValue, maxValue } = info.priceRange;
  const room = maxValue - minValue || maxValue * 0.01;
  const near = [data.entry, ...data.targets, ...data.stops.map((each) => each[1])].filter((price) => price > minValue - 2 * room && price < maxValue + 2 * room);
  return { ...info, priceRange: { minValue: Math.min(minValue, ...near), maxValue: Math.max(maxValue, ...near) } };
}

function grid({ begin, end }) {
  const step = Math.max(1, Math.ceil((end - begin) / GRID));
  const margin = 8 * step;
  const times = [];
  for (let time = begin - margin; time <= end + margin; time += step) times.push(time);
  return times;
}

// Puts steps on the grid of the bars: each time between begin and end carries the value in force then.
function onTimes(steps, times, begin, end) {
  const first = nearest(times, begin);
  const last = nearest(times, end);
  const points = [];
  let next = 0;
  let value = steps[0][1];
  for (const time of times) {
    while (next < steps.length && (steps[next][0] <= time || time === last)) value = steps[next++][1];
    if (time >= first && time <= last) points.push({ time, value });
  }
  return points;
}

function nearest(times, wanted) {
  let found = times[0];
  for (const time of times) {
    if (time > wanted) break;
    found = time;
  }
  return found;
}

function marks(data, times, { gain, loss }) {
  return data.marks.map((mark) => ({
    time: nearest(times, mark.time),
    position: mark.buys ? "belowBar" : "aboveBar",
    shape: mark.buys ? "arrowUp" : "arrowDown",
    color: mark.buys ? gain : loss,
    text: mark.text,
  }));
}

function decimals(data) {
  return Math.max(2, 4 - Math.floor(Math.log10(Math.max(data.entry, 1e-9))));
}
