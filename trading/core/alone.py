"""Imports a library without those that it would load only because they are installed: each takes megabytes and seconds."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def without(*names: str) -> Iterator[None]:
    """Let the modules seem not to be installed while the block imports, except those that are loaded already."""
    hidden = [name for name in names if name not in sys.modules]
    # None is what the import system takes for "there is no such module".
    sys.modules.update(dict.fromkeys(hidden))  # type: ignore[arg-type]
    try:
        yield
    finally:
        for name in hidden:
            del sys.modules[name]
