"""One version of Julaba between two restarts: `python upgrading.py open|look|close`, with the tree of that version as working directory.

Migrates as the units do, ticks until what was asked for has come about, and prints what the books hold.
"""

from __future__ import annotations

import json
import sys
import time
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path.cwd()))

PATIENCE_S = 300.0
BEGINNING = datetime(2000, 1, 1, tzinfo=UTC)
TICKS = 4
"""So many at least, so that whatever would be done twice is done twice."""
PARAMS: dict[str, Any] = {
    "pairs": ["T00/USDT"],
    "max_open_trades": 1,
    "stop_atr": 5.0,
    "target_one_r": 5.0,
    "target_two_r": 6.0,
    "target_three_r": 7.0,
    "time_stop": 5000,
}


class Silent:
    """A strategy that enters nothing: what follows is about the position that is open."""

    name = "every_bar"

    def warmup_bars(self, params: Any) -> int:
        return 0

    def sides(self, candles: Any, analysis: Any, params: Any) -> Any:
        import numpy as np

        return np.zeros(len(candles), dtype=np.int8)


def main(wanted: str) -> None:
    import django

    from tests.torture import world  # adds its timeframe before anything reads which there are

    django.setup()
    from django.conf import settings
    from django.core.management import call_command
    from django.utils import timezone

    from trading.models import Bot, Trade, TradeStatus
    from trading.services import lease, tick
    from trading.services.context import Ports

    call_command("migrate", verbosity=0, interactive=False)
    prepare(world.PARAMS)
    market, broker = world.market_and_broker()
    ports = Ports(
        market_data=market,
        broker=broker,
        strategies=(world.EveryBar() if wanted == "open" else Silent(),),
        initial_balance=Decimal(100_000),
        code_version="upgrading",
        venue="torture",
        clock=timezone.now,
        halt_file=settings.JULABA_DATA_DIR / "HALT",
    )
    end, ran = time.monotonic() + PATIENCE_S, 0
    while time.monotonic() < end:
        ran += tick.run(ports=ports, now=timezone.now(), owner=lease.process_name()) is tick.Outcome.RAN
        trade, bot = Trade.objects.order_by("pk").first(), Bot.objects.filter(pk=1).first()
        is_there = {
            "open": trade is not None and trade.status == TradeStatus.OPEN and trade.unprotected_at is None,
            "look": True,
            "close": trade is not None and trade.status == TradeStatus.CLOSED,
        }[wanted]
        if is_there and ran >= TICKS and bot is not None and bot.reconciled_epoch == held_epoch():
            break
        time.sleep(0.2)
    sys.stdout.write(json.dumps(books(), default=str))


def prepare(params: dict[str, Any]) -> None:
    """Put the parameters in force, once."""
    from django.utils import timezone

    from tests.engine import OPEN_DOORS
    from trading.services import parameters

    now = timezone.now()
    if parameters.current(now=now).number == 1:
        values = {**OPEN_DOORS, **params, **PARAMS}
        parameters.revise(values=values, reason="first", author=None, expected_number=1, now=now)


def held_epoch() -> int:
    from trading.models import Lease

    return Lease.objects.get(name="trader").epoch


def books() -> dict[str, Any]:
    from django.utils import timezone

    from trading.models import Order, ReconcileRun, Trade
    from trading.services import invariants

    return {
        "code": str(Path.cwd()),
        "trades": list(Trade.objects.order_by("pk").values("pk", "status", "quantity", "unprotected_at")),
        "orders": list(Order.objects.order_by("pk").values("client_id", "role", "status")),
        "compared": list(ReconcileRun.objects.order_by("pk").values_list("passed", flat=True)),
        "differences": [row for run in ReconcileRun.objects.order_by("pk") for row in run.differences],
        "violations": [str(found) for found in invariants.check(now=timezone.now(), since=BEGINNING)],
    }


if __name__ == "__main__":
    main(sys.argv[1])
