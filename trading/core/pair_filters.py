"""Reasons not to trade a pair at all, chained in the order of the parameter `pair_filters`; each a function of values.

A filter fails closed: what it has no value for, it refuses.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass

from trading.core.params import Params
from trading.core.types import Verdict

DATA = "data"
"""Refuses what has no bars or no score; it is asked first and cannot be chosen away."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """What is known of one pair when a scan asks; NaN where nothing is."""

    symbol: str
    bars: int
    """How many there are, at most as many as were asked for."""
    volume: float
    """Quote, of the last 24 hours."""
    spread: float
    """Between bid and ask, a fraction of the price."""
    volatility: float
    """ATR over price."""
    correlation: float = -1.0
    """The highest with a pair that ranks better and passed; -1 where there is none."""


def blacklist(pair: Pair, params: Params, banned: Collection[str]) -> Verdict:
    found = float(pair.symbol in banned)
    return _verdict("blacklist", not found, found, 0.0, "is on the blacklist" if found else "is not on the blacklist")


def age(pair: Pair, params: Params, banned: Collection[str]) -> Verdict:
    limit = params.pair_min_bars
    return _verdict("age", pair.bars >= limit, pair.bars, limit, f"has {pair.bars} bars, needs {limit}")


def volume(pair: Pair, params: Params, banned: Collection[str]) -> Verdict:
    limit = params.pair_min_volume
    reason = f"traded {pair.volume:,.0f} in 24 hours, needs {limit:,.0f}"
    return _verdict("volume", pair.volume >= limit, pair.volume, limit, reason)


def spread(pair: Pair, params: Params, banned: Collection[str]) -> Verdict:
    limit = params.pair_max_spread
    reason = f"bid and ask are {pair.spread:.3%} apart, allows at most {limit:.3%}"
    return _verdict("spread", pair.spread <= limit, pair.spread, limit, reason)


def volatility(pair: Pair, params: Params, banned: Collection[str]) -> Verdict:
    low, high = params.pair_min_volatility, params.pair_max_volatility
    limit = high if pair.volatility > high else low
    reason = f"moves {pair.volatility:.3%} a bar, needs {low:.3%} to {high:.3%}"
    return _verdict("volatility", low <= pair.volatility <= high, pair.volatility, limit, reason)


def correlation(pair: Pair, params: Params, banned: Collection[str]) -> Verdict:
    """Refuse what moves like a better pair."""
    limit = params.pair_max_correlation
    reason = f"moves {pair.correlation:.2f} like a better pair, allows at most {limit:.2f}"
    return _verdict("correlation", pair.correlation <= limit, pair.correlation, limit, reason)


FILTERS: dict[str, Callable[[Pair, Params, Collection[str]], Verdict]] = {
    rule.__name__: rule for rule in (blacklist, age, volume, spread, volatility, correlation)
}


def evaluate(pair: Pair, params: Params, banned: Collection[str]) -> tuple[Verdict, ...]:
    """Return the verdicts of the chosen filters up to and with the first that refuses: it ends the chain."""
    made: list[Verdict] = []
    for name in params.pair_filters:
        made.append(FILTERS[name](pair, params, banned))
        if not made[-1].passed:
            break
    return tuple(made)


def _verdict(name: str, passed: bool, value: float, limit: float, reason: str) -> Verdict:
    return Verdict(name=name, passed=passed, value=float(value), limit=float(limit), reason=reason)
