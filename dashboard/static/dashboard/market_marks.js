// What was done and refused, as marks on bars, as the stop's steps, and as lines of text.

export const LAYERS = { averages: ["sma_fast", "sma_slow"], bands: ["bollinger_low", "bollinger_high"], volume: ["volume"], regime: ["regime"], session: ["session"] };

export const zone = Intl.DateTimeFormat().resolvedOptions().timeZone ?? "UTC";

const WHEN = new Intl.DateTimeFormat("en-GB", { day: "2-digit", month: "short", year: "numeric", hour: "2-digit", minute: "2-digit", hourCycle: "h23" });

export function moment(seconds) {
  return WHEN.format(seconds * 1000);
}

export function regimeColours(colours, faded) {
  return {
    strong_trend: faded(colours.accent, 0.2),
    trend: faded(colours.accent, 0.12),
    weak_trend: faded(colours.accent, 0.06),
    ranging: faded(colours.warn, 0.1),
    choppy: faded(colours.loss, 0.1),
  };
}

// The newest bar that opened at or before a moment; null where the chart begins later.
function barOf(times, seconds) {
  let low = 0;
  let high = times.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (times[middle] <= seconds) low = middle + 1;
    else high = middle;
  }
  return low ? times[low - 1] : null;
}

export function markers({ trades, refused, times, colours }) {
  const made = [];
  for (const signal of refused) {
    const time = barOf(times, signal.at / 1000);
    if (time !== null) made.push({ time, position: signal.side === "long" ? "belowBar" : "aboveBar", shape: "circle", color: colours.faint, size: 0.6, text: "" });
  }
  for (const trade of trades) {
    for (const fill of trade.fills) {
      const time = barOf(times, fill.at / 1000);
      if (time === null) continue;
      made.push({ time, position: fill.buys ? "belowBar" : "aboveBar", shape: fill.buys ? "arrowUp" : "arrowDown", color: fill.is_entry ? colours.accent : colours.text, text: fill.is_entry ? `#${trade.id} ${trade.side}` : `#${trade.id} out` });
    }
  }
  return made.sort((a, b) => a.time - b.time);
}

// One series for the stops of all trades: a symbol has one trade at a time, and between two of them there is a gap.
export function stopPoints(trades, times) {
  const points = new Map(times.map((time) => [time, { time }]));
  for (const trade of trades) {
    const begin = barOf(times, trade.begin / 1000) ?? times[0];
    const end = barOf(times, trade.end / 1000);
    if (end === null) continue;
    let next = 0;
    let value = trade.stops[0]?.[1];
    for (const time of times) {
      if (time < begin || time > end) continue;
      while (next < trade.stops.length && barOf(times, trade.stops[next][0] / 1000) <= time) value = trade.stops[next++][1];
      points.set(time, { time, value });
    }
  }
  return [...points.values()];
}

export function describe({ time, bar, trades, refused }) {
  const inside = (ms) => ms / 1000 >= time && ms / 1000 < time + bar;
  const fills = trades.flatMap((trade) => trade.fills.filter((fill) => inside(fill.at)).map((fill) => line(fill.at, fill.text, `/trades/${trade.id}/`, `trade #${trade.id}`)));
  const refusals = refused.filter((signal) => inside(signal.at)).map((signal) => line(signal.at, `✕ ${signal.strategy} ${signal.side} refused: ${signal.text}`, `/signals/${signal.id}/`, "decision"));
  return [...fills, ...refusals];
}

function line(ms, text, href, label) {
  const item = document.createElement("li");
  const at = Object.assign(document.createElement("time"), { className: "faint", dateTime: new Date(ms).toISOString(), title: `${new Date(ms).toISOString()} UTC`, textContent: moment(ms / 1000) });
  const link = Object.assign(document.createElement("a"), { className: "link", href, textContent: label });
  const words = document.createElement("span");
  words.append(`${text} `, link);
  item.append(at, words);
  return item;
}
