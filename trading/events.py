"""The journal: `emit` writes what happened inside the caller's transaction and tells the listeners after commit."""

from __future__ import annotations

import contextlib
import contextvars
import logging
from collections.abc import Iterator, Mapping
from datetime import datetime
from functools import cache
from typing import Any, Protocol

from django.conf import settings
from django.db import transaction
from django.utils.module_loading import import_string

from trading.core import redaction
from trading.models import Event

logger = logging.getLogger(__name__)


class Listener(Protocol):
    """Hears of a fact after its commit; what it raises is logged and never reaches trading."""

    def __call__(self, kind: str, at: datetime) -> None: ...


TICK = "tick"
ADVICE_WANTED = "advice_wanted"
"""A signal waits for those who answer outside the tick."""

_silent = contextvars.ContextVar("julaba_events_silent", default=False)


def emit(kind: str, *, at: datetime, text: str, symbol: str = "", payload: Mapping[str, Any] | None = None) -> None:
    """Write a journal row; listeners hear of it once the surrounding transaction has committed."""
    hidden = redaction.scrub_all(dict(payload or {}))
    Event.objects.create(kind=kind, at=at, text=redaction.scrub(text), symbol=symbol, payload=hidden)
    announce(kind, at=at)


def announce(kind: str, *, at: datetime) -> None:
    """Tell the listeners after commit without a row: for heartbeats, which are not worth keeping."""
    if _silent.get():
        return
    for listener in _listeners():
        # A def: functools.partial here crashes in Django's own error path (5.2).
        def tell(listener: Listener = listener) -> None:
            listener(kind, at)

        transaction.on_commit(tell, robust=True)


@contextlib.contextmanager
def silence() -> Iterator[None]:
    """Keep listeners out while the past is replayed: what is replayed is not news."""
    token = _silent.set(True)
    try:
        yield
    finally:
        _silent.reset(token)


@cache
def _listeners() -> tuple[Listener, ...]:
    return tuple(import_string(path) for path in settings.EVENT_LISTENERS)
