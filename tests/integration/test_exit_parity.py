"""Exits of a week that was really traded by the engine, beside what its stored bars give."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pytest_django import DjangoDbBlocker

from tests.engine import OPEN_DOORS
from trading import exit_parity, past, wiring
from trading.adapters.stored_market import StoredMarket
from trading.core import timeframes
from trading.core.candles import Candles
from trading.core.params import Params
from trading.core.slippage import Slippage
from trading.models import Fill, OrderRole
from trading.replay import DEFAULT_FEE_RATE
from trading.research import simulate
from trading.research.audit import Cause
from trading.services import parameters, replaying, scratch

START, SKIP = datetime(2026, 3, 2, tzinfo=UTC), timedelta(days=3)


@pytest.mark.parametrize("values", [{}, {"time_stop": 6, "stop_atr": 0.8}])
def test_a_week_of_exits_is_explained(
    values: dict[str, Any], django_db_blocker: DjangoDbBlocker, monkeypatch: pytest.MonkeyPatch
) -> None:
    candles = simulate.candles(seed=5, symbol="SOL/USDT", timeframe="15m", start=START, stop=START + timedelta(days=7))
    params = Params.of({**OPEN_DOORS, **values, "timeframe": "15m", "pairs": ["SOL/USDT"]})
    market, last = StoredMarket({"SOL/USDT": candles}, fee_rate=DEFAULT_FEE_RATE), candles.closed_at(len(candles) - 1)
    monkeypatch.setattr(past, "reader", lambda: lambda *asked: between(candles, *asked))
    with django_db_blocker.unblock(), scratch.database():
        number = parameters.current(now=START).number
        parameters.revise(values=params.as_json(), reason="x", author=None, expected_number=number, now=START)
        ports = wiring.ports_over(market, params, Slippage(fraction=params.slippage, seed=None))
        replaying.run(ports=ports, timeframe="15m", start=START + SKIP, end=last)

        found = exit_parity.left(since=START, now=last)
        orders = Fill.objects.exclude(order__role=OrderRole.ENTRY).values("order").distinct().count()

    assert len(found) == orders > 5
    causes = Counter(row.cause for row in found)
    # The engine follows bars here, so only a gap through a stop at the venue leaves otherwise than the machine says.
    assert causes[Cause.SAME] + causes[Cause.SLIPPAGE] > 0.8 * len(found)
    assert set(causes) <= {Cause.SAME, Cause.SLIPPAGE, Cause.INSIDE_BAR}


def between(candles: Candles, symbol: str, timeframe: str, start: datetime, end: datetime) -> Candles:
    first = int((candles.opened < timeframes.to_ms(start)).sum())
    known = candles.until(end, limit=len(candles))
    return known.slice(min(first, len(known)), len(known))
