"""The Celery application with a task that keeps what it should let go of."""

from __future__ import annotations

import os
from pathlib import Path

from julaba_site.celery import app

_kept: list[bytes] = []


@app.task(name="tests.leak")
def leak(log: str, number: int, megabytes: int) -> None:
    """Keep some memory for good, and write down which task did, in which process."""
    _kept.append(os.urandom(1) * (megabytes << 20))
    with Path(log).open("a") as file:
        file.write(f"{number} {os.getpid()}\n")
