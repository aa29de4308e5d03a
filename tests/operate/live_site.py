"""`manage.py up` with real money of the fake venue: prepared as an operator does it, looked at and broken from outside."""

from __future__ import annotations

import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cryptography.fernet import Fernet

from notifications.kinds import KINDS
from tests import ports
from tests.engine import OPEN_DOORS
from tests.processes import descendants, eventually, is_alive, parent_of
from tests.telegram.launch import BotApi, bot_api
from tests.telegram.server import TOKEN
from tests.venue.gate import API_KEY, API_SECRET
from tests.venue.launch import Venue, venue

ROOT = Path(__file__).resolve().parents[2]
CHAT, PAIR, METRICS_TOKEN = 77, "BTC/USDT", "a-token-for-the-health-of-a-test"
PARAMETERS: dict[str, Any] = {
    **OPEN_DOORS,
    "timeframe": "1m",
    "pairs": [PAIR],
    "ai_mode": "off",
    "kelly": False,
    "max_open_trades": 1,
    "time_stop": 5000,
}
PREPARE = f"""
from django.core.management import call_command
call_command("migrate", verbosity=0)
from django.contrib.auth.models import Group, User
from django.utils import timezone
from notifications.models import Contact
from trading.services import credentials, going_live, parameters
user = User.objects.create_user("ann")
user.groups.add(Group.objects.get(name="trader"))
Contact.objects.create(user=user, telegram_user_id={CHAT}, chat_id={CHAT})
now = timezone.now()
number = parameters.current(now=now).number
parameters.revise(values={PARAMETERS!r}, reason="test", author=None, expected_number=number, now=now)
given = credentials.Credentials({API_KEY!r}, {API_SECRET!r})
credentials.store(exchange="binance", environment="live", credentials=given, by="ann", now=now)
call_command("doctor", venue=True)
phrase = going_live.phrase("binance")
going_live.approve(exchange="binance", typed=phrase, by="ann", reason="test", now=timezone.now())
"""
RESTING = ("NEW", "PARTIALLY_FILLED")


@dataclass(slots=True)
class Site:
    """One such system; `bare` is what was seen when the position had no stop at the venue."""

    market: Venue
    api: BotApi
    process: subprocess.Popen[bytes]
    data: Path
    out: Path
    given: dict[str, str]
    bare: list[str] = field(default_factory=list)

    def child(self, words: bytes) -> int:
        """Return the process of the supervisor's that was started with these words, 0 where there is none now."""
        for pid in descendants(self.process.pid):
            with suppress(OSError):
                if parent_of(pid) == self.process.pid and words in Path(f"/proc/{pid}/cmdline").read_bytes():
                    return pid
        return 0

    def is_replaced(self, words: bytes, old: int) -> bool:
        return not is_alive(old) and self.child(words) not in (0, old)

    def asked(self, path: str, *, timeout: float = 20.0) -> tuple[int, dict[str, Any]]:
        """Return the status of an answer to whoever has the token, and its body where it is JSON; 0 where there was none."""
        asking = urllib.request.Request(
            f"http://127.0.0.1:{self.given['PORT']}{path}", headers={"Authorization": f"Bearer {METRICS_TOKEN}"}
        )
        try:
            with urllib.request.urlopen(asking, timeout=timeout) as answer:
                return int(answer.status), _json(answer.read())
        except urllib.error.HTTPError as refusal:
            return refusal.code, _json(refusal.read())
        except OSError:
            return 0, {}

    def reasons(self, path: str = "/health") -> list[str]:
        return [str(reason) for reason in self.asked(path)[1].get("reasons", [])]

    def is_ready(self) -> bool:
        return self.asked("/readyz")[0] == 200

    def ticks(self) -> int:
        return int(self.ask("SELECT count(*) FROM trading_tickrun WHERE job = 'tick'"))

    def goes_on(self, *, within: float) -> bool:
        """Return whether ticks end again, several of them."""
        before = self.ticks()
        return eventually(lambda: self.ticks() > before + 3, within=within)

    def ask(self, question: str) -> str:
        """Return what the database says, by a connection that cannot change it."""
        with closing(
            sqlite3.connect(f"file:{self.data}/julaba-live-binance.sqlite3?mode=ro", uri=True, timeout=20)
        ) as file:
            return str(file.execute(question).fetchone()[0])

    def manage(self, *arguments: str, timeout: float = 200.0) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "manage.py", *arguments]
        return subprocess.run(
            command, cwd=ROOT, env=self.given, capture_output=True, text=True, timeout=timeout, check=False
        )

    def stops(self) -> list[str]:
        """Return the stops that rest at the venue."""
        return [
            order["client_id"]
            for order in self.market.orders()
            if order["status"] in RESTING and order["type"].startswith("STOP")
        ]

    def entries(self) -> list[str]:
        """Return the orders that bought; the doctor's trial order bought nothing."""
        return [
            order["client_id"]
            for order in self.market.orders()
            if order["side"] == "BUY" and order["status"] == "FILLED"
        ]

    def assert_sound(self) -> None:
        """One entry, one stop that rests and always did, no order twice, and no promise of the books broken."""
        assert len(self.entries()) == 1, self.market.orders()
        assert eventually(lambda: len(self.stops()) == 1, within=20), self.market.orders()
        assert self.bare == []
        assert max(Counter(order["client_id"] for order in self.market.orders()).values()) == 1
        found = self.manage("check_invariants")
        assert found.returncode == 0, found.stdout + found.stderr

    def says(self, words: str) -> bool:
        return words in self.said()

    def told(self, kind: str) -> bool:
        return self.says(f": {KINDS[kind].text}</b>")

    def said(self) -> str:
        return "\n".join(str(m["text"]) for m in self.api.sent() if m["method"] == "sendMessage")

    def log(self) -> str:
        return self.out.read_text(errors="replace")

    def watch(self, over: threading.Event) -> None:
        """Look at the venue five times a second: once a stop rests, one has to rest as long as the position is open."""
        while not over.wait(0.2):
            with suppress(OSError, ValueError):
                if not self.stops():
                    self.bare.append(time.strftime("%H:%M:%S"))


@contextmanager
def live_site(folder: Path, *, data: Path | None = None, **variables: str) -> Iterator[Site]:
    """Run a site until its position is open and its stop rests; from then on the venue is watched."""
    place, over = data or folder / "data", threading.Event()
    with venue(folder / "venue.db") as market, bot_api() as api:
        given = {name: value for name, value in os.environ.items() if name in ("PATH", "HOME", "LANG", "TMPDIR")}
        given |= {
            "JULABA_DATA_DIR": str(place),
            "PORT": str(ports.free()),
            "EXCHANGE": "binance",
            "EXCHANGE_ENDPOINT": market.base_url,
            "TRADING_MODE": "LIVE",
            "LIVE_ON_SQLITE": "accept",
            "CREDENTIALS_KEYS": Fernet.generate_key().decode(),
            "METRICS_TOKEN": METRICS_TOKEN,
            "STRATEGIES": "tests.torture.world.EveryBar",
            "TELEGRAM_TOKEN": TOKEN,
            "TELEGRAM_ENDPOINT": api.url,
            "PYTHONPATH": str(ROOT),
            **variables,
        }
        done = subprocess.run(
            [sys.executable, "manage.py", "shell", "-v0", "-c", PREPARE],
            cwd=ROOT, env=given, capture_output=True, text=True, timeout=300, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        with (folder / "out.txt").open("wb") as out:
            process = subprocess.Popen([sys.executable, "manage.py", "up"], cwd=ROOT, env=given, stdout=out, stderr=out)
        site = Site(market, api, process, place, folder / "out.txt", given)
        watcher = threading.Thread(target=site.watch, args=(over,), daemon=True)
        try:
            assert eventually(lambda: process.poll() is not None or len(site.stops()) == 1, within=300), site.log()
            watcher.start()
            assert eventually(site.is_ready, within=120), site.asked("/readyz")
            yield site
        finally:
            over.set()
            with suppress(ProcessLookupError):
                os.kill(site.process.pid, signal.SIGCONT)
            site.process.terminate()  # perhaps another one than was started here
            site.process.wait(timeout=90)
            sys.stdout.write(re.sub(r"Password +\S+", "Password", site.log()))


def _json(body: bytes) -> dict[str, Any]:
    with suppress(ValueError):
        found = json.loads(body)
        return found if isinstance(found, dict) else {}
    return {}
