"""The supervisor over real, short-lived processes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from julaba_site import supervisor as module
from julaba_site.supervisor import Child, Supervisor
from tests.processes import descendants, eventually, is_alive, needs_linux

ROOT = Path(__file__).resolve().parents[2]


def python(code: str) -> list[str]:
    return [sys.executable, "-u", "-c", code]


def test_a_child_that_died_is_started_again_after_a_growing_wait(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    log = tmp_path / "log"
    child = Child("mortal", python(f"import time; open({str(log)!r}, 'a').write(f'{{time.time()}}\\n'); exit(3)"))

    with Supervisor() as supervisor:
        supervisor.start(child)
        assert supervisor.run(lambda: log.exists() and len(log.read_text().split()) == 3, timeout=10)

    first, second, third = map(float, log.read_text().split())
    assert 1.0 <= second - first < 2.0
    assert 2.0 <= third - second < 4.0
    assert "mortal ended with exit code 3; starting it again in 2 s" in capfd.readouterr().out


def test_the_wait_doubles_up_to_a_bound_and_a_settled_life_resets_it() -> None:
    child = Child("mortal", [], started_at=time.monotonic())

    assert [child.plan_restart() for _ in range(7)] == [1, 2, 4, 8, 16, 30, 30]

    child.started_at -= module.SETTLED_S
    assert child.plan_restart() == 1


def test_a_command_that_cannot_start_is_tried_again(capfd: pytest.CaptureFixture[str]) -> None:
    child = Child("absent", ["/nonexistent/program"])

    with Supervisor() as supervisor:
        supervisor.start(child)
        supervisor.run(timeout=0.3)

    assert child.due_at is not None
    assert "absent cannot start" in capfd.readouterr().out


def test_a_child_that_runs_once_may_end(capfd: pytest.CaptureFixture[str]) -> None:
    child = Child("once", python("print('done'); exit(4)"), runs_once=True)

    with Supervisor() as supervisor:
        supervisor.start(child)
        assert supervisor.run(lambda: child.exit_code is not None, timeout=10)

    assert child.exit_code == 4
    assert child.due_at is None
    assert capfd.readouterr().out == "once    | done\n"


def test_lines_stay_whole_and_carry_the_name(capfd: pytest.CaptureFixture[str]) -> None:
    halves = "import time; print('one ', end=''); time.sleep(0.5); print('line'); print('no newline', end='')"
    children = [Child(name, python(halves), runs_once=True) for name in ("left", "right")]

    with Supervisor() as supervisor:
        for child in children:
            supervisor.start(child)
        assert supervisor.run(lambda: all(child.exit_code is not None for child in children), timeout=10)

    assert sorted(capfd.readouterr().out.splitlines()) == [
        "left    | no newline",
        "left    | one line",
        "right   | no newline",
        "right   | one line",
    ]


def test_children_stop_last_first_one_after_the_other(tmp_path: Path) -> None:
    log = tmp_path / "log"
    code = """
import signal, time
def stop(*_):
    time.sleep(0.2)
    open({log!r}, "a").write({name!r})
    raise SystemExit
signal.signal(signal.SIGTERM, stop)
print("ready")
time.sleep(60)
"""
    children = [Child(name, python(code.format(log=str(log), name=name))) for name in "abc"]

    with Supervisor() as supervisor:
        for child in children:
            supervisor.start(child)
        supervisor.run(timeout=1.5)

    assert log.read_text() == "cba"
    assert all(child.process is None for child in children)


def test_a_child_that_will_not_stop_is_killed_with_all_it_started(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(module, "GRACE_S", 0.5)
    stubborn = (
        "import signal, subprocess, time; signal.signal(signal.SIGTERM, signal.SIG_IGN);"
        "print('grandchild', subprocess.Popen(['sleep', '60']).pid); time.sleep(60)"
    )

    with Supervisor() as supervisor:
        supervisor.start(Child("deaf", python(stubborn)))
        supervisor.run(timeout=1.5)

    said = capfd.readouterr().out
    assert "deaf did not stop within" in said
    grandchild = int(said.split("grandchild ")[1].split()[0])
    assert eventually(lambda: not is_alive(grandchild), within=2)


def test_what_a_dead_child_left_behind_is_killed(capfd: pytest.CaptureFixture[str]) -> None:
    code = "import subprocess; print('left', subprocess.Popen(['sleep', '60']).pid)"
    child = Child("parent", python(code), runs_once=True)

    with Supervisor() as supervisor:
        supervisor.start(child)
        assert supervisor.run(lambda: child.exit_code is not None, timeout=10)

        left = int(capfd.readouterr().out.split("left ")[1])
        assert eventually(lambda: not is_alive(left), within=2)


def test_a_signal_ends_the_run_and_is_handed_back_afterwards() -> None:
    before = signal.getsignal(signal.SIGTERM)

    with Supervisor() as supervisor:
        os.kill(os.getpid(), signal.SIGTERM)
        assert supervisor.run(timeout=5) is False
        assert supervisor.is_stopping

    assert signal.getsignal(signal.SIGTERM) is before


# --- A supervisor in a process of its own ------------------------------------------------------------

SUPERVISED = """
import os, sys, json
from julaba_site.supervisor import Child, Supervisor
with Supervisor(parent=json.loads(sys.argv[1])) as supervisor:
    for name in ("one", "two"):
        supervisor.start(Child(name, [sys.executable, "-c", sys.argv[2]]))
    supervisor.run()
"""
PATIENT = "import time; time.sleep(60)"
DEAF = f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); {PATIENT}"


@contextmanager
def supervising(child: str) -> Iterator[tuple[subprocess.Popen[bytes], list[int]]]:
    """Start a supervisor over two children; yield its process and theirs."""
    command = [*python(SUPERVISED), json.dumps(None), child]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, start_new_session=True) as process:
        try:
            assert eventually(lambda: len(descendants(process.pid)) == 2)
            yield process, descendants(process.pid)
        finally:
            process.kill()


@needs_linux
def test_nothing_is_left_when_the_supervisor_is_killed() -> None:
    with supervising(PATIENT) as (process, children):
        process.kill()

        assert eventually(lambda: not any(map(is_alive, children)), within=5)


@needs_linux
def test_a_second_ctrl_c_kills_at_once() -> None:
    with supervising(DEAF) as (process, children):
        time.sleep(0.5)  # until the children are deaf
        process.send_signal(signal.SIGINT)
        time.sleep(1)
        assert all(map(is_alive, children))

        process.send_signal(signal.SIGINT)

        process.wait(timeout=5)
        assert eventually(lambda: not any(map(is_alive, children)), within=2)


@needs_linux
def test_it_stops_when_its_parent_dies() -> None:
    launch = "import os, subprocess, sys; subprocess.Popen([*sys.argv[1:4], str(os.getpid()), sys.argv[4]]).wait()"
    command = [*python(launch), sys.executable, "-c", SUPERVISED, PATIENT]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL) as parent:
        assert eventually(lambda: len(descendants(parent.pid)) == 3)
        started = descendants(parent.pid)

        parent.kill()

        assert eventually(lambda: not any(map(is_alive, started)), within=5)
