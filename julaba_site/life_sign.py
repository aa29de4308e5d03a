"""Shows whoever looks after this process, the supervisor or systemd, that it still does its work."""

from __future__ import annotations

import os
from pathlib import Path

from julaba_site import sd_notify

HEARTBEAT = "JULABA_HEARTBEAT"
"""Names the file by which a process shows the supervisor that it lives."""


def touch() -> None:
    if path := os.environ.get(HEARTBEAT):
        Path(path).touch()


def show() -> None:
    touch()
    sd_notify.alive()
