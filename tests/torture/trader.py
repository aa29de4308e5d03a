"""One trading process: a real worker that ticks when a beat hints at it, until it is killed.

Importing this module loads everything a trader needs, so that a server of forks brings one back in no time.
"""

from __future__ import annotations

import logging
import os
import sys
from functools import partial

from tests.torture import world  # adds its timeframe before anything reads which there are

os.environ["DJANGO_SETTINGS_MODULE"] = "tests.torture.settings"
import django

django.setup()

from decimal import Decimal

from django.conf import settings
from django.utils import timezone

from julaba_site.celery import app
from tests.torture import hints
from trading import wiring
from trading.core.params import Params
from trading.services.context import Ports

app.loader.import_default_modules()  # before the forks, which then share them
world.warm_up()


def run(log: str, crash_point: str | None) -> None:
    """Trade until killed; `crash_point` is where to die, as name:n."""
    if crash_point:
        os.environ["JULABA_CRASH_POINT"] = crash_point
    write_to(log)
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
    wiring.ports = partial(_given, ports)
    hints.work(f"trader-{os.getpid()}@torture")


def _given(ports: Ports, params: Params) -> Ports:
    """Stand in for the ports that the settings name."""
    return ports


def write_to(log: str) -> None:
    """Let this process say everything to a file."""
    file = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.dup2(file, 1)
    os.dup2(file, 2)
