"""The keys that seal exchange keys: from the environment, else made once and kept beside the data.

The process that serves pages gets none: whoever breaks into it finds sealed exchange keys and nothing to open them.
"""

from __future__ import annotations

import os
import re
import stat
import tempfile
from pathlib import Path

from cryptography.fernet import Fernet
from django.core.exceptions import ImproperlyConfigured

from julaba_site import env

WEB = "web"


def keys(data_dir: Path) -> list[str]:
    """Return the Fernet keys, newest first; none in the process whose JULABA_ROLE is web."""
    if env.text("JULABA_ROLE", "").lower() == WEB:
        return []
    name, given = "CREDENTIALS_KEYS", env.secret("CREDENTIALS_KEYS")
    if given is None:
        path = data_dir / "keys" / "credentials"
        name, given = str(path), _local(path)
    return parsed(name, given, is_needed=True)


def parsed(name: str, given: str, *, is_needed: bool = False) -> list[str]:
    """Return the Fernet keys of a list, newest first; `name` is whence it comes."""
    found = [key for key in re.split(r"[,\s]+", given) if key]
    if (is_needed and not found) or not all(_is_key(key) for key in found):
        raise ImproperlyConfigured(
            f"{name} must hold Fernet keys (32 bytes as urlsafe base64) by comma, newest first; correct it"
        )
    return found


def _is_key(text: str) -> bool:
    try:
        Fernet(text)
    except ValueError:
        return False
    return True


def _local(path: Path) -> str:
    path.parent.parent.mkdir(parents=True, exist_ok=True)
    path.parent.mkdir(mode=0o700, exist_ok=True)
    try:
        if not path.exists():
            _make(path)
        _refuse_open(path.parent, 0o700)
        _refuse_open(path, 0o600)
        return path.read_text(encoding="ascii")
    except OSError as error:
        raise ImproperlyConfigured(
            f"{path} cannot be read or made: {error.strerror}; correct that, or set CREDENTIALS_KEYS_FILE"
        ) from error


def _make(path: Path) -> None:
    """Make the file whole or not at all, and never over another: several processes start at once."""
    handle, temporary = tempfile.mkstemp(dir=path.parent)  # readable by its owner alone
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(Fernet.generate_key())
            file.flush()
            os.fsync(file.fileno())
        os.link(temporary, path)
    except FileExistsError:
        return  # another process was first, and its key is the one
    finally:
        Path(temporary).unlink()


def _refuse_open(path: Path, mode: int) -> None:
    if stat.S_IMODE(path.stat().st_mode) & ~mode:
        raise ImproperlyConfigured(f"{path} can be read by others than its owner: chmod {mode:o} {path}")
