"""Linear swaps through the real ccxt class: long and short, stops kept apart, reduce-only exits, and what is denied."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from tests.venue.gate import API_KEY, API_SECRET
from tests.venue.launch import Venue, venue
from trading.adapters.ccxt_broker import CcxtBroker
from trading.adapters.ccxt_client import CcxtClient
from trading.adapters.ccxt_market import CcxtMarket
from trading.core.ports import NotSent, OrderKind, OrderRejected, OrderRequest, OrderSide, ReportStatus, StopSupport

SYMBOL = "BTC/USDT:USDT"
BUY, SELL = OrderSide.BUY, OrderSide.SELL
_numbers = itertools.count(1)


@pytest.fixture
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Venue]:
    with venue(tmp_path_factory.mktemp("venue") / "venue.sqlite3") as running:
        running.price("BTC/USDT", "50000")
        yield running


@pytest.fixture
def broker(place: Venue) -> CcxtBroker:
    return CcxtBroker(
        client=CcxtClient("binance", kind="swap", key=API_KEY, secret=API_SECRET, endpoint=place.base_url)
    )


def now() -> datetime:
    return datetime.now(UTC)


def request(side: OrderSide, kind: OrderKind = OrderKind.MARKET, **changes: object) -> OrderRequest:
    values: dict[str, object] = {
        "client_id": f"jlswap{next(_numbers)}",
        "symbol": SYMBOL,
        "side": side,
        "kind": kind,
        "quantity": Decimal("0.01"),
        "at": now(),
    }
    return OrderRequest(**(values | changes))  # type: ignore[arg-type]


def stop(side: OrderSide, trigger: int) -> OrderRequest:
    return request(side, OrderKind.STOP, trigger=Decimal(trigger), reduce_only=True)


def held(broker: CcxtBroker) -> Decimal:
    return broker.holdings([SYMBOL], now=now())[SYMBOL]


def listed(broker: CcxtBroker) -> list[tuple[str, Decimal | None]]:
    return [(report.client_id, report.trigger) for report in broker.open_orders([SYMBOL], now=now())]


def test_the_rules_of_a_swap_are_read(place: Venue, broker: CcxtBroker) -> None:
    market = CcxtMarket(broker.client)

    rules = market.markets()[SYMBOL]

    assert rules.allows_short
    assert rules.max_leverage is None
    assert (rules.min_quantity, rules.max_quantity) == (Decimal("0.00001"), Decimal(120))
    assert (rules.price_step, rules.quantity_step) == (Decimal("0.01"), Decimal("0.00001"))
    assert market.tickers([SYMBOL], now=now())[SYMBOL].price == pytest.approx(50000)
    assert broker.capabilities(SYMBOL).stop == StopSupport.MARKET
    assert not broker.capabilities(SYMBOL).pays_notional
    assert abs(broker.clock_offset(now=now())) < timedelta(seconds=1)


@pytest.mark.parametrize(("side", "sign"), [(BUY, 1), (SELL, -1)])
def test_an_entry_a_stop_and_an_exit(place: Venue, broker: CcxtBroker, side: OrderSide, sign: int) -> None:
    other = SELL if side is BUY else BUY
    before = broker.cash(now=now())
    entry = request(side)

    report = broker.submit(entry)

    assert (report.status, report.client_id) == (ReportStatus.FILLED, entry.client_id)
    assert [(fill.quantity, fill.price, fill.fee, fill.side) for fill in report.fills] == [
        (Decimal("0.01"), Decimal(50000), Decimal("0.5"), side)
    ]
    assert held(broker) == sign * Decimal("0.01")
    resting = stop(other, 50000 - sign * 1000)
    assert broker.submit(resting).status == ReportStatus.OPEN
    assert listed(broker) == [(resting.client_id, resting.trigger)]
    found = broker.find(resting.client_id, symbol=SYMBOL, now=now())
    assert found is not None
    assert (found.status, found.quantity, found.side) == (ReportStatus.OPEN, Decimal("0.01"), other)
    for _ in range(2):
        assert broker.cancel(resting.client_id, symbol=SYMBOL, now=now()).status == ReportStatus.CANCELED
    assert listed(broker) == []

    leaving = request(other, reduce_only=True)
    assert broker.submit(leaving).status == ReportStatus.FILLED

    assert held(broker) == 0
    assert broker.cash(now=now()) == before - 1
    fills = broker.fills([SYMBOL], since=now() - timedelta(minutes=5), now=now())
    assert [fill.side for fill in fills] == [side, other]


@pytest.mark.parametrize(("side", "sign"), [(BUY, 1), (SELL, -1)])
def test_a_stop_that_is_triggered_is_found_with_its_fills(
    place: Venue, broker: CcxtBroker, side: OrderSide, sign: int
) -> None:
    broker.submit(request(side))
    resting = stop(SELL if side is BUY else BUY, 50000 - sign * 1000)
    broker.submit(resting)

    place.price("BTC/USDT", str(50000 - sign * 1100))

    found = broker.find(resting.client_id, symbol=SYMBOL, now=now())
    assert found is not None
    assert (found.status, sum(fill.quantity for fill in found.fills)) == (ReportStatus.FILLED, Decimal("0.01"))
    assert {found.client_id, *(fill.client_id for fill in found.fills)} == {resting.client_id}
    assert held(broker) == 0
    assert listed(broker) == []


def test_an_exit_without_a_position_is_refused_and_opens_none(broker: CcxtBroker) -> None:
    with pytest.raises(OrderRejected, match="-2022"):
        broker.submit(request(SELL, reduce_only=True))

    assert held(broker) == 0


def test_an_exit_that_is_larger_than_the_position_turns_nothing_around(broker: CcxtBroker) -> None:
    broker.submit(request(BUY))

    report = broker.submit(request(SELL, quantity=Decimal("0.03"), reduce_only=True))

    assert sum(fill.quantity for fill in report.fills) == Decimal("0.01")
    assert held(broker) == 0


def test_a_stop_that_would_trigger_at_once_is_refused(broker: CcxtBroker) -> None:
    broker.submit(request(BUY))

    with pytest.raises(OrderRejected, match="-2021"):
        broker.submit(stop(SELL, 51000))


def test_more_than_the_margin_allows_is_refused(broker: CcxtBroker) -> None:
    with pytest.raises(OrderRejected, match="-2019"):
        broker.submit(request(BUY, quantity=Decimal(100)))


def test_leverage_is_capped_before_the_first_entry_of_each_symbol(place: Venue, broker: CcxtBroker) -> None:
    for side in (BUY, SELL, BUY):
        broker.submit(request(side))

    asked = [row["endpoint"] for row in place.log()["requests"]]
    assert asked.count("POST leverage") == 1
    assert asked.index("POST leverage") < asked.index("POST order")
    assert broker.client.exchange.fetch_positions([SYMBOL])[0]["initialMarginPercentage"] == "0.1"


def test_without_a_cap_no_entry_is_sent_and_exits_are(place: Venue, broker: CcxtBroker) -> None:
    broker.submit(request(BUY))
    broker.client.capped.clear()
    place.fault("http_5xx", "POST leverage")

    with pytest.raises(NotSent, match="the leverage of BTC/USDT:USDT could not be capped"):
        broker.submit(request(BUY))

    assert held(broker) == Decimal("0.01")
    broker.client.capped.clear()
    place.fault("http_5xx", "POST leverage")
    assert broker.submit(request(SELL, reduce_only=True)).status == ReportStatus.FILLED


def test_an_account_that_keeps_long_and_short_apart_is_refused(broker: CcxtBroker) -> None:
    broker.capabilities(SYMBOL)
    broker.client.exchange.set_position_mode(True)

    with pytest.raises(OrderRejected, match="set the position mode to one-way"):
        broker.submit(request(BUY))

    assert held(broker) == 0


def test_what_was_never_sent_is_not_found(broker: CcxtBroker) -> None:
    assert broker.find("jlswapnone", symbol=SYMBOL, now=now()) is None


def test_money_in_an_open_position_is_not_counted_twice(place: Venue, broker: CcxtBroker) -> None:
    before = broker.cash(now=now())
    broker.submit(request(BUY))

    place.price("BTC/USDT", "51000")

    assert broker.cash(now=now()) == before - Decimal("0.5")
