"""Where only this process keeps stops, few positions are held, and small ones."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import pytest

from tests.engine import BALANCE, SYMBOL, close_of, context_at, enter_at, ports_over, run_rows, series, set_params
from trading.core.guards import Account
from trading.core.ports import Capabilities, StopSupport
from trading.models import Bot, Signal, SignalVerdict, Trade, TradeStatus
from trading.services import accounts
from trading.services.context import Ports

pytestmark = pytest.mark.django_db

QUIET = (100.0, 100.5, 99.5, 100.0)


@dataclass
class Venue:
    """The paper venue, as though it could hold no stops."""

    inner: Any

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    def capabilities(self, symbol: str) -> Capabilities:
        return Capabilities(stop=StopSupport.NONE, receive_window=None, absence_is_final=True)


def ports_without_stops(*, accepted: bool = True) -> Ports:
    ports = ports_over({name: series([QUIET] * 3, symbol=name) for name in (SYMBOL, "ETH/USDT")}, enter_at(-1))
    return replace(ports, broker=Venue(ports.broker), accepts_local_stops=accepted)


def account_of(ports: Ports, symbol: str) -> Account:
    return accounts.snapshot(Bot.objects.get(), context_at(ports, close_of(-1)), symbol=symbol)


def test_a_position_is_no_larger_than_the_cap_and_the_second_one_is_refused() -> None:
    set_params(pairs=[SYMBOL, "ETH/USDT"])
    ports = ports_without_stops()

    run_rows(ports, -1)

    trade = Trade.objects.get()
    assert trade.status == TradeStatus.OPEN
    assert BALANCE / 10 - 1 < trade.planned_quantity * trade.planned_entry <= BALANCE / 10
    refused = Signal.objects.get(symbol="ETH/USDT")
    assert refused.refused_by == "local_trades"
    assert refused.reason == "1 open trades without a stop at the venue, needs fewer than 1"
    verdict = SignalVerdict.objects.get(signal=refused, name="local_trades")
    assert (verdict.passed, verdict.value, verdict.limit) == (False, 1.0, 1.0)


def test_the_account_counts_what_the_venue_does_not_protect() -> None:
    set_params()
    ports = ports_without_stops()
    run_rows(ports, -1)

    account = account_of(ports, "ETH/USDT")

    assert account.local_symbols == {SYMBOL, "ETH/USDT"}
    assert account.local_notional == Trade.objects.get().remaining * 100


def test_where_nobody_accepted_them_nothing_is_counted() -> None:
    set_params()
    ports = ports_without_stops(accepted=False)
    run_rows(ports, -2)

    assert account_of(ports, SYMBOL).local_symbols == frozenset()
