"""What torture has to find in the end: our books against the venue's own record of everything it ever accepted."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from trading.models import (
    ACTIVE,
    LIVE,
    OPEN_INSTRUCTIONS,
    Bot,
    ExternalHolding,
    Fill,
    Instruction,
    LedgerEntry,
    LedgerKind,
    Order,
    OrderRole,
    Trade,
)
from trading.services import execution, invariants

LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)
DUST = Decimal(5)
"""Least quote that this venue sells for; a rest worth less cannot be protected by anybody."""


@dataclass(slots=True)
class Verdict:
    signals: int = 0
    duplicates: int = 0
    orphans: int = 0
    missed: int = 0
    unprotected_max_s: float = 0.0
    ledger_error: Decimal = Decimal(0)
    problems: list[str] = field(default_factory=list)

    @property
    def holds(self) -> bool:
        counts = (self.duplicates, self.orphans, self.missed, self.ledger_error, len(self.problems))
        return not any(counts) and self.unprotected_max_s <= 10.0


def judge(state: dict[str, Any]) -> Verdict:
    """Compare everything; `state` is the venue's."""
    verdict = Verdict(signals=Trade.objects.count())
    ours = {order.client_id: order for order in Order.objects.select_related("trade")}
    _count_duplicates(verdict, state, ours)
    _count_orphans(verdict, state, ours)
    _count_missed(verdict, state, ours)
    _weigh_holdings(verdict, state)
    _weigh_cash(verdict, state)
    verdict.unprotected_max_s = _longest_without_stop(verdict, state, ours)
    for asked in Instruction.objects.filter(status__in=OPEN_INSTRUCTIONS):
        verdict.problems.append(f"{asked.get_act_display()} of trade {asked.trade_id} was asked for and never answered")
    now = datetime.now(tz=UTC)
    for violation in invariants.check(now=now, since=LONG_AGO):
        verdict.problems.append(f"{violation.id} {violation.text}: {violation.found}")
    return verdict


def _count_duplicates(verdict: Verdict, state: dict[str, Any], ours: dict[str, Order]) -> None:
    for client_id, count in Counter(row["client_id"] for row in state["accepted"]).items():
        if count > 1:
            verdict.duplicates += count - 1
            verdict.problems.append(f"{client_id} was accepted {count} times")
    entered: Counter[Trade] = Counter()
    for row in state["orders"]:
        order = ours.get(row["client_id"])
        if order is not None and order.role == OrderRole.ENTRY:
            entered[order.trade] += Decimal(row["executed"])  # type: ignore[assignment]
    for trade, quantity in entered.items():
        if quantity > trade.planned_quantity:
            verdict.duplicates += 1
            verdict.problems.append(f"trade {trade.pk} was to enter {trade.planned_quantity} and entered {quantity}")


def _count_orphans(verdict: Verdict, state: dict[str, Any], ours: dict[str, Order]) -> None:
    for row in state["accepted"]:
        order = ours.get(row["client_id"])
        permit = order.permit_at.timestamp() * 1000 if order is not None and order.permit_at else None
        if not row["client_id"].startswith(execution.PREFIX) or permit is None or permit > row["accepted_at"] + 1:
            verdict.orphans += 1
            verdict.problems.append(f"{row['client_id']} was accepted without a permit")
    for row in state["orders"]:
        order = ours.get(row["client_id"])
        if row["status"] in ("NEW", "PARTIALLY_FILLED") and (order is None or order.status not in LIVE):
            verdict.orphans += 1
            verdict.problems.append(f"{row['client_id']} rests at the venue, here it is {order and order.status}")


def _count_missed(verdict: Verdict, state: dict[str, Any], ours: dict[str, Order]) -> None:
    booked = Fill.objects.count()
    happened = sum(len(row["fills"]) for row in state["orders"])
    if booked != happened:
        verdict.missed += abs(happened - booked)
        verdict.problems.append(f"the venue executed {happened} times, {booked} are booked")
    for row in state["orders"]:
        order = ours.get(row["client_id"])
        if order is not None and order.filled != Decimal(row["executed"]):
            verdict.missed += 1
            verdict.problems.append(f"{row['client_id']} executed {row['executed']}, here it is {order.filled}")


def _weigh_holdings(verdict: Verdict, state: dict[str, Any]) -> None:
    held = dict(ExternalHolding.objects.values_list("symbol", "quantity"))
    for trade in Trade.objects.filter(status__in=ACTIVE):
        held[trade.symbol] = held.get(trade.symbol, Decimal(0)) + trade.remaining
    for asset, balance in state["balances"].items():
        if asset.startswith("T") and asset != "USDT":
            theirs = Decimal(balance["free"]) + Decimal(balance["locked"])
            if theirs != held.get(f"{asset}/USDT", Decimal(0)):
                verdict.missed += 1
                verdict.problems.append(f"{asset}: the venue holds {theirs}, here it is {held.get(f'{asset}/USDT')}")


def _weigh_cash(verdict: Verdict, state: dict[str, Any]) -> None:
    usdt = state["balances"]["USDT"]
    theirs = Decimal(usdt["free"]) + Decimal(usdt["locked"])
    spent = sum((trade.cost for trade in Trade.objects.filter(status__in=ACTIVE)), Decimal(0))
    ours = Bot.objects.get(pk=1).balance - spent
    adjusted = sum((row.amount for row in LedgerEntry.objects.filter(kind=LedgerKind.TRANSFER)), Decimal(0))
    verdict.ledger_error = (abs(theirs - ours) + abs(adjusted)).quantize(Decimal("0.01"))
    if verdict.ledger_error:
        verdict.problems.append(f"the venue has {theirs} USDT, our books say {ours} (adjusted by {adjusted})")


def _longest_without_stop(verdict: Verdict, state: dict[str, Any], ours: dict[str, Order]) -> float:
    """Return the longest time a trade held a coin worth selling with no stop resting, by the venue's own record.

    Trade by trade: what many of them left behind as too small to sell adds up to something, which is nobody's position.
    """
    longest = timedelta(0)
    by_trade: dict[int, list[dict[str, Any]]] = {}
    for row in state["orders"]:
        if row["client_id"] in ours:
            by_trade.setdefault(ours[row["client_id"]].trade_id, []).append(row)
    for rows in by_trade.values():
        symbol = rows[0]["symbol"]
        moments: list[tuple[int, Decimal, int]] = []  # (ms, change of holding, change of resting stops)
        for row in rows:
            sign = 1 if row["side"] == "BUY" else -1
            for fill in row["fills"]:
                kept = Decimal(fill["fee"]) if not fill["fee_asset"].startswith("USDT") else Decimal(0)
                moments.append((fill["at"], sign * Decimal(fill["quantity"]) - kept, 0))
            if row["type"].startswith("STOP"):
                moments.append((row["accepted_at"], Decimal(0), 1))
                if row["status"] not in ("NEW", "PARTIALLY_FILLED"):
                    moments.append((row["updated_at"], Decimal(0), -1))
        span, when = _longest_bare(sorted(moments, key=lambda moment: moment[0]), state["time"])
        if span > 10_000:
            verdict.problems.append(f"{symbol} was without a stop for {span / 1000:.1f} s from {when}")
        longest = max(longest, timedelta(milliseconds=span))
    return longest.total_seconds()


def _longest_bare(moments: list[tuple[int, Decimal, int]], end: int) -> tuple[int, int]:
    held, stops, bare_since, longest, worst = Decimal(0), 0, None, 0, 0
    for at, change, stop in [*moments, (end, Decimal(0), 0)]:
        if bare_since is not None and at - bare_since > longest:
            longest, worst = at - bare_since, bare_since
        held, stops = held + change, stops + stop
        is_bare = held * 90 >= DUST and stops == 0
        bare_since = (bare_since if bare_since is not None else at) if is_bare else None
    return longest, worst
