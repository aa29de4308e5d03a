"""The units of systemd: who is given keys, and who is started anew when he lives and does nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.operate.test_deploy import DEPLOY, SERVICES, Unit


@pytest.mark.parametrize("path", SERVICES, ids=lambda path: str(path.name))
def test_who_is_given_no_keys_makes_itself_none_either(path: Path) -> None:
    text = path.read_text()

    assert ("keys.env" in text) != ("Environment=JULABA_ROLE=web" in text)


@pytest.mark.parametrize("name", ["julaba-stream.service", "julaba-beat.service", "julaba-worker@.service"])
def test_what_lives_and_does_nothing_is_started_anew(name: str) -> None:
    service = Unit(DEPLOY / "systemd" / name)["Service"]

    assert 60 <= int(service["WatchdogSec"]) <= 300
    assert service["NotifyAccess"] in ("main", "all")
    assert service["Restart"] == "always"
