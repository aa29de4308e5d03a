"""What systemd is told, over a socket of our own."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from julaba_site import sd_notify


@pytest.fixture
def systemd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(tmp_path / "notify"))
        listener.setblocking(False)
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        monkeypatch.setattr(sd_notify, "_told_at", 0.0)
        monkeypatch.setattr(time, "monotonic", lambda: 1000.0)
        yield listener


def test_start_up_is_told_in_one_line(systemd: socket.socket) -> None:
    assert sd_notify.ready("answers on\nhttp://x/")

    assert systemd.recv(200) == b"READY=1\nSTATUS=answers on http://x/"


def test_life_is_told_once_in_half_of_what_is_asked_for(
    systemd: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WATCHDOG_USEC", "30000000")
    monkeypatch.setenv("WATCHDOG_PID", str(os.getpid()))

    told = [sd_notify.alive(), sd_notify.alive()]
    monkeypatch.setattr(time, "monotonic", lambda: 1015.0)
    told.append(sd_notify.alive())

    assert told == [True, False, True]
    assert systemd.recv(200) == systemd.recv(200) == b"WATCHDOG=1"


@pytest.mark.parametrize("variables", [{}, {"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "999999999"}])
def test_who_is_not_watched_says_nothing(
    systemd: socket.socket, monkeypatch: pytest.MonkeyPatch, variables: dict[str, str]
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)

    assert not sd_notify.alive()
    with pytest.raises(BlockingIOError):
        systemd.recv(200)


def test_without_systemd_nothing_happens(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    assert not sd_notify.ready("x")

    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "gone"))
    assert not sd_notify.stopping()


def test_an_abstract_socket_is_reached_too(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    name = f"julaba-{tmp_path.name}-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(f"\0{name}")
        monkeypatch.setenv("NOTIFY_SOCKET", f"@{name}")

        assert sd_notify.stopping()
        assert listener.recv(200) == b"STOPPING=1"
