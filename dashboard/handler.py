"""Django behind ASGI, with one change of threads for each request, in threads that stay and keep their connections.

Every view and every middleware here is synchronous. Django's own handler makes a thread for each request, goes there and
back four times, and leaves it with the connection it opened.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import IO, Any

from asgiref.sync import sync_to_async
from django.conf import settings
from django.core import signals
from django.core.exceptions import RequestAborted
from django.core.handlers.asgi import ASGIHandler, get_script_prefix
from django.http.response import HttpResponseBase
from django.urls import set_script_prefix

from dashboard.views import errors

API, API_THREADS, PAGE_THREADS = "/api/", 2, 3
"""Programs and people have threads of their own, so neither keeps the other waiting. Python runs one at a time, and each more makes
the others wait for their turn longer than it is worth: eight answered a third fewer lists in a second (benchmarks/web.py, ADR 25)."""
PATIENCE_S = 5.0
"""A request that has waited longer for a thread is told to come again: what it would cost is better spent on the next."""

Answer = tuple[dict[str, Any], Sequence[bytes]]
"""The first message of an answer, and its body in parts."""


class Handler(ASGIHandler):
    """So many requests at once as there are threads, at most as WEB_CONNECTIONS allows; the others wait their turn."""

    def __init__(self) -> None:
        super().__init__()
        half = settings.WEB_CONNECTIONS // 2
        self._of_api = self._in_threads(min(API_THREADS, half))
        self._of_pages = self._in_threads(min(PAGE_THREADS, settings.WEB_CONNECTIONS - half))

    def _in_threads(self, count: int) -> Any:
        threads = ThreadPoolExecutor(count, thread_name_prefix="request")
        # asgiref's, not run_in_executor: what is asynchronous in a view finds its way back to this loop.
        return sync_to_async(self._answered, thread_sensitive=False, executor=threads)

    def load_middleware(self, is_async: bool = False) -> None:
        super().load_middleware(is_async=False)

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        try:
            body = await self.read_body(receive)
        except RequestAborted:
            return
        answered = self._of_api if scope["path"].startswith(API) else self._of_pages
        begin, parts = await answered(scope, body, time.monotonic())
        await send(begin)
        for part in parts[:-1]:
            await send({"type": "http.response.body", "body": part, "more_body": True})
        await send({"type": "http.response.body", "body": parts[-1] if parts else b""})

    def _answered(self, scope: dict[str, Any], body: IO[bytes], asked_at: float) -> Answer:
        with body:
            set_script_prefix(get_script_prefix(scope))
            signals.request_started.send(sender=self.__class__, scope=scope)
            request, refusal = self.create_request(scope, body)
            if request is None:
                assert refusal is not None
                return _messages(refusal)
            if time.monotonic() - asked_at > PATIENCE_S:
                return _messages(errors.busy(request))
            return _messages(self.get_response(request))


def _messages(answer: HttpResponseBase) -> Answer:
    """Return an answer as messages, and end its request: here, for connections belong to their thread."""
    try:
        headers = [(name.encode("ascii"), value.encode("latin-1")) for name, value in answer.items()]
        headers += [(b"Set-Cookie", c.output(header="").encode("ascii").strip()) for c in answer.cookies.values()]
        parts: Sequence[bytes] = list(answer) if answer.streaming else [answer.content]  # type: ignore[attr-defined]
        return {"type": "http.response.start", "status": answer.status_code, "headers": headers}, parts
    finally:
        answer.close()
