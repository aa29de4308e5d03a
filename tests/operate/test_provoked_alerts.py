"""Alerts of what really happens: `manage.py up` on the venue of the tests, and a Bot API that notes what came when.

One site for all of it. Each test breaks one thing from outside, as it breaks in life, and looks at what arrives.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from julaba_site import embedded
from notifications.kinds import KINDS
from tests import ports
from tests.engine import OPEN_DOORS
from tests.processes import descendants, eventually, parent_of
from tests.telegram.launch import BotApi, bot_api
from tests.telegram.server import TOKEN
from tests.venue.launch import Venue, venue

pytestmark = [
    pytest.mark.stack,
    pytest.mark.timeout(600),
    pytest.mark.skipif(embedded.server_binary() is None, reason="there is no redis-server"),
]
ROOT = Path(__file__).resolve().parents[2]
CHAT, PAIR = 77, "BTC/USDT"
PROVOKED = ("worker", "balance", "data_old", "process")
PROMISED_S = 60.0
OLD_S = 20
"""The threshold of old prices, set as an operator sets it: five minutes are long for a test."""
PARAMETERS: dict[str, Any] = {
    **OPEN_DOORS,
    "timeframe": "1m",
    "pairs": [PAIR],
    "ai_mode": "off",
    "kelly": False,
    "max_open_trades": 1,
}
PREPARE = f"""
from django.core.management import call_command
call_command("migrate", verbosity=0)
from django.contrib.auth.models import Group, User
from django.utils import timezone
from notifications.models import AlertRule, Contact
from trading.services import parameters
user = User.objects.create_user("ann")
user.groups.add(Group.objects.get(name="trader"))
Contact.objects.create(user=user, telegram_user_id={CHAT}, chat_id={CHAT})
AlertRule.objects.create(kind="data_old", threshold={OLD_S})
now = timezone.now()
number = parameters.current(now=now).number
parameters.revise(values={PARAMETERS!r}, reason="test", author=None, expected_number=number, now=now)
"""


@dataclass(frozen=True, slots=True)
class Site:
    market: Venue
    api: BotApi
    process: subprocess.Popen[bytes]
    data: Path

    def is_looked_after(self) -> bool:
        """Return whether the watch has looked for the first time."""
        return (self.data / "run" / "watch.alive").exists()

    def told(self, kind: str) -> list[float]:
        """Return when each alert of a kind arrived, in seconds of the epoch."""
        heading = f": {KINDS[kind].text}</b>"
        return [
            message["at"]
            for message in self._messages()
            if heading in message["text"] and "<b>Over" not in message["text"]
        ]

    def says_over(self, kind: str) -> bool:
        return any(f"<b>Over: {KINDS[kind].text}</b>" in message["text"] for message in self._messages())

    def says(self, words: str) -> bool:
        return any(words in message["text"] for message in self._messages())

    def waits_for(self, kind: str, *, since: float) -> float:
        """Return after how many seconds an alert of a kind had arrived."""
        assert eventually(lambda: bool(self.told(kind)), within=PROMISED_S + 60), self.said()
        return self.told(kind)[0] - since

    def child(self, words: bytes) -> int:
        """Return the process of ours that was started with these words; not one that it has forked itself."""
        return next(
            pid
            for pid in descendants(self.process.pid)
            if parent_of(pid) == self.process.pid and words in Path(f"/proc/{pid}/cmdline").read_bytes()
        )

    def said(self) -> str:
        return "\n".join(message["text"] for message in self._messages())

    def _messages(self) -> list[dict[str, Any]]:
        return [message for message in self.api.sent() if message["method"] == "sendMessage"]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("provoked")
    with venue(folder / "venue.db") as market, bot_api() as api:
        given = {name: value for name, value in os.environ.items() if name in ("PATH", "HOME", "LANG", "TMPDIR")}
        given |= {
            "JULABA_DATA_DIR": str(folder / "data"),
            "PORT": str(ports.free()),
            "EXCHANGE": "binance",
            "EXCHANGE_ENDPOINT": market.base_url,
            "STRATEGIES": "tests.torture.world.EveryBar",
            "TELEGRAM_TOKEN": TOKEN,
            "TELEGRAM_ENDPOINT": api.url,
            "PYTHONPATH": str(ROOT),
        }
        prepare = [sys.executable, "manage.py", "shell", "-v0", "-c", PREPARE]
        subprocess.run(prepare, cwd=ROOT, env=given, check=True, timeout=300)
        with (folder / "out.txt").open("wb") as out:
            process = subprocess.Popen([sys.executable, "manage.py", "up"], cwd=ROOT, env=given, stdout=out, stderr=out)
            try:
                yield Site(market, api, process, folder / "data")
            finally:
                process.terminate()
                process.wait(timeout=60)
                sys.stdout.write((folder / "out.txt").read_text(errors="replace"))


@pytest.fixture(scope="module")
def trading(site: Site) -> Site:
    """Return the site once a trade is open: the strategy enters at the close of the first minute."""
    assert eventually(lambda: site.says("<b>Opened long"), within=240), site.said()
    assert eventually(site.is_looked_after, within=60)
    return site


def test_a_worker_that_stands_still_is_told_once_and_when_it_goes_on(trading: Site) -> None:
    work = trading.child(b"-nwork@")
    os.kill(work, signal.SIGSTOP)
    since = time.time()

    try:
        waited = trading.waits_for("worker", since=since)
    finally:
        os.kill(work, signal.SIGCONT)

    assert waited < PROMISED_S
    assert eventually(lambda: trading.says_over("worker"), within=PROMISED_S)
    assert len(trading.told("worker")) == 1


def test_a_balance_that_drops_is_told_once(trading: Site) -> None:
    since = time.time()
    trading.market.price(PAIR, 43_000)  # beyond the stop at once, as a gap is

    assert trading.waits_for("balance", since=since) < PROMISED_S
    assert len(trading.told("balance")) == 1


def test_a_frozen_feed_is_told_once_and_when_it_lives_again(trading: Site) -> None:
    trading.market.freeze()
    since = time.time() + OLD_S

    waited = trading.waits_for("data_old", since=since)

    assert waited < PROMISED_S
    assert trading.market.sockets()["opened"] >= 1
    assert not eventually(lambda: len(trading.told("data_old")) > 1, within=25)
    trading.market.heal()
    assert eventually(lambda: trading.says_over("data_old"), within=PROMISED_S), trading.said()
    assert len(trading.told("data_old")) == 1


def test_a_beat_that_is_killed_is_told_once_though_it_is_started_again(trading: Site) -> None:
    beat = trading.child(b"julaba_site.beat")
    os.kill(beat, signal.SIGKILL)
    since = time.time()

    assert trading.waits_for("process", since=since) < PROMISED_S
    assert trading.says("beat ended by itself")
    assert eventually(lambda: trading.child(b"julaba_site.beat") != beat)


def test_nothing_of_it_was_told_twice(trading: Site) -> None:
    assert {kind: len(trading.told(kind)) for kind in PROVOKED} == dict.fromkeys(PROVOKED, 1)
