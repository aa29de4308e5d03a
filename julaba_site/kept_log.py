"""Files of the log on a disk that may be full: it is said once, and each line that could not be kept is let go."""

from __future__ import annotations

import logging
import sys
from logging.handlers import RotatingFileHandler, WatchedFileHandler


class _SaysOnce(logging.Handler):
    """Of a line that cannot be written, logging shows a traceback: a full disk would bring a hundred a second."""

    _is_failing = _has_failed = False

    def emit(self, record: logging.LogRecord) -> None:
        self._has_failed = False
        super().emit(record)
        self._is_failing = self._has_failed

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - logging's own name
        error = sys.exception()
        if not isinstance(error, OSError):
            super().handleError(record)
            return
        self._has_failed = True
        if not self._is_failing and sys.stderr:
            sys.stderr.write(f"the log cannot be kept in a file ({error.strerror}): make room\n")


class Turning(_SaysOnce, RotatingFileHandler):
    """A file that one process writes, and turns over when it has grown."""


class Watched(_SaysOnce, WatchedFileHandler):
    """A file that any number of processes write, and somebody else moves away."""
