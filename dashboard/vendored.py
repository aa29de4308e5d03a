"""Serves third-party browser code from the installed wheels, so none of it lies in the repository."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from importlib import util
from pathlib import Path
from typing import Any

from django.contrib.staticfiles.finders import BaseFinder
from django.core.files.storage import FileSystemStorage, Storage

FILES = {
    # static name: (package, file inside it)
    "vendor/lightweight-charts.js": ("lightweight_charts", "js/lightweight-charts.js"),
}


def location(name: str) -> Path | None:
    """Return where the wheel keeps a file; the package itself is not imported."""
    if name not in FILES:
        return None
    package, inside = FILES[name]
    spec = util.find_spec(package)
    return Path(spec.origin).parent / inside if spec and spec.origin else None


class PackageFinder(BaseFinder):
    """A static files finder for exactly the files listed above."""

    def find(self, path: str, find_all: bool = False, **_: Any) -> Any:
        found = location(path)
        if find_all:
            return [str(found)] if found else []
        return str(found) if found else None

    def list(self, ignore_patterns: Iterable[str] | None) -> Iterator[tuple[str, Storage]]:
        for name in FILES:
            if found := location(name):
                yield name, _OneFile(name, found)


class _OneFile(FileSystemStorage):
    """A storage that knows one file under its static name."""

    def __init__(self, name: str, file: Path) -> None:
        super().__init__(location=file.parent)
        self._file = file

    def path(self, name: str) -> str:
        return str(self._file)
