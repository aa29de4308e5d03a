// The curves of several runs in one chart; each has a colour and a kind of line.

import { token } from "./chart.js";

const { createChart, LineStyle } = window.LightweightCharts;

export function curves(container, legend, sets) {
  const styles = [LineStyle.Solid, LineStyle.Dashed, LineStyle.Dotted, LineStyle.LargeDashed];
  const chart = createChart(container, {
    autoSize: true,
    layout: { background: { color: "transparent" } }, // else it is white until it is coloured
    handleScroll: false,
    handleScale: false,
    localization: { priceFormatter: (value) => `${value.toFixed(2)} %` },
    rightPriceScale: { borderVisible: false },
    timeScale: { borderVisible: false, fixLeftEdge: true, fixRightEdge: true },
  });
  const drawn = sets.map((set, index) => {
    const series = chart.addLineSeries({ lineWidth: 2, lineStyle: styles[index], priceLineVisible: false, title: set.name });
    series.setData(set.points.map(([time, value]) => ({ time, value })));
    const key = document.createElement("span");
    key.className = `key curve-${index}`;
    legend.append(key, ` ${set.name} `);
    return series;
  });
  function paint() {
    chart.applyOptions({
      layout: { background: { color: "transparent" }, textColor: token("muted"), fontFamily: getComputedStyle(document.body).fontFamily, fontSize: 11 },
      grid: { vertLines: { visible: false }, horzLines: { color: token("line") } },
    });
    ["accent", "warn", "gain", "loss"].forEach((name, index) => drawn[index]?.applyOptions({ color: token(name) }));
  }
  paint();
  chart.timeScale().fitContent();
  document.addEventListener("themechange", paint);
}
