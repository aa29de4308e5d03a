"""Which request fails and how, drawn from a seeded generator."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class Kind(StrEnum):
    """What can go wrong with a request."""

    ACCEPT_THEN_CUT = "accept_then_cut"
    ACCEPT_THEN_TRUNCATE = "accept_then_truncate"
    ACCEPT_THEN_HTML = "accept_then_html"
    ACCEPT_THEN_NULL = "accept_then_null"
    ACCEPT_THEN_EMPTY = "accept_then_empty"
    ACCEPT_THEN_5XX = "accept_then_5xx"
    LATE_ACCEPT = "late_accept"
    LOSE_REQUEST = "lose_request"
    HTTP_5XX = "http_5xx"
    RATE_LIMIT = "rate_limit"
    BAN = "ban"
    CLOCK = "clock"
    AUTH_ERROR = "auth_error"
    SLOW_REPLY = "slow_reply"
    PARTIAL = "partial"
    REFUSE = "refuse"
    NOT_FOUND_FOR = "not_found_for"
    HIDE_OPEN_ORDERS = "hide_open_orders"
    EMPTY_BALANCES = "empty_balances"
    WRONG_ORDER = "wrong_order"
    DUPLICATE_REPORT = "duplicate_report"


BEFORE = frozenset(
    {Kind.LATE_ACCEPT, Kind.LOSE_REQUEST, Kind.HTTP_5XX, Kind.RATE_LIMIT, Kind.BAN, Kind.AUTH_ERROR, Kind.REFUSE}
)
AFTER = frozenset(
    {
        Kind.ACCEPT_THEN_CUT, Kind.ACCEPT_THEN_TRUNCATE, Kind.ACCEPT_THEN_HTML, Kind.ACCEPT_THEN_NULL,
        Kind.ACCEPT_THEN_EMPTY, Kind.ACCEPT_THEN_5XX, Kind.SLOW_REPLY,
    }
)  # fmt: skip
VIEW = frozenset({Kind.HIDE_OPEN_ORDERS, Kind.EMPTY_BALANCES, Kind.WRONG_ORDER, Kind.DUPLICATE_REPORT})

# Without a `where`, a fault strikes where it makes sense.
_HOME = {
    Kind.NOT_FOUND_FOR: "GET order",
    Kind.HIDE_OPEN_ORDERS: "GET openOrders",
    Kind.EMPTY_BALANCES: "GET account",
    Kind.RATE_LIMIT: "*",
    Kind.BAN: "*",
    Kind.AUTH_ERROR: "*",
    Kind.DUPLICATE_REPORT: "*",
}
_LASTING = frozenset({Kind.NOT_FOUND_FOR})


@dataclass(slots=True)
class Rule:
    """One fault: where, how likely, how often (None: until healed), after how many matches."""

    where: str
    kind: Kind
    exchange: str = ""
    probability: float = 1.0
    times: int | None = None
    skip: int = 0
    args: dict[str, Any] = field(default_factory=dict)

    def seconds(self, default: float) -> float:
        return float(self.args.get("seconds", default))


class Faults:
    """The rules in force, and how often each kind has struck."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self.rules: list[Rule] = []
        self.fired: Counter[str] = Counter()

    def add(self, asked: dict[str, Any]) -> Rule:
        """Add a rule from its JSON; neither `times` nor `probability` means once."""
        kind = Kind(asked["what"])
        times = asked.get("times")
        if times is None and "probability" not in asked and kind not in _LASTING:
            times = 1
        rule = Rule(
            where=asked.get("where") or _HOME.get(kind, "POST order"),
            kind=kind,
            exchange=asked.get("exchange", ""),
            probability=float(asked.get("probability", 1.0)),
            times=times,
            skip=int(asked.get("skip", 0)),
            args=dict(asked.get("args") or {}),
        )
        self.rules.append(rule)
        return rule

    def heal(self) -> None:
        self.rules.clear()

    def draw(
        self, exchange: str, where: str, kinds: frozenset[Kind], when: Callable[[Rule], bool] = lambda rule: True
    ) -> Rule | None:
        """Return the first rule that strikes here, and count it."""
        for rule in self.rules:
            if rule.kind not in kinds or rule.exchange not in ("", exchange) or not _covers(rule.where, where):
                continue
            if not when(rule):
                continue
            if rule.skip:
                rule.skip -= 1
                continue
            if rule.probability < 1.0 and self._random.random() >= rule.probability:
                continue
            if rule.times is not None:
                rule.times -= 1
                if rule.times <= 0:
                    self.rules.remove(rule)
            self.fired[rule.kind.value] += 1
            return rule
        return None


def _covers(pattern: str, where: str) -> bool:
    """Return whether `POST order`, `POST *`, `order` or `*` covers an endpoint such as `POST order`."""
    method, _, path = where.partition(" ")
    return pattern in (where, "*", f"{method} *", path)
