"""The supervisor's questions to its children, over real sockets."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from julaba_site import probe as module
from julaba_site import supervisor
from julaba_site.probe import Probe
from julaba_site.supervisor import Child, Supervisor
from tests import ports

MUTE = """
import socket, sys, time
server = socket.create_server(("127.0.0.1", int(sys.argv[1])))
open(sys.argv[2], "a").write("x")
time.sleep(60)
"""


@pytest.fixture(autouse=True)
def _often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "EVERY_S", 0.2)


def turned(probe: Probe, holds: Callable[[], bool], *, within: float = 3.0) -> bool:
    end = time.monotonic() + within
    while time.monotonic() < end:
        probe.turn()
        if holds():
            return True
        time.sleep(0.02)
    return False


@pytest.mark.parametrize("is_unix", [True, False], ids=["unix", "tcp"])
def test_whoever_answers_is_heard_each_time(is_unix: bool, tmp_path: Path) -> None:
    path = str(tmp_path / "s")
    server = socket.socket(socket.AF_UNIX if is_unix else socket.AF_INET)
    server.bind(path if is_unix else ("127.0.0.1", 0))
    server.listen()
    server.setblocking(False)
    probe = Probe(path if is_unix else server.getsockname(), b"PING\r\n")
    heard: list[bytes] = []

    def answered() -> bool:
        try:
            client, _ = server.accept()
        except BlockingIOError:
            return len(heard) > 1
        with client:
            client.settimeout(2)
            heard.append(client.recv(20) if turned(probe, lambda: probe._is_sent) else b"")
            client.sendall(b"+PONG\r\n")
            before = probe.heard_at
            assert turned(probe, lambda: probe.heard_at > before)
        return False

    with server:
        assert turned(probe, answered)
    assert heard[:2] == [b"PING\r\n"] * 2


def test_where_nobody_listens_nothing_is_heard_and_nothing_raised(tmp_path: Path) -> None:
    unix, tcp = Probe(str(tmp_path / "none"), b"x"), Probe(("127.0.0.1", ports.free()), b"x")

    assert not turned(unix, lambda: unix.heard_at > 0, within=0.6)
    assert not turned(tcp, lambda: tcp.heard_at > 0, within=0.6)


def test_a_child_that_takes_questions_and_answers_none_is_killed_and_started_again(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    port, starts = ports.free(), tmp_path / "starts"
    mute = Child(
        "mute",
        [sys.executable, "-c", MUTE, str(port), str(starts)],
        probe=Probe(("127.0.0.1", port), b"hello\n"),
        silence_s=1.0,
    )

    with Supervisor() as running:
        running.start(mute)
        assert running.run(lambda: starts.exists() and starts.read_text() == "xx", timeout=20)

    assert "mute has done nothing for 1 s and is killed" in capfd.readouterr().out


def test_after_a_pause_of_its_own_the_supervisor_begins_to_count_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisor, "AWAY_S", 0.8)
    sign = tmp_path / "sign"
    sign.touch()
    lively = Child("lively", ["sleep", "60"], heartbeat=sign, silence_s=1.5)
    with Supervisor() as running:
        running.start(lively)
        running.run(timeout=0.3)
        first = lively.process

        time.sleep(2)  # as a machine that slept, where nobody could give a sign
        running.run(timeout=0.5)

        assert isinstance(first, subprocess.Popen)
        assert lively.process is first
        assert running.run(lambda: lively.process is not first, timeout=10)
