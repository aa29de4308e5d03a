"""Reasons not to enter that the account as a whole gives; small, stateless, each with value and limit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from trading.core import sizing
from trading.core.params import Params
from trading.core.sizing import Record
from trading.core.types import Market, Verdict

CLOCK_TOLERANCE_S = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """The account at one moment; money in quote. Openings are the equity at the start of the UTC day and week."""

    now: datetime
    accepts_entries: bool
    equity: Decimal
    peak_equity: Decimal
    day_opening: Decimal
    week_opening: Decimal
    open_symbols: frozenset[str]
    open_risk: Decimal
    """What would be lost if every open position left at its stop, fees included."""
    open_notional: Decimal
    last_loss_at: datetime | None
    record: Record
    local_symbols: frozenset[str] = frozenset()
    """Those of the open symbols, and of the one to be entered, whose stops the venue cannot hold."""
    local_notional: Decimal = Decimal(0)
    """What the open positions among them are worth."""
    cluster_risk: Decimal = Decimal(0)
    """What would be lost at the stops of those open positions that move together with the symbol to be entered."""

    @property
    def drawdown(self) -> float:
        """Return the fall of equity from its peak, a fraction of the peak."""
        return float(1 - self.equity / self.peak_equity) if self.peak_equity > 0 else 0.0


def trading_state(account: Account, params: Params, symbol: str) -> Verdict:
    passed = account.accepts_entries
    return _verdict("trading_state", passed, float(passed), 1.0, "active" if passed else "entries are paused")


def one_per_symbol(account: Account, params: Params, symbol: str) -> Verdict:
    count = float(symbol in account.open_symbols)
    return _verdict("open_on_symbol", count == 0, count, 0.0, f"{count:.0f} open on {symbol}, allows none")


def open_trades(account: Account, params: Params, symbol: str) -> Verdict:
    count, limit = len(account.open_symbols), params.max_open_trades
    return _verdict("open_trades", count < limit, count, limit, f"{count} open trades, needs fewer than {limit}")


def daily_loss(account: Account, params: Params, symbol: str) -> Verdict:
    return _loss("daily_loss", account.equity, account.day_opening, params.daily_loss)


def weekly_loss(account: Account, params: Params, symbol: str) -> Verdict:
    return _loss("weekly_loss", account.equity, account.week_opening, params.weekly_loss)


def cool_down(account: Account, params: Params, symbol: str) -> Verdict:
    """Refuse for a while after losses in a row; it always ends, a streak never locks for good."""
    cooling = account.record.losses_in_row >= params.cooldown_losses and account.last_loss_at is not None
    limit = float(params.cooldown_minutes)
    if not cooling or account.last_loss_at is None:
        return _verdict("cool_down", True, 0.0, limit, "no cool-down")
    minutes = (account.now - account.last_loss_at) / timedelta(minutes=1)
    reason = f"{minutes:.0f} min since the last of {account.record.losses_in_row} losses, needs {limit:.0f} min"
    return _verdict("cool_down", minutes >= limit, minutes, limit, reason)


def open_risk(account: Account, params: Params, symbol: str) -> Verdict:
    value = float(account.open_risk / account.equity) if account.equity > 0 else float("nan")
    limit = params.max_open_risk
    return _verdict("open_risk", value < limit, value, limit, f"open risk {value:.2%}, needs less than {limit:.2%}")


def cluster_risk(account: Account, params: Params, symbol: str) -> Verdict:
    """Cap what is at risk in pairs that rise and fall together: they are one position in several names.

    A limit of 1 is none, and then nothing is measured.
    """
    value = float(account.cluster_risk / account.equity) if account.equity > 0 else float("nan")
    limit = params.max_cluster_risk
    reason = f"open risk in pairs that move with {symbol} {value:.2%}, needs less than {limit:.2%}"
    return _verdict("cluster_risk", value < limit, value, limit, reason)


def leverage(account: Account, params: Params, symbol: str) -> Verdict:
    value = float(account.open_notional / account.equity) if account.equity > 0 else float("nan")
    limit = params.max_leverage
    reason = f"open positions are worth {value:.2f} x equity, needs less than {limit:.2f} x"
    return _verdict("leverage", value < limit, value, limit, reason)


def local_trades(account: Account, params: Params, symbol: str) -> Verdict:
    """Cap the positions that only this process protects: while it is away, nothing does."""
    count, limit = len(account.open_symbols & account.local_symbols), params.local_max_trades
    if symbol not in account.local_symbols:
        return _verdict("local_trades", True, count, limit, "the venue holds the stop")
    reason = f"{count} open trades without a stop at the venue, needs fewer than {limit}"
    return _verdict("local_trades", count < limit, count, limit, reason)


def local_notional(account: Account, params: Params, symbol: str) -> Verdict:
    value = float(account.local_notional / account.equity) if account.equity > 0 else float("nan")
    limit = params.local_max_notional_fraction
    if symbol not in account.local_symbols:
        return _verdict("local_notional", True, value, limit, "the venue holds the stop")
    reason = f"positions without a stop at the venue are worth {value:.2%} of equity, needs less than {limit:.2%}"
    return _verdict("local_notional", value < limit, value, limit, reason)


def notional_left(account: Account, params: Params, market: Market) -> Decimal:
    """Return what another position in the market may be worth, in quote."""
    left = account.equity * sizing.most_leverage(params, market) - account.open_notional
    if market.symbol not in account.local_symbols:
        return left
    return min(left, account.equity * Decimal(str(params.local_max_notional_fraction)) - account.local_notional)


GUARDS: tuple[Callable[[Account, Params, str], Verdict], ...] = (
    trading_state,
    one_per_symbol,
    open_trades,
    daily_loss,
    weekly_loss,
    cool_down,
    open_risk,
    cluster_risk,
    leverage,
    local_trades,
    local_notional,
)


def evaluate(account: Account, params: Params, symbol: str) -> tuple[Verdict, ...]:
    """Return every guard's verdict, in order."""
    return tuple(guard(account, params, symbol) for guard in GUARDS)


def freshness(
    *, now: datetime, closed_at: datetime, price_at: datetime, bar: timedelta, params: Params
) -> tuple[Verdict, ...]:
    """Return whether the setup (its bar closed at `closed_at`) and the price are recent enough to enter on."""
    # The venue's clock may be a little ahead of ours, and a price younger than now is no old price.
    age, price_age = (now - closed_at) / bar, (now - price_at).total_seconds()
    bars, seconds = params.entry_deadline, params.price_age
    return (
        _verdict("setup_age", 0 <= age <= bars, age, bars, f"bar closed {age:.2f} bars ago, needs at most {bars:.2f}"),
        _verdict(
            "price_age",
            -CLOCK_TOLERANCE_S <= price_age <= seconds,
            price_age,
            seconds,
            f"price is {price_age:.0f} s old, needs at most {seconds:.0f} s",
        ),
    )


def _loss(name: str, equity: Decimal, opening: Decimal, limit: float) -> Verdict:
    value = float(1 - equity / opening) if opening > 0 else float("nan")
    label = name.replace("_", " ")
    return _verdict(name, value < limit, value, limit, f"{label} {value:.2%}, needs less than {limit:.2%}")


def _verdict(name: str, passed: bool, value: float, limit: float, reason: str) -> Verdict:
    return Verdict(name=name, passed=passed, value=value, limit=limit, reason=reason)
