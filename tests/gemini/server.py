"""The server: generateContent as Google's, on a port of its own, with faults by name."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

KEY = "AIza-a-key-that-only-the-tests-know-0123456789"
MODEL = "gemini-test-1"
AGAINST = ("RSI is near its bound", "the session is quiet", "the last trade lost")
YES = {
    "approve": True,
    "confidence": 0.83,
    "reasoning": "ADX of 31 with rising volume supports the side.",
    "risk": "low",
    "against": list(AGAINST),
}
NO = {**YES, "approve": False, "confidence": 0.9, "risk": "high", "reasoning": "The range is narrow."}
USAGE: dict[str, Any] = {"promptTokenCount": 400, "candidatesTokenCount": 60, "totalTokenCount": 460}
FAULTS = ("silent", "drip", "cut", "status", "html", "huge", "empty", "broken")


@dataclass(frozen=True, kw_only=True)
class Call:
    """One request as it came: the path with its query, the headers by lower-case name, and the body's bytes."""

    path: str
    headers: dict[str, str]
    raw: bytes

    @property
    def body(self) -> dict[str, Any]:
        return dict(json.loads(self.raw))

    @property
    def text(self) -> str:
        """Return what the model would read: rules and content."""
        rules = self.body.get("systemInstruction", {}).get("parts", [])
        return "\n".join(part["text"] for part in [*rules, *self.body["contents"][0]["parts"]])


@dataclass
class Gemini:
    """What is answered next, and what was asked. `replies` is used up in order; then `text` is said for ever."""

    url: str = ""
    text: str = json.dumps(YES)
    replies: list[str] = field(default_factory=list)
    usage: dict[str, Any] | None = field(default_factory=lambda: dict(USAGE))
    fault: str = ""
    status: int = 500
    envelope: Any = None
    """Said in place of an answer where it is not None."""
    calls: list[Call] = field(default_factory=list)
    released: threading.Event = field(default_factory=threading.Event)
    dripping: threading.Event = field(default_factory=threading.Event)
    left: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    """Released each time somebody who was kept waiting has gone."""

    def say(self, answer: Any) -> None:
        """Answer with this from now on: text as it is, anything else as JSON."""
        self.text = answer if isinstance(answer, str) else json.dumps(answer)

    def next_body(self) -> bytes:
        if self.envelope is not None:
            return self.envelope if isinstance(self.envelope, bytes) else json.dumps(self.envelope).encode()
        said = self.replies.pop(0) if self.replies else self.text
        return json.dumps(envelope(said, self.usage)).encode()


def envelope(text: str, usage: dict[str, Any] | None = None) -> dict[str, Any]:
    """Return an answer as Google wraps it."""
    candidate = {"content": {"role": "model", "parts": [{"text": text}]}, "finishReason": "STOP", "index": 0}
    made: dict[str, Any] = {"candidates": [candidate], "modelVersion": MODEL}
    return made if usage is None else {**made, "usageMetadata": usage}


class _Handler(BaseHTTPRequestHandler):
    gemini: Gemini
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: Any) -> None:
        return

    def do_POST(self) -> None:
        raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.gemini.calls.append(Call(path=self.path, headers=headers, raw=raw))
        self.close_connection = True
        getattr(self, f"_{self.gemini.fault or 'answer'}")()

    def _answer(self) -> None:
        self._send(200, self.gemini.next_body())

    def _unmeasured(self) -> None:
        """Answer well, and let the end of the line be the end of the answer."""
        self._answer()

    def _status(self) -> None:
        self._send(self.gemini.status, json.dumps({"error": {"code": self.gemini.status, "message": KEY}}).encode())

    def _html(self) -> None:
        self._send(200, self.gemini.next_body(), kind="text/html")

    def _huge(self) -> None:
        self._send(200, json.dumps(envelope("x" * 5_000_000)).encode())

    def _empty(self) -> None:
        self._send(200, b"")

    def _broken(self) -> None:
        self._send(200, self.gemini.next_body()[:-20])

    def _cut(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", "5000")
        self.end_headers()
        self.wfile.write(b'{"candidates": [')

    def _silent(self) -> None:
        self.gemini.released.wait(30)
        self.gemini.left.release()

    def _drip(self) -> None:
        """Send an answer byte by byte, slower than it can ever be read in time, until the other side has gone."""
        body = self.gemini.next_body()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        try:
            for byte in body * 100:
                self.wfile.write(bytes([byte]))
                self.wfile.flush()
                self.gemini.dripping.set()
                if self.gemini.released.wait(0.05):
                    break
        except OSError:
            pass  # it hung up, as it should
        self.gemini.left.release()

    def _send(self, status: int, body: bytes, *, kind: str = "application/json; charset=UTF-8") -> None:
        try:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Connection", "close")  # as servers say that were asked to hang up
            if self.gemini.fault != "unmeasured":
                self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
        except OSError:
            pass  # it has read as much as it wanted


@contextmanager
def running() -> Iterator[Gemini]:
    """Start a server and let it go; whoever still waits for an answer is let go too."""
    gemini = Gemini()
    made = ThreadingHTTPServer(("127.0.0.1", 0), type("Bound", (_Handler,), {"gemini": gemini}))
    made.daemon_threads = True
    gemini.url = f"http://127.0.0.1:{made.server_address[1]}"
    thread = threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield gemini
    finally:
        gemini.released.set()
        made.shutdown()
        made.server_close()
        thread.join()
