"""Looking at real processes: those of a session, whether they live, and waiting for it."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

needs_linux = pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a child that its parent died")


def is_alive(pid: int) -> bool:
    """Return whether a process runs; one that ended and waits to be collected does not."""
    try:
        return _stat(pid)[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def descendants(pid: int) -> list[int]:
    """Return the processes that a process started, directly or not."""
    parents = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal() and is_alive(int(entry.name)):
            try:
                parents[int(entry.name)] = int(_stat(int(entry.name))[1])
            except (FileNotFoundError, ProcessLookupError):  # it has ended meanwhile
                continue
    found, level = [], [pid]
    while level := [child for child, parent in parents.items() if parent in level]:
        found += level
    return found


def parent_of(pid: int) -> int:
    """Return what a process was started by, 0 where it has ended."""
    try:
        return int(_stat(pid)[1])
    except (FileNotFoundError, ProcessLookupError):
        return 0


def eventually(holds: Callable[[], bool], *, within: float = 30.0) -> bool:
    """Return whether a condition comes true in time."""
    deadline = time.monotonic() + within
    while time.monotonic() < deadline:
        if holds():
            return True
        time.sleep(0.05)
    return False


def _stat(pid: int) -> list[str]:
    """Return the state, the parent and what follows; the name before them may hold spaces."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
