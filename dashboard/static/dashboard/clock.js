// Ages: every <time data-age> reads as "12 s ago" by the server's clock and is told to tick by app.js.
// Moments: every <time data-local> reads in the reader's zone. The exact UTC time of both is in their title.

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

const local = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short", year: "numeric", hour: "2-digit", minute: "2-digit", timeZoneName: "short" });

export function tick(root = document) {
  for (const element of root.querySelectorAll("time[data-local]")) {
    const text = local.format(new Date(element.dateTime));
    if (element.textContent !== text) element.textContent = text;
  }
  const now = Date.now() + offset;
  for (const element of root.querySelectorAll("time[data-age]")) {
    const seconds = (now - Date.parse(element.dateTime)) / 1000;
    const text = words(seconds);
    if (element.textContent !== text) element.textContent = text;
    if (element.dataset.oldAfter) element.classList.toggle("old", seconds > Number(element.dataset.oldAfter));
  }
}
