"""Whoever ended by itself leaves a note, of which people are told: the supervisor writes it, or a unit of systemd does.

`python -m julaba_site.ended NAME` is such a unit's ExecStopPost.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path


def note(folder: Path, name: str, exit_code: int | str) -> None:
    """Write the exit code into a file of that name; a later end replaces it. Raises OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(f"{exit_code}\n")


def main() -> None:
    # "success" is what systemd calls an end that was asked for.
    if os.environ.get("SERVICE_RESULT", "success") != "success":
        data = Path(os.environ.get("JULABA_DATA_DIR", "var"))
        note(data / "run" / "ended", sys.argv[1], os.environ.get("EXIT_STATUS", ""))


if __name__ == "__main__":
    main()
