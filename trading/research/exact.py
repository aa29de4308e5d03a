"""The exact calculation behind the kernel's floats: sizes that a float may have decided, decided by Decimal."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from trading.core import sizing
from trading.core.candles import Ints
from trading.core.params import Params
from trading.core.types import Market
from trading.research.money import FINE, UNIT
from trading.research.records import ATTEMPTED, Records


def corrections(records: Records, symbols: Ints, markets: Sequence[Market], params: Params) -> dict[int, int]:
    """Return the lots by setup where Decimal says otherwise than the kernel's float did; mostly none."""
    found = {}
    for number in range(int(records.account[ATTEMPTED])):
        setup, equity, planned, stop, lots, *exposure = (int(value) for value in records.attempts[number])
        market = markets[int(symbols[setup])]
        exact = _lots(
            market,
            params,
            equity=Decimal(equity) / UNIT,
            entry=planned * market.price_step,
            stop=stop * market.price_step,
            open_risk=_amount(exposure[0], exposure[1]),
            open_notional=_amount(exposure[2], exposure[3]),
            fraction=float(records.attempt_fraction[number]),
        )
        if exact != lots:
            found[setup] = exact
    return found


def _lots(
    market: Market,
    params: Params,
    *,
    equity: Decimal,
    entry: Decimal,
    stop: Decimal,
    open_risk: Decimal,
    open_notional: Decimal,
    fraction: float,
) -> int:
    """Size as decision.plan does, on the same numbers."""
    quantity = sizing.size_position(
        equity=equity,
        entry=entry,
        stop=stop,
        risk_fraction=min(fraction, params.max_open_risk - float(open_risk / equity)),
        notional_left=equity * sizing.most_leverage(params, market) - open_notional,
        market=market,
    )
    return int(quantity / market.quantity_step)


def _amount(units: int, parts: int) -> Decimal:
    return (units + Decimal(parts) / FINE) / UNIT
