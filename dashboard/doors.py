"""Around the whole web process, before Django: no body beyond a size or a time, no socket in the open, headers on each refusal."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from django.conf import settings

from dashboard.middleware import HEADERS

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Any, Any, Any], Awaitable[None]]
REFUSAL = "websocket.http.response"
BODY_S = 30.0
"""A body of the largest size comes in so long by the slowest line that is worth waiting for."""
REASONS = {
    408: ("Too slow", "the body did not come in time"),
    413: ("Too much", "the body is larger than is taken here"),
}


def limited(app: App) -> App:
    """Answer 413 as soon as a body is larger than settings.MOST_BODY, which Django would write to disk first, and 408
    once it takes longer than BODY_S: whoever drips holds a place for others.
    """

    async def guard(scope: Any, receive: Receive, send: Send) -> None:
        taken, has_answered, is_whole = 0, False, False
        until = asyncio.get_running_loop().time() + BODY_S

        async def counted() -> Message:
            nonlocal taken, has_answered, is_whole
            try:
                # After the body comes nothing but the end, however long the answer takes.
                async with asyncio.timeout_at(None if is_whole else until):
                    message = await receive()
            except TimeoutError:
                status = 408
            else:
                taken += len(message.get("body", b""))
                is_whole = not message.get("more_body", False)
                if taken <= settings.MOST_BODY:
                    return message
                status = 413
            if not has_answered:
                has_answered = True
                await _refuse(send, status)
            return {"type": "http.disconnect"}

        async def unless_answered(message: Message) -> None:
            if not has_answered:
                await send(message)

        await app(scope, counted, unless_answered)

    return guard


def refusing(app: App) -> App:
    """Refuse sockets in the open where there is https; those refused before they were accepted carry every answer's headers."""

    async def guard(scope: Any, receive: Receive, send: Send) -> None:
        can_tell = REFUSAL in scope.get("extensions", {})
        is_open = False

        async def told(message: Message) -> None:
            nonlocal is_open
            is_open = is_open or message["type"] == "websocket.accept"
            if not can_tell or is_open or message["type"] != "websocket.close":
                await send(message)
                return
            await send({"type": f"{REFUSAL}.start", "status": 403, "headers": _headers()})
            await send({"type": f"{REFUSAL}.body", "body": b""})

        if settings.HTTPS and scope.get("scheme") != "wss":
            await receive()
            await told({"type": "websocket.close", "code": 1008})
            return
        await app(scope, receive, told)

    return guard


async def _refuse(send: Send, status: int) -> None:
    title, detail = REASONS[status]
    told = {"type": "about:blank", "title": title, "status": status, "detail": detail}
    headers = [(b"content-type", b"application/problem+json"), (b"connection", b"close"), *_headers()]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": json.dumps(told).encode()})


def _headers() -> list[tuple[bytes, bytes]]:
    told = {**HEADERS, "X-Content-Type-Options": "nosniff", "Content-Security-Policy": "default-src 'none'"}
    told |= {"Referrer-Policy": settings.SECURE_REFERRER_POLICY, "Cross-Origin-Opener-Policy": "same-origin"}
    if settings.SECURE_HSTS_SECONDS:
        told["Strict-Transport-Security"] = f"max-age={settings.SECURE_HSTS_SECONDS}; includeSubDomains; preload"
    return [(name.lower().encode(), value.encode()) for name, value in told.items()]
