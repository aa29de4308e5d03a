"""manage.py stream: listen to the venue, keep what it tells, and call the tick when it matters; until SIGTERM."""

from __future__ import annotations

import asyncio
import fcntl
import logging
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone
from django.utils.module_loading import import_string
from kombu.exceptions import OperationalError

from trading import market_wiring, tasks
from trading.services.feed import Feed

_HINT_EXPIRES_S = 2.0
_SIGN_S = 5.0

logger = logging.getLogger(__name__)


class Command(BaseCommand):
    help = "Listen to the venue: prices for every process, closed bars into the store, a tick when it matters."
    requires_system_checks: list[str] = []  # they import every page, which takes 40 MB for good

    def handle(self, **options: Any) -> None:
        with _alone():
            try:
                feed = Feed(
                    stream=market_wiring.stream(),
                    past=market_wiring.past(),
                    store=market_wiring.candle_store(),
                    board=market_wiring.board(),
                    desk=market_wiring.desk(tick=_tick, supervise=_supervise),
                    clock=timezone.now,
                )
            except ImproperlyConfigured as refusal:
                raise CommandError(str(refusal), returncode=2) from refusal
            asyncio.run(_until_stopped(feed))


async def _until_stopped(feed: Feed) -> None:
    stopped, loop = asyncio.Event(), asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    showing = loop.create_task(_show_life())
    try:
        await feed.run(stopped)
    finally:
        showing.cancel()


async def _show_life() -> None:
    """Show the supervisor or systemd, whichever asked for it, that the loop turns."""
    show = import_string(settings.LIFE_SIGN)
    while True:
        show()
        await asyncio.sleep(_SIGN_S)


def _tick(reason: str) -> None:
    """Send the tick; a hint that is not taken at once is worth nothing, and beat's own come all the same."""
    with _sending(reason):
        tasks.tick.apply_async(kwargs={"job": "hint"}, expires=_HINT_EXPIRES_S, retry=False)


def _supervise(symbols: list[str]) -> None:
    with _sending(f"{', '.join(symbols)} reached a level"):
        tasks.supervise.apply_async(kwargs={"symbols": symbols}, expires=_HINT_EXPIRES_S, retry=False)


@contextmanager
def _sending(reason: str) -> Iterator[None]:
    try:
        yield
    except OperationalError as error:
        logger.warning("nobody was called (%s): %s", reason, error)


@contextmanager
def _alone() -> Iterator[None]:
    """Hold the venue's lock: a venue is to see one connection of ours, not two."""
    path = settings.JULABA_DATA_DIR / "run" / f"stream-{market_wiring.venue_key()}.lock"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            text = f"another process streams {market_wiring.venue_key()} already: stop it, or leave it be"
            raise CommandError(text, returncode=2) from None
        yield
