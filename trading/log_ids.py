"""Ids that every line of the log carries while something is worked on: request, task, tick, signal, order."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar

_ids: ContextVar[Mapping[str, str]] = ContextVar("julaba_log_ids", default={})  # noqa: B039 - it is never changed


@contextmanager
def bound(**ids: object) -> Iterator[None]:
    """Let every line that is logged inside the block carry these ids besides those of the blocks around it."""
    token = _ids.set({**_ids.get(), **{name: str(value) for name, value in ids.items()}})
    try:
        yield
    finally:
        _ids.reset(token)


def current() -> Mapping[str, str]:
    return _ids.get()
