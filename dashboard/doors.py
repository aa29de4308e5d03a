"""Around the whole web process, before Django: no body is taken in beyond a size, and a refused socket is told with headers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from django.conf import settings

from dashboard.middleware import HEADERS

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Any, Any, Any], Awaitable[None]]
REFUSAL = "websocket.http.response"
TOO_LARGE = b'{"type":"about:blank","title":"Too much","status":413,"detail":"the body is larger than is taken here"}'


def limited(app: App) -> App:
    """Answer 413 as soon as a body is larger than settings.MOST_BODY: Django would write it to disk first."""

    async def guard(scope: Any, receive: Receive, send: Send) -> None:
        taken, has_answered = 0, False

        async def counted() -> Message:
            nonlocal taken, has_answered
            message = await receive()
            taken += len(message.get("body", b""))
            if taken <= settings.MOST_BODY:
                return message
            if not has_answered:
                has_answered = True
                await _say_too_large(send)
            return {"type": "http.disconnect"}

        async def unless_answered(message: Message) -> None:
            if not has_answered:
                await send(message)

        await app(scope, counted, unless_answered)

    return guard


def refusing(app: App) -> App:
    """Have sockets that are refused before they were accepted carry the headers of every other answer."""

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

        await app(scope, receive, told)

    return guard


async def _say_too_large(send: Send) -> None:
    headers = [(b"content-type", b"application/problem+json"), (b"connection", b"close"), *_headers()]
    await send({"type": "http.response.start", "status": 413, "headers": headers})
    await send({"type": "http.response.body", "body": TOO_LARGE})


def _headers() -> list[tuple[bytes, bytes]]:
    told = {**HEADERS, "X-Content-Type-Options": "nosniff", "Content-Security-Policy": "default-src 'none'"}
    told |= {"Referrer-Policy": settings.SECURE_REFERRER_POLICY, "Cross-Origin-Opener-Policy": "same-origin"}
    if settings.SECURE_HSTS_SECONDS:
        told["Strict-Transport-Security"] = f"max-age={settings.SECURE_HSTS_SECONDS}; includeSubDomains; preload"
    return [(name.lower().encode(), value.encode()) for name, value in told.items()]
