"""Tells systemd that the system is ready and still lives, where systemd asked to be told (sd_notify(3))."""

from __future__ import annotations

import os
import socket
import time

_told_at = 0.0


def ready(text: str) -> bool:
    """Say that start-up is over; False where nobody listens."""
    return _send(f"READY=1\nSTATUS={_line(text)}")


def stopping() -> bool:
    return _send("STOPPING=1")


def alive() -> bool:
    """Say that the loop turns, at most twice as often as WatchdogSec asks for; False where that was not due."""
    global _told_at
    interval = _interval()
    now = time.monotonic()
    if not interval or now - _told_at < interval:
        return False
    _told_at = now
    return _send("WATCHDOG=1")


def _interval() -> float:
    """Return half of WatchdogSec; 0 where neither this process nor the one that forked it is watched."""
    watched = os.environ.get("WATCHDOG_PID", "")
    if watched and watched not in (str(os.getpid()), str(os.getppid())):
        return 0.0
    micros = os.environ.get("WATCHDOG_USEC", "")
    return int(micros) / 2_000_000 if micros.isdecimal() else 0.0


def _send(state: str) -> bool:
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address.startswith(("/", "@")):
        return False
    # A name that begins with @ is one of Linux' abstract ones.
    target = f"\0{address[1:]}" if address.startswith("@") else address
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as client:
            client.sendto(state.encode(), target)
    except OSError:
        return False  # systemd restarts what it does not hear of, which is all that could be done here
    return True


def _line(text: str) -> str:
    return " ".join(text.split())
