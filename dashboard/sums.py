"""What closed trades amount to, as sums that can be added to one another: a day to a day, and all days to the whole.

Sums.of(results)         from the first closed to the last
earlier + later          the order matters for the runs of wins and losses alone
sums.summary()           what selectors.summary makes of the same results
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, fields
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from trading.selectors import WEEKDAYS, Group, Result, Summary

WIDTH_R = 0.5
LOWEST_R, HIGHEST_R = -2.0, 4.0
"""Results beyond them are counted in the outermost bins."""
BINS = round((HIGHEST_R - LOWEST_R) / WIDTH_R)


@dataclass(slots=True)
class Sum:
    """Results that share something: money in quote after fees, R in units of the first risk, lengths in seconds."""

    trades: int = 0
    won: int = 0
    gained: Decimal = Decimal(0)
    lost: Decimal = Decimal(0)
    r: float = 0.0
    with_r: int = 0
    held: float = 0.0

    @property
    def pnl(self) -> Decimal:
        return self.gained - self.lost

    def add(self, other: Sum) -> None:
        self.trades += other.trades
        self.won += other.won
        self.gained += other.gained
        self.lost += other.lost
        self.r += other.r
        self.with_r += other.with_r
        self.held += other.held

    def group(self, name: str) -> Group:
        return Group(
            name=name,
            trades=self.trades,
            won=self.won,
            pnl=self.pnl,
            profit_factor=float(self.gained) / float(self.lost) if self.lost > 0 else None,
            mean_r=self.r / self.with_r if self.with_r else None,
        )


_KEYS: Mapping[str, Callable[[Result], str]] = {
    "symbol": lambda result: result.symbol,
    "regime": lambda result: result.regime,
    "side": lambda result: result.side,
    "exit": lambda result: f"{result.exit_reason} {_kind(result.pnl)}",
    "square": lambda result: f"{result.closed_at.weekday()} {result.closed_at.hour:02}",
}
"""By weekday and hour of the exit, UTC, and by way out and how it ended; what is told of either alone is added up from these."""


@dataclass(slots=True)
class Run:
    """Wins and losses in a row: of the results so far the first run, the last, and the longest of each."""

    count: int = 0
    first: int = 0
    last: int = 0
    """Wins in a row are positive, losses negative."""
    won: int = 0
    lost: int = 0

    def add(self, other: Run) -> None:
        """Go on with what came later."""
        if not other.count:
            return
        joined = self.last + other.first if self.last * other.first > 0 else 0
        self.won, self.lost = max(self.won, other.won, joined), max(self.lost, other.lost, -joined)
        if abs(self.first) == self.count:
            self.first = joined or self.first or other.first
        self.last = joined if joined and abs(other.last) == other.count else other.last
        self.count += other.count


@dataclass(slots=True)
class Sums:
    groups: dict[str, dict[str, Sum]] = field(default_factory=lambda: {name: defaultdict(Sum) for name in _KEYS})
    bins: list[int] = field(default_factory=lambda: [0] * BINS)
    run: Run = field(default_factory=Run)
    fees: Decimal = Decimal(0)
    best: Result | None = None
    worst: Result | None = None

    @classmethod
    def of(cls, results: Iterable[Result]) -> Sums:
        """Return the sums of results, given from the first closed to the last."""
        made = cls()
        for result in results:
            made._take(result)
        return made

    def _take(self, result: Result) -> None:
        won = result.pnl > 0
        one = Sum(
            trades=1,
            won=int(won),
            gained=result.pnl if won else Decimal(0),
            lost=Decimal(0) if won else -result.pnl,
            r=result.r or 0.0,
            with_r=int(result.r is not None),
            held=(result.closed_at - result.opened_at).total_seconds(),
        )
        for name, key in _KEYS.items():
            self.groups[name][key(result)].add(one)
        if result.r is not None:
            self.bins[min(BINS - 1, max(0, int((result.r - LOWEST_R) // WIDTH_R)))] += 1
        signed = 1 if won else -1
        self.run.add(Run(1, signed, signed, int(won), int(not won)))
        self.fees += result.fees
        self._compare(result, result)

    def add(self, later: Sums) -> None:
        """Go on with the sums of what closed later."""
        for name, groups in later.groups.items():
            for key, more in groups.items():
                self.groups[name][key].add(more)
        self.bins = [mine + more for mine, more in zip(self.bins, later.bins, strict=True)]
        self.run.add(later.run)
        self.fees += later.fees
        self._compare(later.best, later.worst)

    def _compare(self, best: Result | None, worst: Result | None) -> None:
        """Take what is better and what is worse; of equal ones, the earlier stays."""
        if best and (self.best is None or best.pnl > self.best.pnl):
            self.best = best
        if worst and (self.worst is None or worst.pnl < self.worst.pnl):
            self.worst = worst

    def by(self, name: str) -> dict[str, Sum]:
        """Return the sums by symbol, regime, side, exit, hour or weekday, those of hour and weekday in their order."""
        if name in ("symbol", "regime", "side"):
            return dict(sorted(self.groups[name].items()))
        source, part = {"exit": ("exit", 0), "weekday": ("square", 0), "hour": ("square", 1)}[name]
        found: dict[str, Sum] = defaultdict(Sum)
        for key, each in sorted(self.groups[source].items()):
            label = key.rpartition(" ")[::2][part]
            found[WEEKDAYS[int(label)] if name == "weekday" else label].add(each)
        return dict(sorted(found.items()))

    def ended(self) -> Iterable[tuple[str, str, Sum]]:
        """Yield (way out, win, draw or loss, sum)."""
        for key, each in self.groups["exit"].items():
            way, _, kind = key.rpartition(" ")
            yield way, kind, each

    def summary(self) -> Summary | None:
        """Return what all of it amounts to; None where nothing closed."""
        if self.best is None or self.worst is None:
            return None
        total, sums = Sum(), {kind: Sum() for kind in ("win", "draw", "loss")}
        for _, kind, each in self.ended():
            total.add(each)
            sums[kind].add(each)
        sums["loss"].add(sums["draw"])
        return Summary(
            total=total.group("all"),
            gained=total.gained,
            lost=total.lost,
            fees=self.fees,
            expectancy=total.pnl / total.trades,
            mean_win_r=sums["win"].group("").mean_r,
            mean_loss_r=sums["loss"].group("").mean_r,
            best=self.best,
            worst=self.worst,
            held=timedelta(seconds=total.held / total.trades),
            wins_in_row=self.run.won,
            losses_in_row=self.run.lost,
            groups={
                name: [each.group(label) for label, each in self.by(name).items()]
                for name in ("symbol", "regime", "side", "exit", "hour", "weekday")
            },
        )

    def as_json(self) -> dict[str, Any]:
        return {
            "groups": {
                name: {key: [_plain(getattr(each, one.name)) for one in fields(Sum)] for key, each in groups.items()}
                for name, groups in self.groups.items()
            },
            "bins": self.bins,
            "run": [getattr(self.run, one.name) for one in fields(Run)],
            "fees": _plain(self.fees),
            "best": _result_as_json(self.best),
            "worst": _result_as_json(self.worst),
        }

    @classmethod
    def from_json(cls, told: Mapping[str, Any]) -> Sums:
        made = cls(
            bins=told["bins"],
            run=Run(*told["run"]),
            fees=Decimal(told["fees"]),
            best=_result_from_json(told["best"]),
            worst=_result_from_json(told["worst"]),
        )
        for name, groups in told["groups"].items():
            for key, (trades, won, gained, lost, *rest) in groups.items():
                made.groups[name][key] = Sum(trades, won, Decimal(gained), Decimal(lost), *rest)
        return made


def _kind(pnl: Decimal) -> str:
    return "win" if pnl > 0 else "loss" if pnl < 0 else "draw"


def _plain(value: Any) -> Any:
    return str(value) if isinstance(value, Decimal) else value


def _result_as_json(result: Result | None) -> dict[str, Any] | None:
    if result is None:
        return None
    told = {one.name: _plain(getattr(result, one.name)) for one in fields(Result)}
    return {**told, "opened_at": result.opened_at.isoformat(), "closed_at": result.closed_at.isoformat()}


def _result_from_json(told: Mapping[str, Any] | None) -> Result | None:
    if told is None:
        return None
    moments = {name: datetime.fromisoformat(told[name]) for name in ("opened_at", "closed_at")}
    return Result(**{**told, "pnl": Decimal(told["pnl"]), "fees": Decimal(told["fees"]), **moments})
