"""Work that takes a core and hundreds of megabytes: so much of it at once on one machine, and trading never waits."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def place(folder: Path, *, places: int) -> Iterator[bool]:
    """Hold one of the machine's places for heavy work while the block runs; False: all are taken.

    A place is a locked file in `folder`, so it is free again when its process ends, however it ends.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(places):
        descriptor = os.open(folder / f"heavy-{number}.lock", os.O_CREAT | os.O_RDWR, 0o600)
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue
            yield True
            return
        finally:
            os.close(descriptor)
    yield False


def step_back() -> None:
    """Let whoever trades go first, for as long as this process lives."""
    os.nice(10 - os.nice(0))
