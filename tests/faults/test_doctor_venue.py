"""manage.py doctor against the fake venue."""

from __future__ import annotations

import io
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pytest
from cryptography.fernet import Fernet
from django.core.management import CommandError, call_command
from django.utils import timezone
from pytest_django import Settings

from tests.venue.gate import API_KEY, API_SECRET
from tests.venue.launch import Venue
from trading import wiring
from trading.adapters.ccxt_broker import CcxtBroker
from trading.adapters.ccxt_market import CcxtMarket
from trading.core.ports import OutcomeUnknown
from trading.management.commands.doctor import Examination
from trading.models.credentials import DoctorRun
from trading.services import credentials, parameters
from trading.services.doctor import SelfTestFailed

pytestmark = pytest.mark.django_db


@pytest.fixture
def place(fake: Venue, settings: Settings) -> Iterator[Venue]:
    wiring.forget()
    settings.EXCHANGE, settings.EXCHANGE_ENDPOINT = "binance", fake.base_url
    settings.TRADING_MODE, settings.CREDENTIALS_KEYS = "live", [Fernet.generate_key().decode()]
    settings.LIVE_ON_SQLITE = "accept"
    watch("BTC/USDT", "ETH/USDT")
    yield fake
    wiring.forget()


def watch(*symbols: str) -> None:
    now = timezone.now()
    current = parameters.current(now=now)
    current.pk, current.number = None, current.number + 1
    current.values = {**current.values, "pairs": list(symbols)}
    current.save(force_insert=True)


def store(exchange: str = "binance", environment: str = "live", **more: Any) -> None:
    given = credentials.Credentials(API_KEY, API_SECRET)
    credentials.store(
        exchange=exchange, environment=environment, credentials=given, by="ann", now=timezone.now(), **more
    )


def examine(*options: str) -> tuple[int, dict[str, str]]:
    """Run the command; return its exit code and its lines by the name of the check."""
    out = io.StringIO()
    code = 0
    try:
        call_command("doctor", "--venue", *options, stdout=out)
    except CommandError as error:
        code = error.returncode
    lines = [line for line in out.getvalue().splitlines() if line[:4] in ("ok  ", "FAIL")]
    return code, {line[5:].split(":")[0]: line for line in lines}


def test_a_fit_account_passes_and_the_trial_leaves_nothing(place: Venue) -> None:
    store()

    code, lines = examine()

    assert (code, [line for line in lines.values() if line.startswith("FAIL")]) == (0, [])
    assert lines["self_test"] == (
        "ok   self_test: a limit order to buy 0.00025 BTC/USDT far below the price (there were no free coins that "
        "a stop could sell, so no stop was tried) was placed, seen and canceled"
    )
    trial = place.orders()[-1]
    assert trial["client_id"].startswith("jt")
    assert (trial["status"], len(place.accepted())) == ("CANCELED", 1)
    assert DoctorRun.objects.get().passed


def test_where_coins_are_held_the_trial_is_a_stop(place: Venue) -> None:
    store()
    place.transfer("BTC", "1")

    code, lines = examine()

    assert (code, [line for line in lines.values() if line.startswith("FAIL")]) == (0, [])
    assert lines["self_test"].startswith("ok   self_test: a stop to sell 0.00025 BTC/USDT at 25000 was placed")
    trial = place.orders()[-1]
    assert trial["type"].startswith("STOP")
    assert trial["status"] == "CANCELED"


@pytest.mark.parametrize(
    ("rights", "name"), [({"withdraw": True}, "may_not_withdraw"), ({"trade": False}, "may_trade")]
)
def test_a_key_with_wrong_rights_fails_and_nothing_is_placed(place: Venue, rights: dict[str, Any], name: str) -> None:
    store()
    place.key(**rights)

    code, lines = examine()

    assert code == 1
    assert lines[name].startswith(f"FAIL {name}: the key may")
    assert lines["self_test"].startswith("FAIL self_test: not asked")
    assert place.orders() == []


def test_without_a_key_nothing_is_asked(place: Venue) -> None:
    code, lines = examine()

    assert code == 1
    assert lines["credentials"].startswith("FAIL credentials: no live key of binance is stored")


def test_a_venue_without_stops_and_rights_needs_the_operators_word(place: Venue, settings: Settings) -> None:
    settings.EXCHANGE = "mexc"
    store("mexc")

    code, lines = examine()

    assert code == 1
    assert lines["may_trade"].startswith("ok")
    assert lines["may_not_withdraw"].startswith("FAIL may_not_withdraw: the venue does not tell")
    assert lines["stops"].startswith("FAIL stops: the venue holds no stop for BTC/USDT")


def test_the_simulated_market_has_no_key_to_examine(settings: Settings) -> None:
    with pytest.raises(CommandError, match="set EXCHANGE"):
        call_command("doctor", "--venue")


def test_a_sandbox_key_is_examined_at_the_sandbox(place: Venue, settings: Settings) -> None:
    settings.TRADING_MODE = "paper"
    store(environment="sandbox", attestation="made without that right")

    code, lines = examine("--sandbox")

    assert (code, [line for line in lines.values() if line.startswith("FAIL")]) == (0, [])
    assert lines["may_not_withdraw"].startswith("ok   may_not_withdraw: the venue does not tell; ann stated")
    assert DoctorRun.objects.get().mode == "sandbox"


def test_paper_money_has_no_way_to_a_live_key(place: Venue, settings: Settings) -> None:
    settings.TRADING_MODE = "paper"
    store()

    code, lines = examine()

    assert code == 1
    assert lines["environment"].startswith("FAIL environment")
    assert lines["reachable"].startswith("FAIL reachable: not asked")


def probe(place: Venue) -> Examination:
    client = wiring.client(credentials.Credentials(API_KEY, API_SECRET))
    return Examination(broker=CcxtBroker(client=client), market=CcxtMarket(client))


def test_a_trial_whose_answer_was_lost_is_canceled(place: Venue) -> None:
    examined = probe(place)
    examined.markets()
    place.fault("accept_then_cut", "POST order")

    with pytest.raises(OutcomeUnknown):
        examined.self_test("BTC/USDT", now=timezone.now())

    assert [order["status"] for order in place.orders()] == ["CANCELED"]


def test_a_trial_that_is_not_listed_fails(place: Venue) -> None:
    place.fault("hide_open_orders", times=1)

    with pytest.raises(SelfTestFailed, match="is not among the open orders"):
        probe(place).self_test("BTC/USDT", now=timezone.now())

    assert [order["status"] for order in place.orders()] == ["CANCELED"]


def test_a_trial_that_filled_fails(place: Venue, monkeypatch: pytest.MonkeyPatch) -> None:
    listed = CcxtBroker.open_orders

    def fill_then_list(self: CcxtBroker, symbols: list[str], *, now: datetime) -> Any:
        found = listed(self, symbols, now=now)
        for report in found:
            place.fill(report.client_id, fraction="1")
        return found

    monkeypatch.setattr(CcxtBroker, "open_orders", fill_then_list)

    with pytest.raises(SelfTestFailed, match="is filled"):
        probe(place).self_test("BTC/USDT", now=timezone.now())
