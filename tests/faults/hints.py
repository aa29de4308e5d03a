"""One real Redis, one real worker over a simulated account, beat where it is wanted, and whoever sends them hints."""

from __future__ import annotations

import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path

import redis
from celery import Celery

from julaba_site import embedded
from tests.engine import START, assert_books_balance
from tests.processes import eventually
from tests.race.test_one_bar import FILE_OPTIONS
from trading.models import TickRun
from trading.services import invariants, scratch

ROOT = Path(__file__).resolve().parents[2]
SERVER = embedded.server_binary()
QUEUE = "trading"
WORKER = ("worker", "-c1", "-lERROR", "--without-gossip", "--without-mingle", "--without-heartbeat")


class Stack:
    """A Redis, a worker of the trading queue, and whoever sends it hints."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.socket = folder, folder / "redis.sock"
        self.env = {
            **{name: value for name, value in os.environ.items() if name not in ("DATABASE_URL", "TRADING_MODE")},
            "JULABA_DATA_DIR": str(folder),
            "REDIS_URL": f"unix://{self.socket}",
            "DJANGO_SETTINGS_MODULE": "julaba_site.settings",
            "SECRET_KEY": "only-for-tests-0123456789-0123456789-0123456789-0123456789",
        }
        self._run("manage.py", "migrate", "-v0")
        self.file = next(folder.glob("*.sqlite3"))
        self.sender = Celery("sender", broker=embedded.broker_url(self.env["REDIS_URL"]), set_as_current=False)
        (folder / "run").mkdir()
        self.start_redis()
        self.start_worker()

    def start_redis(self, *more: str) -> None:
        options = ["--port", "0", "--unixsocket", str(self.socket), "--save", "", "--dir", str(self.folder), *more]
        self.redis = subprocess.Popen([str(SERVER), *options], stdout=subprocess.DEVNULL)
        assert eventually(self._redis_answers)

    def refused_redis(self, *more: str) -> bool:
        """Return whether a Redis with these options ends by itself, because it cannot read what it kept."""
        options = ["--port", "0", "--dir", str(self.folder), "--save", "", *more]
        return (
            subprocess.run([str(SERVER), *options], stdout=subprocess.DEVNULL, timeout=10, check=False).returncode != 0
        )

    def kill_redis(self) -> None:
        self.redis.kill()
        self.redis.wait(timeout=10)
        self.socket.unlink(missing_ok=True)

    def start_worker(self, *more: str, app: str = "julaba_site") -> None:
        self.worker = self._celery(f"-A{app}", *WORKER, f"-Q{QUEUE}", *more)

    @contextmanager
    def beat(self) -> Iterator[None]:
        running = self._celery("-Ajulaba_site.beat", "beat", "-lERROR")
        try:
            yield
        finally:
            os.killpg(running.pid, signal.SIGKILL)
            running.wait(timeout=10)

    def kill_worker(self) -> None:
        os.killpg(self.worker.pid, signal.SIGKILL)
        self.worker.wait(timeout=10)

    def ensure_worker(self) -> None:
        """Start the worker again where it ended, as the supervisor does."""
        if self.worker.poll() is not None:
            self.start_worker()

    def send_tick(self, *, retry: bool = True) -> None:
        self.sender.send_task("trading.tasks.tick", queue=QUEUE, ignore_result=True, retry=retry)

    def push(self, message: bytes) -> None:
        """Put bytes into the queue as they are."""
        self._command(b"LPUSH", QUEUE.encode(), message)

    def flush(self) -> None:
        self._command(b"FLUSHALL")

    def runs(self) -> int:
        with closing(sqlite3.connect(self.file, timeout=10)) as database:
            return int(database.execute("SELECT count(*) FROM trading_tickrun").fetchone()[0])

    def ticks_again(self) -> bool:
        """Return whether hints are followed now; one is sent each time, as beat does, until one was."""
        before = self.runs()

        def is_followed() -> bool:
            self.ensure_worker()
            self.send_tick()
            return eventually(lambda: self.runs() > before, within=0.5)

        return eventually(is_followed, within=30)

    def assert_sound(self) -> None:
        with scratch.attached(str(self.file), FILE_OPTIONS):
            assert invariants.check(now=datetime.now(tz=UTC), since=START) == []
            assert TickRun.objects.count() == TickRun.objects.values("slot").distinct().count()
            assert_books_balance()

    def close(self) -> None:
        if self.worker.poll() is None:
            self.kill_worker()
        self.redis.kill()
        self.redis.wait(timeout=10)
        self.sender.close()

    def client(self) -> redis.Redis:
        return redis.Redis(unix_socket_path=str(self.socket), socket_timeout=15)

    def _celery(self, *words: str) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [sys.executable, "-m", "celery", "-q", *words],
            cwd=ROOT,
            env=self.env,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def _command(self, *words: bytes) -> None:
        assert self._answer(*words)[:1] in b"+:"

    def _answer(self, *words: bytes) -> bytes:
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(5)
            client.connect(str(self.socket))
            client.sendall(b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(word), word) for word in words))
            return client.recv(64)

    def _redis_answers(self) -> bool:
        """Return whether it is there and has read what it kept."""
        try:
            return self._answer(b"PING").startswith(b"+PONG")
        except OSError:
            return False

    def _run(self, *words: str) -> None:
        subprocess.run([sys.executable, *words], cwd=ROOT, env=self.env, check=True, timeout=60)


def envelope(task: str, *, content_type: str = "application/json", body: str = "W1tdLCB7fSwge31d") -> bytes:
    """Return a message as Celery puts it into Redis; the body is base64, as it stands for `[[], {}, {}]`."""
    properties = {
        "correlation_id": "1",
        "delivery_mode": 2,
        "delivery_info": {"exchange": "", "routing_key": QUEUE},
        "body_encoding": "base64",
        "delivery_tag": "1",
    }
    headers = {"lang": "py", "task": task, "id": "0b7c1f2e-0000-4000-8000-000000000001", "root_id": None}
    message = {
        "body": body,
        "content-encoding": "utf-8",
        "content-type": content_type,
        "headers": headers,
        "properties": properties,
    }
    return json.dumps(message).encode()
