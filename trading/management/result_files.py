"""Files that commands write what they found to: whole or not at all."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError


def refuse_no_folder(**paths: Path | None) -> None:
    """Raise CommandError where a file, by its option, is to be written into no folder: before anything is computed."""
    for option, path in paths.items():
        if path and not path.parent.is_dir():
            raise CommandError(
                f"{path.parent} is not a folder; make it or choose another file for --{option}", returncode=2
            )


def write(path: Path, report: dict[str, Any]) -> None:
    """Write a report as JSON; raises CommandError as `write_bytes` does."""
    write_bytes(path, (json.dumps(report, indent=1, allow_nan=False) + "\n").encode())


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file; raises CommandError where it cannot be written, as on a full disk, and leaves what was there before.

    What is no file, such as /dev/stdout or a pipe, is written to as it is, and a link goes on leading where it led.
    """
    temporary: Path | None = None
    try:
        if path.exists() and not path.is_file():
            path.write_bytes(content)
            return
        target = path.resolve()
        temporary = target.with_name(f".{target.name}.part")
        temporary.write_bytes(content)
        temporary.replace(target)
    except OSError as error:
        if temporary:
            temporary.unlink(missing_ok=True)
        cause = error.strerror or error
        raise CommandError(
            f"{path} cannot be written ({cause}): make room or choose another file", returncode=2
        ) from error
