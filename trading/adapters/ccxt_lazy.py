"""ccxt with its hundred venues loaded one by one, each when it is first named: importing all of them takes 50 MB.

    from trading.adapters.ccxt_lazy import ccxt

Names and errors are ccxt's own, and so is what runs; only the venues' modules come later. Where somebody has imported
a package of ccxt in the plain way before, it is used as it is.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType
from typing import Any

__all__ = ["ccxt", "streams"]


@contextmanager
def _without_venues(package: str) -> Iterator[None]:
    """Import a package of ccxt inside, and let its venues come later."""
    if package in sys.modules:
        yield
        return
    absent = _Absent(package)
    sys.meta_path.insert(0, absent)
    try:
        yield
    finally:
        sys.meta_path.remove(absent)
        for venue in absent.venues:
            del sys.modules[f"{package}.{venue}"]
    made = sys.modules[package]
    for venue in absent.venues:
        delattr(made, venue)
    made.__class__ = _Package


class _Absent(MetaPathFinder, Loader):
    """Puts an empty module in each venue's place while a package, as it is imported, names them all."""

    def __init__(self, package_name: str) -> None:
        self._package = package_name
        self.venues: list[str] = []

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname.rpartition(".")[0] != self._package:
            return None
        found = PathFinder.find_spec(fullname, path)
        is_venue = found is not None and found.submodule_search_locations is None
        return ModuleSpec(fullname, self) if is_venue else None

    def exec_module(self, module: ModuleType) -> None:
        venue = module.__name__.rpartition(".")[2]
        self.venues.append(venue)
        setattr(module, venue, None)


class _Package(ModuleType):
    """A package of ccxt, in which the name of a venue is its class, as ccxt has it, and not its module."""

    def __getattr__(self, name: str) -> Any:
        if name not in self.__dict__.get("exchanges", ()):
            raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")
        return getattr(import_module(f"{self.__name__}.{name}"), name)

    def __setattr__(self, name: str, value: Any) -> None:
        if isinstance(value, ModuleType) and name in self.__dict__.get("exchanges", ()):
            value = getattr(value, name)  # Python sets the module that it has just loaded
        super().__setattr__(name, value)


with _without_venues("ccxt"):
    import ccxt


def streams() -> Any:
    """Return ccxt.pro. Any: ccxt has no types."""
    with _without_venues("ccxt.async_support"):
        import ccxt.async_support
    with _without_venues("ccxt.pro"):
        import ccxt.pro
    return ccxt.pro
