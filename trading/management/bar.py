"""One line that shows how far a command is, where a person looks on; into a file it writes nothing."""

from __future__ import annotations

import time

from django.core.management.base import OutputWrapper

WIDTH = 30


class Bar:
    """Draws itself anew with each call, with the time that is left at the pace so far."""

    def __init__(self, stream: OutputWrapper) -> None:
        self._stream = stream
        self._began = time.monotonic()
        self._drawn = 0

    def __call__(self, done: int, of: int) -> None:
        if not self._stream.isatty() or of < 1:
            return
        filled = WIDTH * done // of
        left = (time.monotonic() - self._began) * (of - done) / max(done, 1)
        line = f"[{'#' * filled}{' ' * (WIDTH - filled)}] {done} of {of}, {left:.0f} s left"
        self._stream.write(f"\r{line:<{self._drawn}}", ending="")
        self._stream.flush()
        self._drawn = len(line)

    def clear(self) -> None:
        """Take the line away."""
        if self._drawn:
            self._stream.write(f"\r{'':<{self._drawn}}\r", ending="")
            self._drawn = 0
