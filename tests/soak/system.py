"""The whole system under soak: started as an operator would, looked at from outside, and struck."""

from __future__ import annotations

import http.cookiejar
import json
import os
import random
import re
import signal
import sqlite3
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from tests import ports
from tests.processes import descendants, parent_of
from tests.soak.measures import Sample

ROOT = Path(__file__).resolve().parents[2]
ROLES = ("uvicorn", "trading@", "work@", "beat", "redis-server", "stream", "julaba_site.stack")
PATIENCE_S = 600.0
MEGABYTE = 1024 * 1024


class System:
    """One `manage.py up` with a data directory and a port of its own."""

    def __init__(self, folder: Path, process: subprocess.Popen[bytes], port: int) -> None:
        self.folder, self.process = folder, process
        self.url = f"http://127.0.0.1:{port}"
        self._browser, self.cookie = urllib.request.build_opener(), ""

    def log_in(self) -> None:
        """Take the password that start-up prints, as a person would."""
        password = self._wait_for(self._password)
        self._wait_for(lambda: self.get("/livez") == 200)
        self._browser, self.cookie = self._session("operator", password)

    def cookies(self, count: int) -> list[str]:
        """Make so many accounts, and return the cookies of a session of each."""
        password = "a-long-password-for-a-soak"
        make = "from django.contrib.auth import get_user_model as model\n"
        make += f"[model().objects.create_user(f'soak{{n}}', password={password!r}) for n in range({count})]"
        command = [sys.executable, "manage.py", "shell", "-v0", "-c", make]
        subprocess.run(command, cwd=ROOT, env=_environment(self.folder, 0), timeout=100, check=True)
        return [self._session(f"soak{number}", password)[1] for number in range(count)]

    def _session(self, name: str, password: str) -> tuple[urllib.request.OpenerDirector, str]:
        jar = http.cookiejar.CookieJar()
        browser = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(jar))
        page = browser.open(f"{self.url}/login/", timeout=20).read().decode()
        token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page)
        assert token is not None
        form = {"username": name, "password": password, "csrfmiddlewaretoken": token[1]}
        asked = urllib.request.Request(
            f"{self.url}/login/", urllib.parse.urlencode(form).encode(), {"Referer": f"{self.url}/login/"}
        )
        with browser.open(asked, timeout=20) as answer:
            assert "/login" not in answer.url, "the log-in was refused"
        return browser, "; ".join(f"{cookie.name}={cookie.value}" for cookie in jar)

    def wait_for_trading(self) -> None:
        """Wait until the simulated past has been replayed, whose ticks are of the past, and ticks of now come."""
        began = time.time()
        self._wait_for(lambda: sum(at > began for at in self.started_at()) > 3)

    def get(self, path: str) -> int:
        """Return the status of an answer, 0 where there was none."""
        try:
            with self._browser.open(f"{self.url}{path}", timeout=20) as answer:
                answer.read()
                return int(answer.status)
        except urllib.error.HTTPError as refusal:
            return refusal.code
        except OSError:
            return 0

    def samples(self, began: float) -> list[Sample]:
        """Return each of the system's processes now, those of pools with the one that made them."""
        found, roles = list[Sample](), dict[int, str]()
        for pid in (self.process.pid, *descendants(self.process.pid)):
            with suppress(OSError, StopIteration):
                words = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
                roles[pid] = role = next(role for role in ROLES if role in words).rstrip("@")
                pages, parent = int(Path(f"/proc/{pid}/statm").read_text().split()[1]), parent_of(pid)
                rss, at = pages * 4096 / MEGABYTE, time.monotonic() - began
                maker = parent if roles.get(parent) == role else 0
                found.append(Sample(at=at, role=role, pid=pid, rss=rss, parent=maker))
        return found

    def pids(self) -> list[int]:
        """Return the processes of the system and of this soak, which are its load."""
        return [os.getpid(), *descendants(os.getpid())]

    def makers_of_ticks(self) -> list[int]:
        """Return the processes on the way from the schedule to the end of a tick."""
        return [sample.pid for sample in self.samples(0.0) if sample.role in ("beat", "redis-server", "trading")]

    def strike(self, fate: random.Random) -> str:
        """Break one thing, which the system has to mend by itself; return what it was."""
        kind = fate.choice(("kill", "kill", "kill", "pause", "flush"))
        if kind == "flush":
            with suppress(OSError, subprocess.SubprocessError):
                command = ["redis-cli", "-s", str(self.folder / "run" / "redis.sock"), "FLUSHALL"]
                subprocess.run(command, timeout=10, check=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            return "flushed redis"
        # The one that looks after the others is what starts them anew; Redis, killed, is as good as flushed.
        spared = {"julaba_site.stack"} | ({"redis-server"} if kind == "kill" else set())
        victims = [sample for sample in self.samples(0.0) if sample.role not in spared]
        if not victims:
            return "found nobody"
        victim = fate.choice(victims)
        with suppress(ProcessLookupError):
            if kind == "kill":
                os.kill(victim.pid, signal.SIGKILL)
            else:
                os.kill(victim.pid, signal.SIGSTOP)
                time.sleep(fate.uniform(1, 5))
                os.kill(victim.pid, signal.SIGCONT)
        return f"{'killed' if kind == 'kill' else 'paused'} {victim.role}"

    def started_at(self) -> list[float]:
        """Return when each regular tick of the last day began, in seconds of the epoch."""
        rows = self._asked("SELECT strftime('%s', started_at) + (strftime('%f', started_at) - strftime('%S', started_at)) "
                           "FROM trading_tickrun WHERE job = 'tick' ORDER BY slot")  # fmt: skip
        return [float(str(row[0])) for row in rows]

    def rows(self) -> int:
        """Return how many rows all tables have together."""
        names = [str(row[0]) for row in self._asked("SELECT name FROM sqlite_master WHERE type = 'table'")]
        return sum(int(str(self._asked(f'SELECT COUNT(*) FROM "{name}"')[0][0])) for name in names)

    def files_mb(self, pattern: str = "*") -> float:
        size = 0
        for path in self.folder.rglob(pattern):
            with suppress(FileNotFoundError):  # it was turned over meanwhile
                size += path.stat().st_size if path.is_file() else 0
        return size / MEGABYTE

    def violations(self) -> list[str]:
        """Return what breaks an invariant, by the command an operator would use."""
        command = [sys.executable, "manage.py", "check_invariants", "--json", "--since", "0"]
        done = subprocess.run(
            command, cwd=ROOT, env=_environment(self.folder, 0), capture_output=True, timeout=300, check=False
        )
        found = json.loads(done.stdout)["violations"]
        return [f"{row['id']} {row['text']}: {row['found']}" for row in found]

    def becomes_well(self, within: float = 120.0) -> bool:
        end = time.monotonic() + within
        while time.monotonic() < end:
            if self.get("/readyz") == 200:
                return True
            time.sleep(2)
        return False

    def _password(self) -> str:
        found = re.search(r"Password\s+(\S+)", (self.folder / "out.txt").read_text(errors="replace"))
        return found[1] if found else ""

    def _asked(self, question: str) -> list[tuple[object, ...]]:
        try:
            with closing(sqlite3.connect(f"file:{self.folder}/julaba.sqlite3?mode=ro", uri=True, timeout=20)) as file:
                return file.execute(question).fetchall()
        except sqlite3.OperationalError:
            return []  # the table is not there yet

    def _wait_for(self, holds: object) -> str:
        assert callable(holds)
        end = time.monotonic() + PATIENCE_S
        while time.monotonic() < end:
            if self.process.poll() is not None:
                raise SystemExit(f"it did not start:\n{(self.folder / 'out.txt').read_text()}")
            if found := holds():
                return str(found)
            time.sleep(0.5)
        raise SystemExit(f"it did not come up in {PATIENCE_S:.0f} s:\n{(self.folder / 'out.txt').read_text()[-4000:]}")


@contextmanager
def running(folder: Path) -> Iterator[System]:
    port = ports.free()
    with (folder / "out.txt").open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, "manage.py", "up"], cwd=ROOT, env=_environment(folder, port), stdout=out, stderr=out
        )
        try:
            yield System(folder, process, port)
        finally:
            process.terminate()
            process.wait(timeout=60)


def _environment(folder: Path, port: int) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name in ("PATH", "HOME", "LANG", "TMPDIR")}
    return {
        **kept,
        "JULABA_DATA_DIR": str(folder),
        "DJANGO_SETTINGS_MODULE": "tests.soak.settings",
        "PORT": str(port or 8000),
        "LOG_LEVEL": "WARNING",
        "SCAN_SECONDS": "60",
    }
