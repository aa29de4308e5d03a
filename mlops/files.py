"""Model files: XGBoost's own binary JSON and skops, never pickle; what is loaded is what was hashed, byte for byte.

A file that is missing, cut short, swapped or of a kind that could run code is refused in one sentence.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from django.conf import settings

UBJ, SKOPS = ".ubj", ".skops"
_MAGIC = {UBJ: b"{", SKOPS: b"PK\x03\x04"}


class ModelUnusable(Exception):
    """A model file that is not what the registry says; the message says why."""


def folder() -> Path:
    made: Path = settings.JULABA_DATA_DIR / "models"
    return made


def write(kind: str, suffix: str, content: bytes) -> tuple[str, str]:
    """Write a file as a whole, durably, and return its name, which its content gives, and its SHA-256 in hex."""
    sha256 = hashlib.sha256(content).hexdigest()
    place, name = folder(), f"{kind}-{sha256[:16]}{suffix}"
    place.mkdir(parents=True, exist_ok=True)
    temporary = place / f".{name}.part"
    try:
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(place / name)
    finally:
        temporary.unlink(missing_ok=True)
    return name, sha256


def read(name: str, *, sha256: str) -> bytes:
    """Return the content of a file, or raise ModelUnusable where it is not exactly what was written."""
    suffix = Path(name).suffix
    if suffix not in _MAGIC or Path(name).name != name or name.startswith("."):
        raise ModelUnusable(f"{name!r} is no name of a model file: {UBJ} and {SKOPS} in the folder of models are")
    try:
        content = (folder() / name).read_bytes()
    except OSError as error:
        raise ModelUnusable(f"the model file {name} cannot be read ({error.strerror}): train again") from error
    if hashlib.sha256(content).hexdigest() != sha256:
        raise ModelUnusable(f"the model file {name} is not the one that was trained: train again")
    if not content.startswith(_MAGIC[suffix]):
        raise ModelUnusable(f"the model file {name} is of another kind than its name says: train again")
    return content
