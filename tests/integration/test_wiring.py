"""Which prices and which broker the settings give, and what refuses real money."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from cryptography.fernet import Fernet
from django.core.exceptions import ImproperlyConfigured
from django.utils import timezone
from pytest_django import Settings

from tests import factories
from tests.venue.gate import API_KEY, API_SECRET
from tests.venue.launch import ROOT, Venue, venue
from trading import wiring
from trading.adapters.ccxt_broker import CcxtBroker
from trading.adapters.kept_market import KeptMarket
from trading.adapters.paper_broker import PaperBroker
from trading.core.params import Params
from trading.core.ports import OutcomeUnknown
from trading.core.slippage import Slippage
from trading.models import Bot, Event, Order, StateChange, Trade, TradingState
from trading.models.credentials import DoctorRun, ExchangeKey
from trading.services import credentials, going_live
from trading.services import tick as ticking
from trading.services.going_live import LiveRefused

pytestmark = pytest.mark.django_db

NO_CCXT = """
import sys, django
django.setup()
from trading import wiring
print(type(wiring.market_data()).__name__, "ccxt" in sys.modules)
"""
SHOWN = """
from django.conf import settings
print(settings.DATABASES["default"]["NAME"], settings.MARKET_DATA, settings.BROKER)
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Venue]:
    with venue(tmp_path_factory.mktemp("venue") / "venue.sqlite3") as running:
        yield running


@pytest.fixture(autouse=True)
def _fresh_wiring() -> Iterator[None]:
    wiring.forget()
    yield
    wiring.forget()


@pytest.fixture
def binance(place: Venue, settings: Settings) -> Venue:
    settings.EXCHANGE, settings.EXCHANGE_ENDPOINT = "binance", place.base_url
    settings.MARKET_DATA = "trading.adapters.ccxt_market.CcxtMarket"
    return place


@pytest.fixture
def live(binance: Venue, settings: Settings) -> Venue:
    settings.TRADING_MODE, settings.CREDENTIALS_KEYS = "live", [Fernet.generate_key().decode()]
    return binance


def python(tmp_path: Path, code: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run code in a process of its own, with a data directory of its own and these variables."""
    given = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    fixed = {
        "JULABA_DATA_DIR": str(tmp_path),
        "DJANGO_SETTINGS_MODULE": "julaba_site.settings",
        "PYTHONPATH": str(ROOT),
    }
    fixed["REDIS_URL"] = "redis://127.0.0.1:1/0"
    return subprocess.run(
        [sys.executable, "-c", code],
        env=given | fixed | variables,
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def store() -> ExchangeKey:
    given = credentials.Credentials(API_KEY, API_SECRET)
    return credentials.store(
        exchange="binance", environment="live", credentials=given, by="ann", now=timezone.now() - timedelta(hours=1)
    )


def approve(key: ExchangeKey) -> None:
    now = timezone.now()
    DoctorRun.objects.create(
        exchange="binance", mode="live", key=key, at=now - timedelta(minutes=1), passed=True, checks=[]
    )
    going_live.approve(
        exchange="binance", typed=going_live.phrase("binance"), by="ann", reason="ready", now=now - timedelta(seconds=1)
    )


def test_by_default_nothing_loads_ccxt(tmp_path: Path) -> None:
    done = python(tmp_path, NO_CCXT)

    assert done.stdout.split() == ["SimulatedMarket", "False"], done.stderr


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({}, "julaba.sqlite3 simulated_market.SimulatedMarket paper_broker.PaperBroker"),
        (
            {"EXCHANGE": "binance"},
            "julaba-paper-binance.sqlite3 ccxt_market.CcxtMarket paper_broker.PaperBroker",
        ),
        (
            {"EXCHANGE": "mexc", "TRADING_MODE": "live"},
            "julaba-live-mexc.sqlite3 ccxt_market.CcxtMarket ccxt_broker.CcxtBroker",
        ),
    ],
)
def test_each_account_has_a_file_of_its_own(tmp_path: Path, variables: dict[str, str], expected: str) -> None:
    done = python(tmp_path, SHOWN, **variables)

    file, market, broker = expected.split()
    adapters = "trading.adapters."
    assert done.stdout.split() == [str(tmp_path / file), adapters + market, adapters + broker], done.stderr


@pytest.mark.parametrize(
    ("variables", "sentence"),
    [
        ({"TRADING_MODE": "live"}, "TRADING_MODE=live needs a real venue: set EXCHANGE, such as EXCHANGE=binance"),
        (
            {"TRADING_MODE": "live", "EXCHANGE": "binance", "EXCHANGE_SANDBOX": "1"},
            "TRADING_MODE=live is for real money: unset EXCHANGE_SANDBOX, or set TRADING_MODE=paper",
        ),
        (
            {"EXCHANGE": "../x"},
            "EXCHANGE='../x' is no name of an exchange: use one of ccxt's, such as binance",
        ),
        ({"EXCHANGE_KIND": "margin"}, "EXCHANGE_KIND='MARGIN' is none of SPOT, SWAP"),
        ({"TRADING_MODE": "lve"}, "TRADING_MODE='LVE' is none of PAPER, LIVE"),
    ],
)
def test_what_cannot_be_meant_refuses_to_start(tmp_path: Path, variables: dict[str, str], sentence: str) -> None:
    done = python(tmp_path, SHOWN, **variables)

    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == f"django.core.exceptions.ImproperlyConfigured: {sentence}"


def test_paper_money_is_traded_at_a_real_venues_prices(binance: Venue, settings: Settings) -> None:
    settings.LOCAL_PROTECTION = "accept"
    binance.price("BTC/USDT", "50000")

    ports = wiring.ports(Params())

    assert isinstance(ports.market_data, KeptMarket)
    assert isinstance(ports.broker, PaperBroker)
    assert ports.market_data.tickers(["BTC/USDT"], now=timezone.now())["BTC/USDT"].price == pytest.approx(50000)
    assert (ports.venue, ports.initial_balance, ports.accepts_local_stops) == ("binance", Decimal(10_000), True)
    assert wiring.ports(Params()).market_data is ports.market_data
    assert not wiring.is_simulated()


def test_the_simulated_venue_is_named_so() -> None:
    ports = wiring.ports(Params())

    assert (ports.venue, ports.accepts_local_stops) == ("simulated", False)
    assert ports.clock is not None


def test_an_exchange_that_ccxt_has_not_is_said(binance: Venue, settings: Settings) -> None:
    settings.EXCHANGE = "nowhere"

    with pytest.raises(ImproperlyConfigured, match="EXCHANGE='nowhere': ccxt has no exchange 'nowhere'"):
        wiring.market_data()


def test_real_money_is_refused_without_a_key(live: Venue) -> None:
    with pytest.raises(LiveRefused, match="no live key of binance is stored"):
        wiring.ports(Params())


def test_real_money_is_refused_without_approval(live: Venue) -> None:
    store()

    with pytest.raises(LiveRefused, match="nobody has approved real money on binance"):
        wiring.ports(Params())


def test_with_all_four_real_money_is_traded(live: Venue) -> None:
    approve(store())

    ports = wiring.ports(Params())

    assert isinstance(ports.broker, CcxtBroker)
    assert ports.broker.mode == "live"
    assert (ports.venue, ports.initial_balance) == ("binance", Decimal(100_000))
    assert wiring.ports(Params()).broker is ports.broker


def test_what_an_account_began_with_is_not_asked_again(live: Venue) -> None:
    approve(store())
    Bot.objects.create(pk=1, mode="live", venue="binance", initial_balance=Decimal(77))

    assert wiring.ports(Params()).initial_balance == Decimal(77)


def test_a_revoked_approval_refuses_the_next_tick(live: Venue) -> None:
    approve(store())
    wiring.ports(Params())
    going_live.revoke(exchange="binance", by="ann", reason="enough", now=timezone.now())

    with pytest.raises(LiveRefused, match="nobody has approved"):
        wiring.ports(Params())


def bought(live: Venue) -> Trade:
    """Open the account by a tick, and put a position of 0.1 BTC into it and into the venue."""
    before = timezone.now() - timedelta(seconds=5)
    ticking.run(ports=wiring.ports(Params()), now=before, owner="test")
    trade = factories.trade(before, entry="50000", symbol="BTC/USDT", mode="live")
    live.transfer("BTC", "0.1")
    return trade


def test_a_revoked_approval_denies_entries_and_still_sends_exits(live: Venue) -> None:
    live.price("BTC/USDT", "50000")
    approve(store())
    trade = bought(live)
    Trade.objects.filter(pk=trade.pk).update(remaining_fraction=0.0, exit_reason="flatten")
    going_live.revoke(exchange="binance", by="ann", reason="enough", now=timezone.now())

    ports = wiring.ports(Params())
    ticking.run(ports=ports, now=timezone.now(), owner="test")

    bot = Bot.objects.get()
    assert bot.trading_state == TradingState.HALTED
    assert bot.state_reason.startswith("nobody has approved real money on binance")
    order = Order.objects.get(trade=trade)
    assert (order.role, order.side, order.status, order.quantity) == ("exit", "sell", "filled", Decimal("0.1"))
    assert [(row["side"], row["client_id"]) for row in live.accepted()] == [("SELL", order.client_id)]


def test_a_key_that_is_refused_at_a_question_halts_once(live: Venue) -> None:
    approve(store())
    broker = wiring.ports(Params()).broker
    Bot.objects.create(pk=1, mode="live", venue="binance")
    live.key(revoked=True)

    for _ in range(2):
        for ask in (
            lambda: broker.cash(now=timezone.now()),
            lambda: broker.holdings(["BTC/USDT"], now=timezone.now()),
            lambda: broker.open_orders(["BTC/USDT"], now=timezone.now()),
            lambda: broker.find("jlnone", symbol="BTC/USDT", now=timezone.now()),
        ):
            with pytest.raises(OutcomeUnknown):
                ask()

    live.key(revoked=False)
    assert Bot.objects.get().trading_state == TradingState.HALTED
    assert [change.reason for change in StateChange.objects.all()] == [
        "the venue denies access: binance: -2015 Invalid API-key, IP, or permissions for action."
    ]
    assert Event.objects.filter(kind="trading_state").count() == 1


def test_clients_of_a_process_share_budget_and_pause(live: Venue) -> None:
    made = wiring.client(), wiring.client(credentials.Credentials(API_KEY, API_SECRET, "a passphrase"))

    for one in made:
        one.exchange.load_markets()

    assert made[0]._budget is made[1]._budget
    assert made[0]._pause is made[1]._pause
    assert made[1].exchange.password == "a passphrase"


def test_another_key_makes_another_broker(live: Venue) -> None:
    approve(store())
    before = wiring.ports(Params()).broker
    approve(store())

    assert wiring.ports(Params()).broker is not before


def test_a_replay_is_paper_even_where_real_money_is_traded(live: Venue, settings: Settings) -> None:
    settings.BROKER = "trading.adapters.ccxt_broker.CcxtBroker"

    ports = wiring.ports_over(wiring.market_data(), Params(), Slippage(fraction=0.0))

    assert isinstance(ports.broker, PaperBroker)
    assert ports.clock is None
