// Curves in the colours of the theme.

const { createChart, CrosshairMode, LineStyle } = window.LightweightCharts;

const DECIMALS = { minimumFractionDigits: 2, maximumFractionDigits: 2 };

// Resolves a token to the colour it has now; the chart draws on a canvas and knows no custom properties.
export function token(name) {
  const probe = document.createElement("span");
  probe.style.color = `var(--${name})`;
  document.body.append(probe);
  const colour = getComputedStyle(probe).color;
  probe.remove();
  return colour;
}

export const faded = (colour, alpha) => colour.replace("rgb(", "rgba(").replace(")", `, ${alpha})`);

// How far each point lies under the highest before it, in percent, zero or less.
export function falls(points) {
  let peak = -Infinity;
  return points.map(([time, value]) => {
    peak = Math.max(peak, value);
    return { time, value: peak > 0 ? (value / peak - 1) * 100 : 0 };
  });
}

// With `isFallShown` the drawdown hangs below the curve, on a scale of its own.
export function areaChart(container, empty, colour = "accent", isFallShown = false) {
  const chart = createChart(container, {
    autoSize: true,
    layout: { background: { color: "transparent" } }, // else it is white until it is coloured
    localization: { priceFormatter: (value) => value.toLocaleString("en-US", DECIMALS) },
    handleScroll: false,
    handleScale: false,
    rightPriceScale: { borderVisible: false, scaleMargins: { top: 0.12, bottom: isFallShown ? 0.3 : 0.08 } },
    timeScale: { borderVisible: false, timeVisible: true, secondsVisible: false, fixLeftEdge: true, fixRightEdge: true },
    crosshair: { mode: CrosshairMode.Magnet, horzLine: { labelVisible: true, style: LineStyle.Dotted } },
  });
  const series = chart.addAreaSeries({ lineWidth: 2, priceLineVisible: false, lastValueVisible: true });
  const fall = isFallShown && chart.addBaselineSeries({
    priceScaleId: "fall",
    baseValue: { type: "price", price: 0 },
    lineWidth: 1,
    priceLineVisible: false,
    lastValueVisible: false,
    crosshairMarkerVisible: false,
    priceFormat: { type: "custom", formatter: (value) => `${value.toFixed(2)} %` },
  });
  if (fall) fall.priceScale().applyOptions({ scaleMargins: { top: 0.8, bottom: 0.02 } });
  let drawn = "";

  function paint() {
    const accent = token(colour);
    const line = token("line");
    chart.applyOptions({
      layout: {
        background: { color: "transparent" },
        textColor: token("muted"),
        fontFamily: getComputedStyle(document.body).fontFamily,
        fontSize: 11,
      },
      grid: { vertLines: { visible: false }, horzLines: { color: line } },
    });
    if (fall) {
      const loss = token("loss");
      const [high, low] = [faded(loss, 0.12), faded(loss, 0.35)];
      fall.applyOptions({ topLineColor: loss, bottomLineColor: loss, bottomFillColor1: high, bottomFillColor2: low });
    }
    series.applyOptions({ lineColor: accent, topColor: faded(accent, 0.28), bottomColor: faded(accent, 0.02) });
  }

  function show(points) {
    const key = JSON.stringify(points);
    if (key === drawn) return;
    drawn = key;
    empty.hidden = points.length > 1;
    series.setData(points.map(([time, value]) => ({ time, value })));
    if (fall) fall.setData(falls(points));
    chart.timeScale().fitContent();
  }

  paint();
  document.addEventListener("themechange", paint);
  return { show };
}
