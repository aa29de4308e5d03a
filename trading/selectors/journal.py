"""The journal."""

from __future__ import annotations

from trading.models import Event


def events(*, limit: int) -> list[Event]:
    """Return the newest journal rows, newest first."""
    return list(Event.objects.order_by("-at", "-pk")[:limit])
