"""The keys that seal exchange keys: where they come from, and what stops the start."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured

from julaba_site import credentials_key
from tests.integration.test_credentials import NEW, OLD


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name in ("CREDENTIALS_KEYS", "CREDENTIALS_KEYS_FILE", "JULABA_ROLE"):
        monkeypatch.delenv(name, raising=False)
    return monkeypatch


def test_a_local_key_is_made_once_for_its_owner_alone(tmp_path: Path, environment: pytest.MonkeyPatch) -> None:
    first = credentials_key.keys(tmp_path / "var")

    path = tmp_path / "var" / "keys" / "credentials"
    assert credentials_key.keys(tmp_path / "var") == first == [path.read_text()]
    assert [stat.S_IMODE(p.stat().st_mode) for p in (path, path.parent)] == [0o600, 0o700]
    assert list(path.parent.iterdir()) == [path]


def test_the_web_process_gets_no_key_and_makes_none(tmp_path: Path, environment: pytest.MonkeyPatch) -> None:
    environment.setenv("JULABA_ROLE", "web")
    environment.setenv("CREDENTIALS_KEYS", NEW)

    assert credentials_key.keys(tmp_path) == []
    assert not list(tmp_path.iterdir())


def test_keys_come_from_the_environment_or_a_file(tmp_path: Path, environment: pytest.MonkeyPatch) -> None:
    environment.setenv("CREDENTIALS_KEYS", f"{NEW}, {OLD}")
    assert credentials_key.keys(tmp_path) == [NEW, OLD]

    environment.delenv("CREDENTIALS_KEYS")
    (tmp_path / "given").write_text(f"{OLD},{NEW}\n")
    environment.setenv("CREDENTIALS_KEYS_FILE", str(tmp_path / "given"))
    assert credentials_key.keys(tmp_path) == [OLD, NEW]
    assert not (tmp_path / "keys").exists()


def test_a_wrong_key_stops_the_start_and_is_not_shown(tmp_path: Path, environment: pytest.MonkeyPatch) -> None:
    environment.setenv("CREDENTIALS_KEYS", f"{NEW},half-a-key")

    with pytest.raises(ImproperlyConfigured, match=r"^CREDENTIALS_KEYS must hold Fernet keys") as caught:
        credentials_key.keys(tmp_path)

    assert "half-a-key" not in str(caught.value)


def test_a_key_that_others_can_read_stops_the_start(tmp_path: Path, environment: pytest.MonkeyPatch) -> None:
    credentials_key.keys(tmp_path)
    path = tmp_path / "keys" / "credentials"
    path.chmod(0o644)

    with pytest.raises(ImproperlyConfigured, match=f"chmod 600 {path}"):
        credentials_key.keys(tmp_path)
