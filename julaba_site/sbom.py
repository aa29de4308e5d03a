"""What this Julaba is made of: every installed package, its licence and what it needs, as CycloneDX 1.6."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator
from datetime import datetime
from importlib import metadata
from typing import Any

from packaging.requirements import Requirement

SPEC = "1.6"
LONGEST_LICENCE = 80
"""Signs of a licence's name; what is longer is its whole text."""
_OSI = "License :: OSI Approved :: "


def bill(*, version: str, now: datetime) -> dict[str, Any]:
    """Return the bill of materials of the environment that this process runs in."""
    found = {_key(each.name): each for each in metadata.distributions() if each.name}
    components = [_component(each) for _, each in sorted(found.items())]
    root = {"type": "application", "bom-ref": "julaba", "name": "julaba", "version": version}
    refs = [each["bom-ref"] for each in components]
    needed = [{"ref": "julaba", "dependsOn": refs}]
    needed += [{"ref": _ref(each), "dependsOn": sorted(set(_needs(each, found)))} for _, each in sorted(found.items())]
    return {
        "bomFormat": "CycloneDX",
        "specVersion": SPEC,
        "serialNumber": uuid.uuid5(uuid.NAMESPACE_URL, " ".join((version, *refs))).urn,
        "version": 1,
        "metadata": {"timestamp": now.isoformat(timespec="seconds"), "component": root},
        "components": components,
        "dependencies": needed,
    }


def _component(found: metadata.Distribution) -> dict[str, Any]:
    ref = _ref(found)
    licences = list(_licences(found))
    told = {"type": "library", "bom-ref": ref, "name": found.name, "version": found.version, "purl": ref}
    return told | ({"licenses": licences} if licences else {})


def _licences(found: metadata.Distribution) -> Iterator[dict[str, Any]]:
    for expression in _told(found, "License-Expression")[:1]:
        yield {"expression": expression}
        return
    names = [line.removeprefix(_OSI) for line in _told(found, "Classifier") if line.startswith(_OSI)]
    names = names or [text.splitlines()[0][:LONGEST_LICENCE] for text in _told(found, "License") if text != "UNKNOWN"]
    for name in dict.fromkeys(names):
        yield {"license": {"name": name}}


def _told(found: metadata.Distribution, name: str) -> list[str]:
    return [text.strip() for text in found.metadata.get_all(name) or () if text.strip()]


def _needs(found: metadata.Distribution, installed: dict[str, metadata.Distribution]) -> Iterator[str]:
    """Return what a package needs here, its extras aside."""
    for line in found.requires or ():
        wanted = Requirement(line)
        other = installed.get(_key(wanted.name))
        if other is not None and (wanted.marker is None or wanted.marker.evaluate({"extra": ""})):
            yield _ref(other)


def _ref(found: metadata.Distribution) -> str:
    return f"pkg:pypi/{_key(found.name)}@{found.version}"


def _key(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
