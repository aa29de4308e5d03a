"""One trading process: ticks for ever, as the worker would, until it is killed.

Importing this module loads everything a trader needs, so that a server of forks brings one back in no time.
"""

from __future__ import annotations

import logging
import os
import sys
import time

from tests.torture import world  # adds its timeframe before anything reads which there are

os.environ["DJANGO_SETTINGS_MODULE"] = "tests.torture.settings"
import django

django.setup()

from decimal import Decimal

from django.conf import settings
from django.db import Error, connection
from django.utils import timezone

from trading.core.ports import MarketDataUnavailable, OutcomeUnknown
from trading.services import lease, tick
from trading.services.context import Ports

logger = logging.getLogger("torture")


def run(log: str, crash_point: str | None) -> None:
    """Trade until killed; `crash_point` is where to die, as name:n."""
    if crash_point:
        os.environ["JULABA_CRASH_POINT"] = crash_point
    file = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.dup2(file, 1)
    os.dup2(file, 2)
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr)
    market, broker = world.market_and_broker()
    ports = Ports(
        market_data=market,
        broker=broker,
        strategies=(world.EveryBar(),),
        initial_balance=Decimal(os.environ["JULABA_TORTURE_BALANCE"]),
        code_version="torture",
        venue="torture",
        clock=timezone.now,
        halt_file=settings.JULABA_DATA_DIR / "HALT",
    )
    owner = lease.process_name()
    while True:
        try:
            tick.run(ports=ports, now=timezone.now(), owner=owner)
        except (Error, MarketDataUnavailable, OutcomeUnknown):
            logger.exception("this tick failed")
            connection.close()
        time.sleep(0.2)
