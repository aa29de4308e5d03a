// The socket: a snapshot, then what changed; reconnects by itself and asks for a snapshot when a frame is missing.

import { sync } from "./clock.js";

const FRESH_MS = 9_000; // Two heartbeats and a little: within ten seconds a silent socket is called stale.
const LONGEST_WAIT_MS = 30_000;
const SESSION_ENDED = 4401;

export function connect(apply) {
  const url = `${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/ws/live`;
  let socket;
  let failures = 0;
  let lastFrameAt = 0;
  let seq = null;

  function open() {
    let accepted = false;
    seq = null;
    socket = new WebSocket(url);
    socket.addEventListener("open", () => {
      accepted = true;
    });
    socket.addEventListener("message", (event) => receive(JSON.parse(event.data)));
    socket.addEventListener("close", (event) => {
      if (event.code === SESSION_ENDED) location.reload();
      else if (!accepted) leaveWhenLoggedOut();
      const wait = Math.min(LONGEST_WAIT_MS, 500 * 2 ** failures);
      failures += 1;
      setTimeout(open, wait * (0.5 + Math.random() / 2));
    });
  }

  function receive(frame) {
    lastFrameAt = Date.now();
    failures = 0;
    sync(frame.now);
    const asked = seq === null;
    const isNext = frame.type === "panels" ? frame.seq === seq + 1 : frame.seq === seq;
    if (frame.type === "snapshot" || (isNext && !asked)) {
      seq = frame.seq;
      apply(frame);
    } else if (!asked) {
      seq = null;
      socket.send(JSON.stringify({ type: "resync" }));
    }
  }

  // A refused handshake does not say why: a page that now redirects means that the session is over.
  async function leaveWhenLoggedOut() {
    try {
      const answer = await fetch(location.href, { method: "HEAD", redirect: "manual", cache: "no-store" });
      if (answer.type === "opaqueredirect") location.reload();
    } catch {
      // The server is away; the next attempt will tell.
    }
  }

  function state() {
    if (socket.readyState !== WebSocket.OPEN) return { state: "offline", text: "○ offline" };
    const age = Date.now() - lastFrameAt;
    if (age < FRESH_MS) return { state: "live", text: "● live" };
    return { state: "stale", text: lastFrameAt ? `◐ stale ${Math.floor(age / 1000)} s` : "◐ waiting" };
  }

  open();
  return { state };
}
