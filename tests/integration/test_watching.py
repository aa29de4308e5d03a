"""The watch list: fixed, by the scan or by hand; what a tick trades by it; and who replaces whom."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import transaction

from tests.engine import START, SYMBOL, close_of, context_at, enter_at, ports_over, run_tick, series, set_params
from tests.factories import trade
from trading.core.params import Params
from trading.models import (
    BlacklistEntry,
    Event,
    Order,
    PairLock,
    PairSwitch,
    Scan,
    ScanRow,
    Signal,
    Trade,
    WatchedPair,
    Watermark,
)
from trading.services import pair_locks, permits, switching, watching
from trading.services.pair_locks import PairRefused

pytestmark = pytest.mark.django_db

BY_SCAN = Params.of({"watch": "scan", "watch_count": 2, "pairs": ["A/USDT", "B/USDT", "C/USDT", "D/USDT"]})
NOW = START + timedelta(days=3)


def scanned(at: datetime, scores: Mapping[str, float], *, refused: Sequence[str] = ()) -> Scan:
    """Make a ranked scan; symbols are named by their base."""
    made = Scan.objects.create(at=at, timeframe="15m", finished_at=at + timedelta(seconds=3))
    order = sorted(scores, key=lambda base: (base in refused, -scores[base]))
    for rank, base in enumerate(order, 1):
        ScanRow.objects.create(
            scan=made,
            rank=rank,
            symbol=f"{base}/USDT",
            score=scores[base],
            price=1.0,
            regime="trend",
            parts={"adx": scores[base]},
            refused_by="age" if base in refused else "",
        )
    return made


def after(
    at: datetime, params: Params = BY_SCAN, refused: Sequence[str] = (), opinion: Any = None, **scores: float
) -> PairSwitch | None:
    """Scan at a moment and let the watch list follow."""
    return switching.after_scan(scanned(at, scores, refused=refused), params=params, now=at, opinion=opinion)


def watched() -> list[str]:
    return [symbol.partition("/")[0] for symbol in watching.symbols(BY_SCAN)]


def minutes(number: float) -> datetime:
    return NOW + timedelta(minutes=number)


# The list -----------------------------------------------------------------------------------------------


def test_a_fixed_list_is_the_parameter_pairs_and_what_people_add() -> None:
    params = Params.of({"pairs": ["B/USDT", "A/USDT"]})
    assert watching.symbols(params) == ("B/USDT", "A/USDT")
    assert watching.applied(params) is params

    watching.add("c/usdt", reason="news", by="ann", now=NOW, params=params)

    assert watching.symbols(params) == ("B/USDT", "A/USDT", "C/USDT")
    assert watching.applied(params).pairs == ("B/USDT", "A/USDT", "C/USDT")
    assert Event.objects.get().text == "ann put C/USDT on the watch list: news"


def test_a_scan_does_not_touch_a_fixed_list() -> None:
    assert after(NOW, params=Params.of({"pairs": ["A/USDT"]}), A=10, B=90) is None
    assert not WatchedPair.objects.exists()


def test_the_best_of_the_scan_take_the_free_places_and_before_it_the_listed_pairs_do() -> None:
    assert watched() == ["A", "B", "C", "D"]

    after(NOW, A=40, B=70, C=60, D=90, refused=["D"])

    assert watched() == ["B", "C"]
    assert {place.reason for place in WatchedPair.objects.all()} == {
        "rank 1 of the scan with 70 points",
        "rank 2 of the scan with 60 points",
    }


def test_what_was_traded_at_a_moment_is_remembered() -> None:
    after(NOW, A=40, B=70)
    watching.add("X/USDT", reason="news", by="ann", now=minutes(10), params=BY_SCAN)
    watching.remove("X/USDT", reason="old news", by="ann", now=minutes(20), params=BY_SCAN)

    assert watching.symbols_at(minutes(-1), BY_SCAN) == BY_SCAN.pairs
    assert watching.symbols_at(minutes(15), BY_SCAN) == ("B/USDT", "A/USDT", "X/USDT")
    assert watching.symbols_at(minutes(25), BY_SCAN) == ("B/USDT", "A/USDT")


@pytest.mark.parametrize(
    ("_case", "symbol", "reason", "field"),
    [
        ("no symbol", "bitcoin", "news", "symbol"),
        ("no reason", "X/USDT", "  ", "reason"),
        ("a long reason", "X/USDT", "x" * 201, "reason"),
        ("listed already", "A/USDT", "news", "symbol"),
        ("not at the venue", "Y/USDT", "news", "symbol"),
    ],
)
def test_what_cannot_be_watched_is_refused_and_nothing_is_written(
    _case: str, symbol: str, reason: str, field: str
) -> None:
    with pytest.raises(PairRefused) as refusal:
        watching.add(symbol, reason=reason, by="ann", now=NOW, params=BY_SCAN, known=["A/USDT", "X/USDT"])

    assert refusal.value.field == field
    assert not WatchedPair.objects.exists()
    assert not Event.objects.exists()


def test_a_listed_pair_and_one_with_an_open_trade_cannot_be_taken_off() -> None:
    with pytest.raises(PairRefused, match="one of the parameter pairs"):
        watching.remove("A/USDT", reason="thin", by="ann", now=NOW, params=BY_SCAN)
    watching.add("X/USDT", reason="news", by="ann", now=NOW, params=BY_SCAN)
    trade(NOW, symbol="X/USDT")
    with pytest.raises(PairRefused, match="a trade is open on X/USDT"):
        watching.remove("X/USDT", reason="thin", by="ann", now=NOW, params=BY_SCAN)


# The tick -----------------------------------------------------------------------------------------------


def test_the_tick_judges_what_is_watched_and_nothing_else() -> None:
    bars = {name: series([(100, 101, 99, 100)], symbol=name) for name in (SYMBOL, "X/USDT", "Y/USDT")}
    ports = ports_over(bars, enter_at(-1))
    set_params(pairs=[SYMBOL, "Y/USDT"], watch="scan")
    for name in ("X/USDT", SYMBOL):
        WatchedPair.objects.create(symbol=name, source="scan", since=START, reason="rank 1")

    run_tick(ports, close_of(-1))

    assert set(Signal.objects.values_list("symbol", flat=True)) == {SYMBOL, "X/USDT"}
    assert set(Watermark.objects.values_list("symbol", flat=True)) == {SYMBOL, "X/USDT"}


def test_a_trade_of_a_pair_that_left_the_list_is_followed_to_its_end() -> None:
    ports = ports_over(series([(100, 100.2, 99.8, 100), (100, 100, 80, 80), (80, 80, 80, 80)]), enter_at(-1))
    set_params()
    run_tick(ports, close_of(-1))
    assert Trade.objects.get().status == "open"
    set_params(pairs=["OTHER/USDT"])

    for row in (0, 1):
        run_tick(ports, close_of(row))

    assert (Trade.objects.get().status, Trade.objects.get().exit_reason) == ("closed", "stop")


@pytest.mark.parametrize("barred_by", ["blacklist", "pair_lock"])
def test_a_barred_pair_is_judged_and_refused_by_name(barred_by: str) -> None:
    now = close_of(-1)
    if barred_by == "blacklist":
        pair_locks.ban(SYMBOL, reason="hack", by="ann", now=START)
    else:
        pair_locks.lock(SYMBOL, until=now + timedelta(minutes=30), reason="unlock of tokens", by="ann", now=START)
    set_params()

    run_tick(ports_over(series([(100, 101, 99, 100)]), enter_at(-1)), now)

    signal = Signal.objects.get()
    assert (signal.status, signal.refused_by) == ("refused", barred_by)
    expected = {
        "blacklist": "BTC/USDT is on the blacklist: hack",
        "pair_lock": "BTC/USDT is locked for 30 min: unlock of tokens",
    }
    assert signal.reason == expected[barred_by]
    assert not Trade.objects.exists()


def test_a_lock_that_has_ended_or_was_lifted_refuses_nothing() -> None:
    pair_locks.lock(SYMBOL, until=close_of(-1), reason="until then", by="", now=START)
    lifted = pair_locks.lock(SYMBOL, until=close_of(40), reason="long", by="ann", now=START)
    pair_locks.lift(lifted.pk, by="bob", now=START)
    entry = pair_locks.ban(SYMBOL, reason="hack", by="ann", now=START)
    pair_locks.unban(SYMBOL, by="bob", now=START)
    set_params()

    run_tick(ports_over(series([(100, 101, 99, 100)]), enter_at(-1)), close_of(-1))

    assert Signal.objects.get().status == "taken"
    entry.refresh_from_db()
    assert (entry.removed_by, PairLock.objects.get(pk=lifted.pk).lifted_by) == ("bob", "bob")


def test_a_pair_that_was_barred_since_the_decision_is_not_entered() -> None:
    ports = ports_over(series([(100, 101, 99, 100)]), enter_at(-1))
    set_params()
    run_tick(ports, close_of(-1))
    order = Order.objects.get(role="entry")
    context = context_at(ports, close_of(-1))
    pair_locks.ban(SYMBOL, reason="hack", by="ann", now=START)

    with transaction.atomic():
        assert (refused := permits.refusal(order, context)) is not None

    assert refused.name == "blacklist"


def test_a_pair_is_blacklisted_once() -> None:
    pair_locks.ban("x/usdt", reason="hack", by="ann", now=NOW)

    with pytest.raises(PairRefused, match="on the blacklist already"):
        pair_locks.ban("X/USDT", reason="again", by="bob", now=NOW)
    with pytest.raises(PairRefused, match="not on the blacklist"):
        pair_locks.unban("Y/USDT", by="bob", now=NOW)
    with pytest.raises(PairRefused, match="no standing lock 7"):
        pair_locks.lift(7, by="bob", now=NOW)
    with pytest.raises(PairRefused, match="has passed already"):
        pair_locks.lock("X/USDT", until=NOW, reason="late", by="bob", now=NOW)
    assert BlacklistEntry.objects.get().by == "ann"
    assert not PairLock.objects.exists()
