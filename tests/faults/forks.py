"""Runs a piece of a test in a process of its own, which may stop, run out of something, or die."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Callable

from tests.processes import is_alive


def start(act: Callable[[], object]) -> int:
    """Run `act` in a fork and return its process number; it opens what it needs by itself."""
    sys.stdout.flush()
    sys.stderr.flush()
    child = os.fork()
    if child:
        return child
    code = 1
    try:
        act()
        code = 0
    except BaseException:  # noqa: BLE001 - the last frame of this process: it tells and ends
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(code)


def wait_until_stopped(child: int) -> None:
    """Return when the process has been stopped by a signal; AssertionError where it ended instead."""
    _, status = os.waitpid(child, os.WUNTRACED)
    assert os.WIFSTOPPED(status), f"it ended with {status}"
    assert is_alive(child)


def exit_code(child: int) -> int:
    """Wait for the end; negative: the signal that killed it."""
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
