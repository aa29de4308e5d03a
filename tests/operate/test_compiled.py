"""Where compiled indicators are kept: a server's code belongs to root, and its users have no home that can be written."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from julaba_site import compiled


def test_code_that_can_be_written_keeps_what_was_compiled_itself(tmp_path: Path) -> None:
    environment: dict[str, str] = {}

    compiled.keep(code=tmp_path, data=tmp_path / "data", environment=environment)

    assert environment == {}


@pytest.mark.parametrize(
    ("named", "kept"), [({}, "/data/numba"), ({"NUMBA_CACHE_DIR": "/elsewhere"}, "/elsewhere")], ids=["unset", "named"]
)
def test_code_that_cannot_be_written_keeps_it_with_the_data(
    monkeypatch: pytest.MonkeyPatch, named: dict[str, str], kept: str
) -> None:
    monkeypatch.setattr(os, "access", lambda path, mode: (path, mode) != (Path("/opt/code"), os.W_OK))
    environment = dict(named)

    compiled.keep(code=Path("/opt/code"), data=Path("/data"), environment=environment)

    assert environment == {"NUMBA_CACHE_DIR": kept}
