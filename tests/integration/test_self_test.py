"""The daily trial of stops: once a day, live alone, and what its failure does to trading."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from cryptography.fernet import Fernet
from django.utils import timezone
from pytest_django import Settings

from tests import factories
from tests.venue.gate import API_KEY, API_SECRET
from tests.venue.launch import Venue, venue
from trading import tasks, wiring
from trading.core.params import Params
from trading.core.ports import (
    AccessDenied,
    MarketDataUnavailable,
    NotSent,
    OrderKind,
    OrderRejected,
    OrderRequest,
    OrderSide,
    OutcomeUnknown,
    StopSupport,
)
from trading.models import Bot, Event, TradingState
from trading.models.credentials import DoctorRun
from trading.services import credentials, going_live, self_test

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 3, 1, tzinfo=UTC)
PAIRS = ("SOL/USDT", "BTC/USDT")


@dataclass
class FakeTester:
    """A venue with stops in BTC/USDT alone; `error` is what the trial raises."""

    error: Exception | None = None
    tried: list[str] = field(default_factory=list)

    def stop_support(self, symbol: str) -> StopSupport:
        return StopSupport.MARKET if symbol == "BTC/USDT" else StopSupport.NONE

    def self_test(self, symbol: str, *, now: datetime) -> str:
        self.tried.append(symbol)
        if self.error is not None:
            raise self.error
        return "a stop"


def state() -> str:
    return Bot.objects.get().trading_state


def test_a_trial_that_passes_is_written_down_and_not_due_for_a_day() -> None:
    factories.bot(NOW)
    tester = FakeTester()
    assert self_test.is_due(now=NOW)

    assert self_test.run(tester=tester, symbols=PAIRS, now=NOW)

    assert (tester.tried, state()) == (["BTC/USDT"], TradingState.ACTIVE)
    assert Event.objects.get().text == "Daily trial: a stop was placed, seen and canceled"
    assert not self_test.is_due(now=NOW + timedelta(hours=23))
    assert self_test.is_due(now=NOW + timedelta(hours=24))


@pytest.mark.parametrize("error", [OrderRejected("is filled"), AccessDenied("no right")])
def test_a_trial_that_fails_restricts_trading_to_exits(error: Exception) -> None:
    factories.bot(NOW)

    assert self_test.run(tester=FakeTester(error), symbols=PAIRS, now=NOW) is False

    assert state() == TradingState.CLOSE_ONLY
    assert str(error) in Event.objects.get(kind="self_test_failed").text
    assert Event.objects.filter(kind="trading_state").count() == 1


@pytest.mark.parametrize("error", [OutcomeUnknown("cut"), NotSent("banned"), MarketDataUnavailable("no price")])
def test_a_trial_that_could_not_be_made_stays_due(error: Exception) -> None:
    factories.bot(NOW)

    assert self_test.run(tester=FakeTester(error), symbols=PAIRS, now=NOW) is None

    assert (state(), Event.objects.count()) == (TradingState.ACTIVE, 0)
    assert self_test.is_due(now=NOW)


def test_without_stops_without_an_account_and_halted_nothing_is_tried() -> None:
    assert not self_test.is_due(now=NOW)
    factories.bot(NOW, trading_state="halted")
    assert not self_test.is_due(now=NOW)
    tester = FakeTester()

    assert self_test.run(tester=tester, symbols=PAIRS[:1], now=NOW) is None

    assert (tester.tried, Event.objects.count()) == ([], 0)


# --- At the fake venue --------------------------------------------------------------------------------


@pytest.fixture
def live(tmp_path: Path, settings: Settings) -> Iterator[Venue]:
    """Run a venue whose account is approved for real money."""
    wiring.forget()
    now = timezone.now()
    with venue(tmp_path / "venue.sqlite3") as place:
        settings.EXCHANGE, settings.EXCHANGE_ENDPOINT = "binance", place.base_url
        settings.MARKET_DATA = "trading.adapters.ccxt_market.CcxtMarket"
        settings.TRADING_MODE, settings.CREDENTIALS_KEYS = "live", [Fernet.generate_key().decode()]
        given = credentials.Credentials(API_KEY, API_SECRET)
        key = credentials.store(exchange="binance", environment="live", credentials=given, by="ann", now=now)
        DoctorRun.objects.create(exchange="binance", mode="live", key=key, at=now, passed=True, checks=[])
        going_live.approve(
            exchange="binance", typed=going_live.phrase("binance"), by="ann", reason="ready", now=timezone.now()
        )
        factories.bot(now, mode="live", venue="binance")
        yield place
    wiring.forget()


def test_the_task_tries_a_stop_where_coins_are_free_once_a_day(live: Venue) -> None:
    live.transfer("BTC", "1")

    tasks.self_test.delay()
    tasks.self_test.delay()

    (trial,) = live.orders()
    assert (trial["type"], trial["side"], trial["status"]) == ("STOP_LOSS", "SELL", "CANCELED")
    assert trial["client_id"].startswith("jt")
    assert "a stop to sell" in Event.objects.get(kind="self_test_passed").text


def test_coins_that_the_stop_of_a_position_has_locked_are_left_to_it(live: Venue) -> None:
    live.transfer("BTC", "0.1")
    broker = wiring.ports(Params()).broker
    now = timezone.now()
    protects = OrderRequest(
        client_id="jlstop", symbol="BTC/USDT", side=OrderSide.SELL, kind=OrderKind.STOP, quantity=Decimal("0.1"),
        trigger=Decimal(40_000), at=now, reduce_only=True,
    )  # fmt: skip
    broker.submit(protects)

    tasks.self_test.delay()

    stop, trial = live.orders()
    assert (stop["status"], trial["type"], trial["status"]) == ("NEW", "LIMIT", "CANCELED")
    assert "no free coins that a stop could sell" in Event.objects.get(kind="self_test_passed").text
    assert state() == TradingState.ACTIVE


def test_a_venue_that_lists_no_trial_restricts_trading_and_the_trial_is_canceled(live: Venue) -> None:
    live.fault("hide_open_orders", times=1)

    tasks.self_test.delay()

    assert state() == TradingState.CLOSE_ONLY
    assert [order["status"] for order in live.orders()] == ["CANCELED"]


def test_paper_money_needs_no_trial(live: Venue, settings: Settings) -> None:
    settings.TRADING_MODE = "paper"

    tasks.self_test.delay()

    assert live.orders() == []
