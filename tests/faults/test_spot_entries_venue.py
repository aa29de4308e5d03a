"""Entries at a spot venue, which lends nothing, through the real adapter."""

from __future__ import annotations

from decimal import Decimal

import pytest

from tests.faults.test_limit_entries_venue import opened_at, steps, tick_now
from tests.venue.launch import Venue
from trading.models import Bot, OrderRole, Trade

pytestmark = pytest.mark.django_db


def test_coins_are_bought_with_the_money_that_is_there_however_much_may_be_risked(fake: Venue) -> None:
    # A tenth of equity at 2 % from the stop would be five times the money; the parameter allows three times.
    bold = {"risk_fraction": 0.1, "risk_ceiling": 0.1, "max_open_risk": 0.12, "max_leverage": 3.0}
    ports = opened_at(fake, entry_order="market", **bold)
    money = Bot.objects.get().balance if Bot.objects.exists() else ports.initial_balance

    tick_now(ports)

    assert steps() == [("market", "filled", None)]
    trade = Trade.objects.get()
    assert money * Decimal("0.95") < trade.quantity * (trade.entry_price or 0) < money
    assert trade.orders.filter(role=OrderRole.STOP, status="open").count() == 1
