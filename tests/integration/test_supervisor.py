"""The supervisor over real, short-lived processes."""

from __future__ import annotations

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

DEAF = """
import pathlib, signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
grandchild = subprocess.Popen(["sleep", "60"])
pathlib.Path(sys.argv[1], str(grandchild.pid)).touch()
time.sleep(60)
"""
"""Refuses to stop, and leaves the id of a process of its own in the folder it is given."""


def python(code: str) -> list[str]:
    return [sys.executable, "-u", "-c", code]


def test_a_child_that_died_is_started_again_after_a_growing_wait(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    log = tmp_path / "log"
    child = Child("mortal", python(f"import time; open({str(log)!r}, 'a').write(f'{{time.time()}}\\n'); exit(3)"))

    with Supervisor(notes=tmp_path / "ended") as supervisor:
        supervisor.start(child)
        supervisor.start(Child("once", python("exit(4)"), runs_once=True))
        supervisor.start(Child("lively", ["sleep", "60"]))
        assert supervisor.run(lambda: log.exists() and len(log.read_text().split()) == 3, timeout=10)

    first, second, third = map(float, log.read_text().split())
    assert second - first >= 1.0
    assert third - second >= 2.0
    assert "mortal ended with exit code 3; starting it again in 2 s" in capfd.readouterr().out
    assert [(path.name, path.read_text()) for path in (tmp_path / "ended").iterdir()] == [("mortal", "3\n")]


def test_the_wait_doubles_up_to_a_bound_and_a_settled_life_resets_it() -> None:
    child = Child("mortal", [], started_at=time.monotonic())

    assert [child.plan_restart() for _ in range(7)] == [1, 2, 4, 8, 16, 30, 30]

    child.started_at -= module.SETTLED_S
    assert child.plan_restart() == 1


def test_a_child_that_gives_no_sign_of_life_is_killed_and_started_again(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    starts, sign = tmp_path / "starts", tmp_path / "sign"
    deaf = Child(
        "deaf",
        python(f"import time; open({str(starts)!r}, 'a').write('x'); time.sleep(60)"),
        heartbeat=sign,
        silence_s=0.8,
    )

    with Supervisor() as supervisor:
        supervisor.start(deaf)
        assert supervisor.run(lambda: starts.exists() and starts.read_text() == "xx", timeout=15)

    assert "deaf has done nothing for 1 s and is killed" in capfd.readouterr().out


@needs_linux
def test_a_nice_child_lets_others_go_first_whatever_session_they_are_of(tmp_path: Path) -> None:
    told = tmp_path / "told"
    code = f"""
import os, pathlib, time
group = pathlib.Path("/proc/self/autogroup")
while os.getpriority(os.PRIO_PROCESS, 0) == {os.getpriority(os.PRIO_PROCESS, 0)}:
    time.sleep(0.01)
time.sleep(0.2)
pathlib.Path({str(told)!r}).write_text(f"{{os.getpriority(os.PRIO_PROCESS, 0)}} {{group.read_text() if group.exists() else 'nice 7'}}")
"""

    with Supervisor() as supervisor:
        supervisor.start(Child("modest", python(code), runs_once=True, nice=7))
        assert supervisor.run(told.exists, timeout=10)

    nice, _, group = told.read_text().partition(" ")
    assert int(nice) == os.getpriority(os.PRIO_PROCESS, 0) + 7
    assert group.split()[-2:] == ["nice", "7"]


def test_a_child_that_gives_signs_of_life_is_left_alone(tmp_path: Path) -> None:
    sign = tmp_path / "sign"
    code = f"import pathlib, time\nwhile True: pathlib.Path({str(sign)!r}).touch(); time.sleep(0.1)"
    lively = Child("lively", python(code), heartbeat=sign, silence_s=1.5)

    with Supervisor() as supervisor:
        supervisor.start(lively)
        supervisor.run(timeout=3.0)

        assert lively.exit_code is None
        assert lively.process is not None


def test_who_stands_in_runs_only_while_the_other_is_silent(tmp_path: Path) -> None:
    sign, runs = tmp_path / "sign", tmp_path / "runs"
    double = Child(
        "double",
        python(f"open({str(runs)!r}, 'a').write('x')"),
        runs_once=True,
        stands_in=True,
        heartbeat=sign,
        silence_s=1.0,
    )

    with Supervisor() as supervisor:
        supervisor.start(double)
        for _ in range(15):
            sign.touch()
            supervisor.run(timeout=0.1)
        assert not runs.exists()

        assert supervisor.run(lambda: runs.exists() and runs.read_text() == "xx", timeout=20)


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
import pathlib, signal, sys, time
log, name = pathlib.Path(sys.argv[1]), sys.argv[2]
def stop(*_):
    time.sleep(0.2)
    log.open("a").write(name)
    raise SystemExit
signal.signal(signal.SIGTERM, stop)
log.with_name(name).touch()
time.sleep(60)
"""
    children = [Child(name, [*python(code), str(log), name]) for name in "abc"]

    with Supervisor() as supervisor:
        for child in children:
            supervisor.start(child)
        assert supervisor.run(lambda: all((tmp_path / name).exists() for name in "abc"), timeout=10)

    assert log.read_text() == "cba"
    assert all(child.process is None for child in children)


def test_a_child_that_will_not_stop_is_killed_with_all_it_started(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(module, "GRACE_S", 0.5)

    with Supervisor() as supervisor:
        supervisor.start(Child("deaf", [*python(DEAF), str(tmp_path)]))
        assert supervisor.run(lambda: any(tmp_path.iterdir()), timeout=10)

    assert "deaf did not stop within" in capfd.readouterr().out
    grandchild = int(next(tmp_path.iterdir()).name)
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
import sys
from julaba_site.supervisor import Child, Supervisor
with Supervisor(parent=int(sys.argv[1]) or None) as supervisor:
    for name in ("one", "two"):
        supervisor.start(Child(name, [sys.executable, "-c", *sys.argv[2:]]))
    supervisor.run()
"""
PATIENT = "import time; time.sleep(60)"


@contextmanager
def supervising(*child: str) -> Iterator[tuple[subprocess.Popen[bytes], list[int]]]:
    """Start a supervisor over two children of that code; yield its process, and those it started."""
    command = [*python(SUPERVISED), "0", *child]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, start_new_session=True) as process:
        try:
            assert eventually(lambda: len(descendants(process.pid)) >= 2)
            yield process, descendants(process.pid)
        finally:
            process.kill()


@needs_linux
def test_nothing_is_left_when_the_supervisor_is_killed() -> None:
    with supervising(PATIENT) as (process, children):
        process.kill()

        assert eventually(lambda: not any(map(is_alive, children)), within=5)


@needs_linux
def test_a_second_ctrl_c_kills_at_once(tmp_path: Path) -> None:
    with supervising(DEAF, str(tmp_path)) as (process, children):
        assert eventually(lambda: len(list(tmp_path.iterdir())) == 2)
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


def test_what_is_written_is_kept_in_a_file_that_stays_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LOG_BYTES", 2_000)
    monkeypatch.setattr(module, "LOG_FILES", 2)
    log = tmp_path / "logs" / "julaba.log"
    talker = Child("talker", python("for n in range(500): print('line', n)"), runs_once=True)

    with Supervisor(log=log) as supervisor:
        supervisor.start(talker)
        assert supervisor.run(lambda: talker.exit_code is not None, timeout=20)

    assert log.read_text().rstrip().endswith("talker  | line 499")
    assert sorted(path.name for path in log.parent.iterdir()) == ["julaba.log", "julaba.log.1", "julaba.log.2"]
    assert all(path.stat().st_size <= 2_100 for path in log.parent.iterdir())


@pytest.mark.parametrize(("result", "noted"), [("success", []), ("signal", ["work"]), (None, [])])
def test_a_unit_of_systemd_that_ended_by_itself_leaves_a_note_too(
    tmp_path: Path, result: str | None, noted: list[str]
) -> None:
    told = {"SERVICE_RESULT": result, "EXIT_STATUS": "KILL"} if result else {}

    subprocess.run(
        [sys.executable, "-m", "julaba_site.ended", "work"],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "JULABA_DATA_DIR": str(tmp_path), **told},
        check=True,
    )

    notes = tmp_path / "run" / "ended"
    assert [path.name for path in notes.glob("*")] == noted
    assert [path.read_text() for path in notes.glob("*")] == ["KILL\n"] * len(noted)


def test_whoever_stands_in_may_take_longer_than_the_silence_that_called_it(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    runs = tmp_path / "runs"
    double = Child(
        "double",
        python(f"import time; time.sleep(1.2); open({str(runs)!r}, 'a').write('x')"),
        runs_once=True,
        stands_in=True,
        heartbeat=tmp_path / "sign",
        silence_s=0.6,
    )

    with Supervisor() as supervisor:
        supervisor.start(double)
        assert supervisor.run(lambda: runs.exists(), timeout=20)

    assert "is killed" not in capfd.readouterr().out
