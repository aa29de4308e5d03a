"""Where Numba keeps what it has compiled: beside the code, or with the data where the code cannot be written."""

from __future__ import annotations

import os
from collections.abc import MutableMapping
from pathlib import Path

VARIABLE = "NUMBA_CACHE_DIR"


def keep(*, code: Path, data: Path, environment: MutableMapping[str, str] = os.environ) -> None:
    """Name a folder that can be written, for this process and those it starts, unless somebody has named one.

    Without it Numba looks in the home of the caller, which `sudo` leaves at that of root, and gives up.
    """
    if not os.access(code, os.W_OK):
        environment.setdefault(VARIABLE, str(data / "numba"))
