// Ages: every <time data-age> reads as "12 s ago" by the server's clock and is told to tick by app.js.

let offset = 0;

export function sync(serverNow) {
  offset = Date.parse(serverNow) - Date.now();
}

export function words(seconds) {
  if (seconds < 60) return `${Math.max(0, Math.floor(seconds))} s ago`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ago`;
  if (seconds < 86400) return `${Math.floor(seconds / 3600)} h ago`;
  return `${Math.floor(seconds / 86400)} d ago`;
}

export function tick(root = document) {
  const now = Date.now() + offset;
  for (const element of root.querySelectorAll("time[data-age]")) {
    const seconds = (now - Date.parse(element.dateTime)) / 1000;
    const text = words(seconds);
    if (element.textContent !== text) element.textContent = text;
    if (element.dataset.oldAfter) element.classList.toggle("old", seconds > Number(element.dataset.oldAfter));
  }
}
