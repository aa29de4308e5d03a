"""How the kernel is compiled: as one function, kept on disk, and made anew when any of its parts has changed."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, cast

from numba import njit

Function = TypeVar("Function", bound=Callable[..., object])
_FOLDER = Path(__file__).parent
_PARTS = (
    *(_FOLDER / name for name in ("booking.py", "inputs.py", "judging.py", "kernel.py", "money.py", "records.py")),
    *(_FOLDER.parent / "core" / name for name in ("position.py", "sizing.py")),
)


def inner(function: Function) -> Function:
    """Compile a part of the kernel, to be laid into what calls it.

    It may make no array: references are not counted, since counting those to sixty arrays takes most of the time.
    """
    return cast("Function", _njit(forceinline=True, error_model="numpy", _nrt=False)(function))


def outer(function: Function) -> Function:
    """Compile the kernel itself, without the interpreter's lock, and keep it on disk."""
    made = _njit(cache=True, nogil=True, error_model="numpy", _nrt=False)(function)
    # numba looks at the file of the function alone; the kernel is also old when a part in another file has changed.
    made._cache._cache_file._source_stamp = _stamp()  # noqa: SLF001
    return cast("Function", made)


def _stamp() -> str:
    return hashlib.blake2b(b"".join(part.read_bytes() for part in _PARTS), digest_size=16).hexdigest()


# Any: numba's types do not know _nrt.
_njit: Any = njit
