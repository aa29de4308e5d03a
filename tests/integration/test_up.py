"""`manage.py up` as a user runs it: real processes on a free port, with data of their own."""

from __future__ import annotations

import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlencode
from urllib.request import HTTPCookieProcessor, ProxyHandler, build_opener

import pytest

from julaba_site import embedded, stack, startup
from tests import ports
from tests.processes import descendants, eventually, is_alive, needs_linux

pytestmark = pytest.mark.skipif(
    embedded.server_binary() is None, reason="there is no redis-server, neither on the PATH nor in a wheel"
)
ROOT = Path(__file__).resolve().parents[2]
NOT_INHERITED = {"REDIS_URL", "DATABASE_URL", "SECRET_KEY", "DJANGO_SETTINGS_MODULE", "ALLOWED_HOSTS"}
EVERYTHING = 9
"""Processes of a site that runs, besides the supervisor: Redis, web, beat, the trading worker and the other one,
with one and three children."""
WITH_A_PAST = """
from django.utils import timezone
from trading.models import TickRun
TickRun.objects.create(job="test", slot=timezone.now(), owner="test", started_at=timezone.now())
"""


@dataclass(frozen=True, slots=True)
class Site:
    """Where a Julaba keeps its data, and where it listens."""

    data_dir: Path
    port: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/"

    def command(self, *arguments: str, **variables: str) -> subprocess.Popen[str]:
        kept = {name: value for name, value in os.environ.items() if name not in NOT_INHERITED}
        own = {"JULABA_DATA_DIR": str(self.data_dir), "PORT": str(self.port)}
        return subprocess.Popen(
            [sys.executable, "manage.py", *arguments],
            cwd=ROOT,
            env={**kept, **own, **variables},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def run(self, *arguments: str) -> None:
        with self.command(*arguments) as process:
            said, _ = process.communicate(timeout=60)
        assert process.returncode == 0, said

    def refusal(self, **variables: str) -> str:
        """Start it where it must not start, and return the one line that it says."""
        with self.command("up", **variables) as process:
            said, _ = process.communicate(timeout=30)
        assert process.returncode == 2, said
        assert said.count("\n") == 1, said
        return said

    def ticks(self) -> int:
        with closing(sqlite3.connect(self.data_dir / "julaba.sqlite3")) as database:
            return int(database.execute("SELECT count(*) FROM trading_tickrun").fetchone()[0])

    @contextmanager
    def up(self) -> Iterator[Running]:
        with self.command("up") as process:
            try:
                yield Running(self, process, read_until(process, "Julaba answers on"))
            finally:
                process.terminate()
                process.communicate(timeout=60)


@dataclass(frozen=True, slots=True)
class Running:
    site: Site
    process: subprocess.Popen[str]
    said: str

    def processes(self) -> list[int]:
        return descendants(self.process.pid)

    def is_complete(self) -> bool:
        return len(self.processes()) == EVERYTHING


def read_until(process: subprocess.Popen[str], text: str) -> str:
    """Return what a process says up to the line with that text."""
    assert process.stdout is not None
    said = ""
    for line in process.stdout:
        said += line
        if text in line:
            return said
    pytest.fail(f"it ended without saying {text!r}:\n{said}")


@pytest.fixture
def fresh(tmp_path: Path) -> Site:
    return Site(tmp_path / "data", ports.free())


@pytest.fixture(scope="module")
def past(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return data with a past, which is not replayed first."""
    site = Site(tmp_path_factory.mktemp("past"), ports.free())
    site.run("migrate", "-v0")
    site.run("shell", "-v0", "-c", WITH_A_PAST)
    return site.data_dir


@pytest.fixture
def site(fresh: Site, past: Path) -> Site:
    shutil.copytree(past, fresh.data_dir)
    return fresh


@pytest.fixture(scope="module")
def running(past: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    data_dir = shutil.copytree(past, tmp_path_factory.mktemp("running"), dirs_exist_ok=True)
    with Site(data_dir, ports.free()).up() as running:
        yield running


def test_the_printed_account_opens_the_log_in_page(running: Running) -> None:
    printed = re.search(r"Account +(\S+)\n +Password +(\S+)\n", running.said)
    assert printed
    browser = build_opener(ProxyHandler({}), HTTPCookieProcessor())

    with browser.open(running.site.url, timeout=10) as answer:
        assert answer.status == 200
        log_in, page = answer.url, answer.read().decode()
    assert 'type="password"' in page
    token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', page)
    assert token
    form = {"username": printed[1], "password": printed[2], "csrfmiddlewaretoken": token[1]}

    with browser.open(log_in, urlencode(form).encode(), timeout=10) as answer:
        assert answer.url == running.site.url
        assert 'type="password"' not in answer.read().decode()


def test_a_second_one_on_the_same_data_is_refused(running: Running) -> None:
    said = Site(running.site.data_dir, ports.free()).refusal()

    assert f"already runs from {running.site.data_dir} (process {running.process.pid})" in said
    assert "another JULABA_DATA_DIR" in said


def test_a_port_in_use_is_refused_before_anything_is_made(running: Running, fresh: Site) -> None:
    said = Site(fresh.data_dir, running.site.port).refusal()

    assert f"port {running.site.port} is in use" in said
    assert f"PORT={running.site.port + 1} make run" in said
    assert not (fresh.data_dir / "julaba.sqlite3").exists()


def test_the_schedule_reaches_the_engine(running: Running) -> None:
    assert eventually(lambda: running.site.ticks() > 1, within=30)


def test_what_dies_is_replaced(running: Running) -> None:
    assert eventually(running.is_complete, within=30)
    before = running.processes()

    os.kill(before[0], signal.SIGKILL)

    assert eventually(lambda: running.is_complete() and before[0] not in running.processes(), within=30)


def test_ce_05_a_dead_beat_is_replaced_and_ticks_go_on(running: Running) -> None:
    assert eventually(running.is_complete, within=30)
    beat = next(pid for pid in running.processes() if b"beat" in command_line(pid))

    os.kill(beat, signal.SIGKILL)

    assert eventually(lambda: running.is_complete() and not is_alive(beat), within=30)
    before = running.site.ticks()
    assert eventually(lambda: running.site.ticks() > before, within=30)


def test_pr_08_a_web_process_that_hangs_keeps_no_tick_waiting(running: Running) -> None:
    assert eventually(running.is_complete, within=30)
    web = next(pid for pid in running.processes() if b"uvicorn" in command_line(pid))

    os.kill(web, signal.SIGSTOP)

    try:
        before = running.site.ticks()
        assert eventually(lambda: running.site.ticks() > before + 1, within=30)
    finally:
        os.kill(web, signal.SIGCONT)


def test_pr_07_the_trading_worker_has_a_limit_of_memory(running: Running) -> None:
    assert eventually(running.is_complete, within=30)
    started = [command_line(pid) for pid in running.processes()]

    assert any(b"-Qtrading" in words and b"--max-memory-per-child=" in words for words in started)


@needs_linux
def test_a_worker_that_has_done_nothing_yet_is_far_from_being_replaced(running: Running) -> None:
    assert eventually(running.is_complete, within=30)
    worker = next(pid for pid in running.processes() if b"-Qwork" in command_line(pid))

    found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{worker}/status").read_text())

    # What it forks begins with its memory: too near the limit, each task would leave a process to be replaced.
    assert found is not None
    assert int(found[1]) < 0.7 * stack.IDLE_MEMORY_KB


@pytest.mark.parametrize(
    ("variable", "value", "reason"),
    [
        ("REDIS_URL", "redis://:hunter2@127.0.0.1:1/0", "the Redis of REDIS_URL does not answer"),
        ("REDIS_URL", "redis://:hunt/er2@127.0.0.1:1/0", "REDIS_URL is no address"),
        ("DATABASE_URL", "postgres://julaba:hunter2@127.0.0.1:1/julaba", "the database cannot be reached"),
        ("DATABASE_URL", "postgress://julaba:hunter2@127.0.0.1:1/julaba", "DATABASE_URL is no address"),
        ("JULABA_DATA_DIR", "/dev/null/julaba", "/dev/null/julaba cannot be written"),
        ("JULABA_HOST", "192.0.2.1", "JULABA_HOST 192.0.2.1 is no address of this machine"),
        ("STRATEGIES", "trading.core.strategies.Crystal", "trading.core.strategies.Crystal"),
        ("ALLOWED_HOSTS", "*", "Name each host. (julaba.E001)"),
        ("PORT", "eighty", "PORT='eighty' is not a whole number"),
        ("DEBUG", "maybe", "DEBUG='maybe' is neither on nor off"),
    ],
)
def test_a_set_up_that_cannot_work_is_refused_in_one_line(fresh: Site, variable: str, value: str, reason: str) -> None:
    said = fresh.refusal(**{variable: value})

    assert reason in said
    assert "hunt" not in said
    assert not (fresh.data_dir / "julaba.sqlite3").exists()


def test_a_machine_without_redis_is_told_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(embedded, "server_binary", lambda: None)

    with pytest.raises(startup.StartupError, match="install redis-server, or set REDIS_URL"):
        startup.redis_command(tmp_path)


def test_ctrl_c_stops_everything(site: Site) -> None:
    with site.up() as running:
        assert eventually(running.is_complete, within=30)
        started = running.processes()

        running.process.send_signal(signal.SIGINT)
        running.process.communicate(timeout=30)

    assert running.process.returncode == 0
    assert not any(map(is_alive, started))


@needs_linux
def test_nothing_outlives_a_kill(site: Site) -> None:
    with site.up() as running:
        assert eventually(running.is_complete, within=30)
        started = running.processes()

        running.process.kill()

        assert eventually(lambda: not any(map(is_alive, started)), within=20)


@needs_linux
def test_a_first_start_replays_a_past_which_dies_with_it(fresh: Site) -> None:
    with fresh.up() as running:
        assert eventually(lambda: b"demo" in b"".join(map(command_line, running.processes())))
        started = running.processes()
        assert len(started) == 3  # Redis, web and the replay: trading waits for it

        running.process.kill()

        assert eventually(lambda: not any(map(is_alive, started)), within=20)


def command_line(pid: int) -> bytes:
    return Path(f"/proc/{pid}/cmdline").read_bytes() if is_alive(pid) else b""
