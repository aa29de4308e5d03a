"""The door to the pictures: each is drawn by a process of its own, which takes its 80 MB with it when it ends."""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from django.conf import settings

from notifications.drawing import spec
from notifications.drawing.spec import Picture
from notifications.ports import File

MEDIA = {"png": "image/png", "pdf": "application/pdf", "svg": "image/svg+xml"}
PATIENCE_S, QUEUE_S = 34.0, 8.0
"""Together less than a task may take."""
_KEPT = ("PATH", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "TMPDIR")
"""Of the environment; keys and passwords are no business of a picture."""


class NotDrawn(Exception):
    """There is no picture; one sentence that says why."""


def draw(picture: Picture, *, name: str, format: str = "png") -> File:
    """Return the picture as a file; raises NotDrawn."""
    folder = settings.JULABA_DATA_DIR / "run"
    told = json.dumps(spec.as_json(picture, format=format)).encode()
    try:
        with _turn(folder):
            made = subprocess.run(
                [sys.executable, "-m", "notifications.drawing"],
                input=told,
                capture_output=True,
                timeout=PATIENCE_S,
                cwd=settings.BASE_DIR,
                env=_environment(folder),
                check=True,
            )
    except subprocess.TimeoutExpired:
        raise NotDrawn(f"it took longer than {PATIENCE_S:.0f} s: the machine is busy, ask again later") from None
    except subprocess.CalledProcessError as error:
        last = error.stderr.decode(errors="replace").strip().rpartition("\n")[2]
        raise NotDrawn(f"the drawing failed: {last[:200] or error.returncode}") from None
    except OSError as error:
        raise NotDrawn(f"the drawing could not be started: {error}") from None
    return File(name=f"{name}.{format}", media=MEDIA[format], content=made.stdout)


@contextmanager
def _turn(folder: Path) -> Iterator[None]:
    """Wait for one's turn: one picture at a time on one machine; raises NotDrawn."""
    folder.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(folder / "drawing.lock", os.O_CREAT | os.O_RDWR, 0o600)
    try:
        deadline = time.monotonic() + QUEUE_S
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise NotDrawn("others are being drawn: ask again in a minute") from None
                time.sleep(0.1)
        yield
    finally:
        os.close(descriptor)


def _environment(folder: Path) -> dict[str, str]:
    kept = {name: value for name in _KEPT if (value := os.environ.get(name))}
    # The list of fonts takes seconds to make, so it is kept.
    return {**kept, "MPLCONFIGDIR": str(folder / "matplotlib"), "MPLBACKEND": "agg", "OMP_NUM_THREADS": "1"}
