"""Which connection goes where: HTTP to Django, one socket address to the overview's consumer."""

from __future__ import annotations

from typing import Any, cast

from channels.routing import ProtocolTypeRouter, URLRouter
from channels.security.websocket import OriginValidator, WebsocketDenier
from channels.sessions import CookieMiddleware
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.urls import path, re_path

from dashboard import doors
from dashboard.consumers import LiveConsumer


class FullOrigin(OriginValidator):
    """Compares scheme, host and port; a missing or malformed Origin is refused like a foreign one."""

    def valid_origin(self, parsed_origin: Any) -> bool:
        try:
            return bool(super().valid_origin(parsed_origin))
        except ValueError:
            # The port is no number.
            return False


def application(http: Any) -> ProtocolTypeRouter:
    """Return the ASGI application around Django's own."""
    for origin in settings.ALLOWED_ORIGINS:
        # Channels takes a bare host as "any scheme, any port" and a star as "anybody".
        if not origin.startswith(("http://", "https://")):
            raise ImproperlyConfigured(f"ALLOWED_ORIGINS: {origin!r} must name scheme and host, as https://host:port")
    live, nobody = cast("Any", LiveConsumer.as_asgi()), cast("Any", WebsocketDenier.as_asgi())
    patterns: Any = [path("ws/live", live), re_path("", nobody)]
    sockets = URLRouter(patterns)
    checked: Any = doors.refusing(FullOrigin(CookieMiddleware(sockets), settings.ALLOWED_ORIGINS))
    limited: Any = doors.limited(http)
    return ProtocolTypeRouter({"http": limited, "websocket": checked})
