"""A server that answers what a test says: replies as a venue was seen to send them, without a venue behind."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(slots=True)
class Canned:
    """Replies by method and path; several to one path are given one after the other, and the last one again and again."""

    port: int = 0
    replies: dict[str, list[tuple[int, str]]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def say(self, where: str, *bodies: str, status: int = 200) -> None:
        """Answer `where`, such as "GET /api/v3/order", by these bodies."""
        self.replies[where] = [(status, body) for body in bodies]

    def answer(self, where: str) -> tuple[int, str]:
        waiting = self.replies.get(where, [(404, "<html>not canned</html>")])
        return waiting.pop(0) if len(waiting) > 1 else waiting[0]


@contextmanager
def canned() -> Iterator[Canned]:
    """Serve until the block ends."""
    place = Canned()

    class Handler(BaseHTTPRequestHandler):
        def _answer(self) -> None:
            content = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
            path, _, query = self.path.partition("?")
            where = f"{self.command} {path}"
            place.asked.append(f"{where} {query or content}")
            place.headers.append(dict(self.headers))
            status, body = place.answer(where)
            self.send_response(status)
            self.send_header("Content-Length", str(len(body.encode())))
            self.end_headers()
            self.wfile.write(body.encode())

        do_GET = do_POST = do_DELETE = _answer  # noqa: N815 - the names that http.server looks for

        def log_message(self, format: str, *args: Any) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        place.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield place
        finally:
            server.shutdown()
            thread.join()
