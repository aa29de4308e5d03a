"""Named places where a test lets the process die, before and after every step of the order path."""

from __future__ import annotations

import os
import signal

_ROLES = ("entry", "stop", "exit")
_STEPS = ("recorded", "permitted", "answered", "settled")
NAMES = (
    *(f"{role}.{step}" for role in _ROLES for step in _STEPS),
    *(f"cancel.{step}" for step in ("permitted", "answered", "settled")),
)
_VARIABLE = "JULABA_CRASH_POINT"
_passes: dict[str, int] = {}


def reach(name: str) -> None:
    """Die by SIGKILL where JULABA_CRASH_POINT=name:n says so, at the n-th pass; otherwise do nothing."""
    wanted = os.environ.get(_VARIABLE)
    if not wanted:
        return
    if name not in NAMES:
        raise ValueError(f"no crash point is called {name}")
    _passes[name] = _passes.get(name, 0) + 1
    if wanted == f"{name}:{_passes[name]}":
        os.kill(os.getpid(), signal.SIGKILL)
