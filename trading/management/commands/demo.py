"""manage.py demo: give a new account a past, by replaying the simulated market through the live engine."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from trading import events, wiring
from trading.models import Bot, TickRun
from trading.services import lease, ledger, parameters, replaying

DEMO = {
    "timeframe": "1m",
    "risk_fraction": 0.0025,
    "slippage": 0.0002,
    "stop_atr": 3,
    "volume_quiet_factor": 1.0,
    "score_min_strong_trend": 30,
    "score_min_trend": 30,
    "score_min_weak_trend": 25,
    "score_min_ranging": 45,
    "score_min_choppy": 60,
    "score_min_unknown": 45,
}
REASON = "Demo: bars of one minute, small risk and easier filters, so that something happens while you watch"


class Command(BaseCommand):
    help = "Replay the last hours of the simulated market into a new account, so that every page has something to show."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--hours", type=int, default=6, help="how much of the past (default: %(default)s)")

    def handle(self, *, hours: int, **options: Any) -> None:
        if not wiring.is_simulated():
            raise CommandError("the demo replays the simulated market, but MARKET_DATA names another one", returncode=2)
        if not 1 <= hours <= 24 * 30:
            raise CommandError(f"--hours {hours} is outside 1 to 720", returncode=2)
        if TickRun.objects.exists():
            self.stdout.write("The account has a past already; nothing was replayed.")
            return
        now = timezone.now()
        start = now - timedelta(hours=hours)
        _use_demo_parameters(start)
        _, params = parameters.in_force(now=start)
        # The past has a clock of its own, and nobody who answers outside the tick.
        ports = replace(wiring.ports(params), clock=None, advisers=wiring.demo_advisers())
        ledger.open_account(
            initial_balance=lambda: ports.initial_balance, mode=ports.broker.mode, venue=ports.venue, now=start
        )
        Bot.objects.update(is_replaying=True)
        try:
            count = replaying.run(
                ports=ports, timeframe=params.timeframe, start=start, end=now, on_progress=_Progress()
            )
        finally:
            Bot.objects.update(is_replaying=False)
            lease.release(replaying.OWNER)
        self.stdout.write(f"Replayed {hours} h of the simulated market in {count} ticks.")


class _Progress:
    """Lets open pages follow: a heartbeat once a second of real time, not once a tick."""

    def __init__(self) -> None:
        self._last = time.monotonic()

    def __call__(self, now: datetime) -> None:
        if time.monotonic() - self._last >= 1.0:
            self._last = time.monotonic()
            events.announce(events.TICK, at=now)


def _use_demo_parameters(now: datetime) -> None:
    revision = parameters.current(now=now)
    if revision.number == 1:
        parameters.revise(values=DEMO, reason=REASON, author=None, expected_number=revision.number, now=now)
