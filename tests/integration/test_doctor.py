"""The doctor passes an account that is fit for real money, and fails it for each single fault."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from cryptography.fernet import Fernet
from django.db import connection
from pytest_django import Settings

from trading.core.ports import AccessDenied, NotSent, OutcomeUnknown, StopSupport
from trading.core.types import Market
from trading.models.credentials import DoctorRun, ExchangeKey
from trading.services import credentials, doctor
from trading.services.credentials import Credentials
from trading.services.doctor import Permissions, Probe, SelfTestFailed, Terms

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 3, 1, tzinfo=UTC)
GIVEN = Credentials("canary-key-0123456789-AB12", "canary-secret-0123456789")
FIT = Permissions(can_trade=True, can_withdraw=False, ip_restricted=True)
TERMS = Terms(symbols=("BTC/USDT", "ETH/USDT"), minimum_cash=Decimal(100), sqlite="accept")
NAMES = ["credentials", "environment", "database", "reachable", "clock", "may_trade", "may_not_withdraw",
         "addresses", "balance", "pairs", "stops", "self_test"]  # fmt: skip


def market(symbol: str) -> Market:
    cent = Decimal("0.01")
    return Market(
        symbol=symbol, price_step=cent, quantity_step=cent, min_notional=Decimal(5), fee_rate=Decimal("0.001")
    )


@dataclass
class FakeProbe:
    """A venue as the test describes it; `fails` names the questions that raise."""

    offset: timedelta = timedelta(milliseconds=20)
    rights: Permissions = FIT
    money: Decimal = Decimal(250)
    symbols: tuple[str, ...] = ("BTC/USDT", "ETH/USDT", "SOL/USDT")
    without_stops: tuple[str, ...] = ()
    fails: Mapping[str, Exception] = field(default_factory=dict)
    tried: list[str] = field(default_factory=list)

    def _fail(self, name: str) -> None:
        if name in self.fails:
            raise self.fails[name]

    def clock_offset(self, *, now: datetime) -> timedelta:
        self._fail("clock_offset")
        return self.offset

    def permissions(self, *, now: datetime) -> Permissions:
        self._fail("permissions")
        return self.rights

    def cash(self, *, now: datetime) -> Decimal:
        self._fail("cash")
        return self.money

    def markets(self) -> Mapping[str, Market]:
        self._fail("markets")
        return {symbol: market(symbol) for symbol in self.symbols}

    def stop_support(self, symbol: str) -> StopSupport:
        self._fail("stop_support")
        return StopSupport.NONE if symbol in self.without_stops else StopSupport.MARKET

    def self_test(self, symbol: str, *, now: datetime) -> str:
        self.tried.append(symbol)
        self._fail("self_test")
        return f"a stop for {symbol}"


@pytest.fixture(autouse=True)
def live_process(settings: Settings) -> None:
    settings.CREDENTIALS_KEYS, settings.TRADING_MODE = [Fernet.generate_key().decode()], "live"


def store(environment: str = "live", attestation: str = "") -> ExchangeKey:
    return credentials.store(
        exchange="binance", environment=environment, credentials=GIVEN, by="ann", now=NOW, attestation=attestation
    )


def examine(probe: Probe | None = None, terms: Terms = TERMS, mode: str = "live") -> DoctorRun:
    connect: Callable[[Credentials], Probe] = lambda found: probe or FakeProbe()  # noqa: E731
    return doctor.run(exchange="binance", mode=mode, connect=connect, terms=terms, now=NOW)


def text_of(run: DoctorRun, name: str) -> str:
    return str(next(check["text"] for check in run.checks if check["name"] == name))


def failed(run: DoctorRun) -> list[str]:
    return [check["name"] for check in run.checks if not check["passed"]]


def test_a_fit_account_passes_every_check() -> None:
    key, probe = store(), FakeProbe()

    run = examine(probe)

    assert run.passed
    assert [check["name"] for check in run.checks] == NAMES
    assert failed(run) == []
    assert (run.at, run.exchange, run.mode, run.key) == (NOW, "binance", "live", key)
    assert probe.tried == ["BTC/USDT"]
    assert text_of(run, "self_test") == "a stop for BTC/USDT was placed, seen and canceled"


def test_the_key_that_is_stored_is_the_one_that_is_examined() -> None:
    store()
    seen: list[Credentials] = []

    def connect(found: Credentials) -> Probe:
        seen.append(found)
        return FakeProbe()

    doctor.run(exchange="binance", mode="live", connect=connect, terms=TERMS, now=NOW)

    assert seen == [GIVEN]


@pytest.mark.parametrize(
    ("_case", "changes", "name", "words"),
    [
        ("withdraws", {"rights": replace(FIT, can_withdraw=True)}, "may_not_withdraw", "take that right away"),
        ("tells nothing", {"rights": replace(FIT, can_withdraw=None)}, "may_not_withdraw", "--attest"),
        ("read only", {"rights": replace(FIT, can_trade=False)}, "may_trade", "give it the right"),
        ("ahead", {"offset": timedelta(milliseconds=500)}, "clock", "is 500 ms ahead of ours"),
        ("behind", {"offset": timedelta(milliseconds=-501)}, "clock", "is -501 ms ahead of ours"),
        ("poor", {"money": Decimal("99.99")}, "balance", "has 99.99, 100 is the least"),
        ("no number", {"money": Decimal("NaN")}, "balance", "has NaN"),
        ("no such pair", {"symbols": ("BTC/USDT",)}, "pairs", "the venue has no ETH/USDT"),
        ("no stops", {"without_stops": ("ETH/USDT",)}, "stops", "set LOCAL_PROTECTION=accept"),
        ("denied", {"fails": {"cash": AccessDenied("no right")}}, "balance", "no right"),
        ("no markets", {"fails": {"markets": NotSent("banned")}}, "pairs", "banned"),
        ("no support", {"fails": {"stop_support": NotSent("banned")}}, "stops", "banned"),
    ],
)
def test_each_fault_alone_fails_the_account(_case: str, changes: dict[str, Any], name: str, words: str) -> None:
    store()
    probe = FakeProbe(**changes)

    run = examine(probe)

    assert not run.passed
    assert failed(run) == [name, "self_test"]
    assert words in text_of(run, name)
    assert text_of(run, "self_test") == "not asked: the other checks must pass first"
    assert probe.tried == []


def test_rights_that_cannot_be_asked_for_fail_all_three() -> None:
    store()

    run = examine(FakeProbe(fails={"permissions": OutcomeUnknown("timed out")}))

    assert failed(run) == ["may_trade", "may_not_withdraw", "addresses", "self_test"]


@pytest.mark.parametrize("error", [OutcomeUnknown("timed out"), SelfTestFailed("not in the open orders")])
def test_a_stop_that_fails_its_trial_fails_the_account(error: Exception) -> None:
    store()

    run = examine(FakeProbe(fails={"self_test": error}))

    assert failed(run) == ["self_test"]
    assert text_of(run, "self_test") == f"the trial order failed ({error}): cancel at the venue what is left of it"


def test_a_statement_counts_where_the_venue_tells_nothing_and_never_against_it() -> None:
    store(attestation="made without withdrawal, 1 March")

    silent = examine(FakeProbe(rights=replace(FIT, can_withdraw=None)))
    open_wide = examine(FakeProbe(rights=replace(FIT, can_withdraw=True)))

    assert silent.passed
    assert text_of(silent, "may_not_withdraw").endswith("ann stated: made without withdrawal, 1 March")
    assert failed(open_wide) == ["may_not_withdraw", "self_test"]


@pytest.mark.parametrize("restricted", [False, None])
def test_a_key_for_any_address_is_a_warning(restricted: bool | None) -> None:
    store()

    run = examine(FakeProbe(rights=replace(FIT, ip_restricted=restricted)))

    assert run.passed
    assert text_of(run, "addresses").startswith("Warning: ")


def test_a_risk_that_is_accepted_in_words_is_a_warning() -> None:
    store()
    probe = FakeProbe(without_stops=("BTC/USDT",))

    run = examine(probe, replace(TERMS, local_protection="accept"))

    assert run.passed
    assert text_of(run, "stops").startswith("Warning: stops of BTC/USDT")
    assert probe.tried == ["ETH/USDT"]


@pytest.mark.parametrize("word", ["", "1", "yes", "ACCEPT"])
def test_no_other_word_accepts_a_risk(word: str) -> None:
    store()
    bare = FakeProbe(without_stops=("BTC/USDT",))

    assert failed(examine(bare, replace(TERMS, local_protection=word))) == ["stops", "self_test"]


@pytest.mark.skipif(connection.vendor == "postgresql", reason="this database is fit for real money")
def test_sqlite_is_not_fit_for_real_money() -> None:
    store()

    run = examine(terms=replace(TERMS, sqlite=""))

    assert failed(run) == ["database", "self_test"]
    assert text_of(run, "database").endswith("set DATABASE_URL to a PostgreSQL, or LIVE_ON_SQLITE=accept")


def test_without_a_watched_pair_nothing_passes() -> None:
    store()

    assert failed(examine(terms=replace(TERMS, symbols=()))) == ["pairs", "self_test"]


def test_a_venue_that_does_not_answer_is_asked_nothing_more() -> None:
    store()
    probe = FakeProbe(fails={"clock_offset": OutcomeUnknown("timed out"), "cash": AssertionError("was asked")})

    run = examine(probe)

    assert failed(run) == NAMES[3:]
    assert text_of(run, "reachable") == "the venue did not answer (timed out): look at the network and try again"


def test_a_sandbox_key_is_not_examined_for_live() -> None:
    store("sandbox")

    run = examine(FakeProbe(fails={"clock_offset": AssertionError("was asked")}))

    assert failed(run) == [name for name in NAMES if name != "database"]
    assert text_of(run, "environment") == "no key of binance is tagged live: store one that is"
    assert run.key is None


def test_a_sandbox_key_under_a_live_tag_is_not_examined() -> None:
    store("sandbox")
    ExchangeKey.objects.update(environment="live")

    run = examine(FakeProbe(fails={"clock_offset": AssertionError("was asked")}))

    assert failed(run)[:2] == ["credentials", "environment"]
    assert "was sealed for binance sandbox" in text_of(run, "environment")


def test_a_key_that_cannot_be_decrypted_fails(settings: Settings) -> None:
    store()
    settings.CREDENTIALS_KEYS = []

    run = examine()

    assert failed(run)[:2] == ["credentials", "environment"]
    assert text_of(run, "clock") == "not asked: there is no usable key"


def test_the_sandbox_is_examined_in_the_sandbox(settings: Settings) -> None:
    settings.TRADING_MODE = "paper"
    store("sandbox")

    run = examine(mode="sandbox")

    assert (run.passed, run.mode) == (True, "sandbox")


def test_what_a_venue_repeats_of_the_key_is_not_kept() -> None:
    store()
    leak = OutcomeUnknown(f"GET /account?apiKey={GIVEN.key}&secret={GIVEN.secret} timed out")

    run = examine(FakeProbe(fails={"cash": leak}))

    kept = json.dumps(DoctorRun.objects.get().checks)
    assert GIVEN.key not in kept
    assert GIVEN.secret not in kept
    assert "apiKey=[hidden]" in text_of(run, "balance")
