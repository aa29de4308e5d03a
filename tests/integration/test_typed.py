"""Dangerous acts with real money: each asks for its word, on whatever page its form stands, and does nothing without it."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.conf import LazySettings
from django.contrib.auth.models import User
from django.test import Client
from django.urls import get_resolver, reverse
from django.utils import timezone

from dashboard import sessions, typed
from tests import drafts, factories
from trading.models import Bot, ParameterDraft, Trade, TradingState

pytestmark = pytest.mark.django_db
LIVE = "trading.adapters.ccxt_broker.CcxtBroker"


@pytest.fixture
def boss(client: Client, settings: LazySettings) -> Client:
    """Log in somebody who may do everything, proved a moment ago, and trade with real money."""
    settings.BROKER = LIVE
    user = factories.user("olga")
    User.objects.filter(pk=user.pk).update(is_superuser=True)
    client.force_login(user)
    session = client.session
    sessions.prove(session, now=timezone.now())
    session.save()
    return client


def resume(client: Client, **more: str) -> str:
    asked = {"state": "active", "reason": "all is well", **more}
    return client.post("/trading-state/", asked, follow=True).content.decode()


def halted() -> None:
    factories.bot(timezone.now(), trading_state=TradingState.HALTED)


def test_resuming_with_real_money_asks_for_its_word_and_changes_nothing_yet(boss: Client) -> None:
    halted()

    html = resume(boss)

    assert "Type RESUME to go on" in html
    assert '<input type="hidden" name="reason" value="all is well">' in html
    assert Bot.objects.get().trading_state == TradingState.HALTED


def test_the_word_lets_it_happen_however_it_is_written_and_another_one_does_not(boss: Client) -> None:
    halted()

    assert "That was not RESUME." in resume(boss, typed="HALT")
    assert Bot.objects.get().trading_state == TradingState.HALTED

    assert "Trading is running." in resume(boss, typed=" resume ")
    assert Bot.objects.get().trading_state == TradingState.ACTIVE


def test_on_paper_nothing_is_typed(boss: Client, settings: LazySettings) -> None:
    settings.BROKER = "trading.adapters.paper_broker.PaperBroker"
    halted()

    assert "Trading is running." in resume(boss)


def test_a_halt_asks_for_no_word_in_any_mode(boss: Client) -> None:
    factories.bot(timezone.now())

    boss.post("/trading-state/", {"state": "halted", "reason": "prices look odd"})

    assert Bot.objects.get().trading_state == TradingState.HALTED


def test_the_word_alone_is_not_enough_where_it_is_asked_who_is_there(boss: Client) -> None:
    halted()
    session = boss.session
    sessions.prove(session, now=timezone.now() - timedelta(hours=1))
    session.save()

    assert "Confirm that it is you" in resume(boss, typed="RESUME")
    assert Bot.objects.get().trading_state == TradingState.HALTED


def test_closing_a_trade_asks_and_then_closes(boss: Client) -> None:
    factories.bot(timezone.now())
    trade = factories.trade(timezone.now())
    address = reverse("close-trade", args=[trade.pk])

    assert "Type CLOSE to go on" in boss.post(address).content.decode()
    assert Trade.objects.get().exit_reason == ""

    boss.post(address, {"typed": "CLOSE"})
    assert Trade.objects.get().exit_reason == "manual"


def test_the_administration_asks_as_the_pages_do(boss: Client) -> None:
    draft = drafts.draft_of({"volume_min": 0.8})
    address = f"/admin/trading/parameterdraft/{draft.pk}/act/overrule/"

    assert "Type OVERRULE to go on" in boss.post(address, {"reason": "I know"}).content.decode()
    assert ParameterDraft.objects.get().revision is None


def test_what_is_typed_into_a_form_is_shown_as_text(boss: Client) -> None:
    halted()

    html = boss.post("/trading-state/", {"state": "active", "reason": "<b>x</b>\"'"}).content.decode()

    assert "<b>x</b>" not in html
    assert "&lt;b&gt;x&lt;/b&gt;" in html


def test_every_address_in_the_table_exists() -> None:
    here = {name for name in get_resolver().reverse_dict if isinstance(name, str)}
    own = {name for name in typed.DANGERS if ":" not in name}
    assert own <= here
    for name in typed.DANGERS.keys() - own:
        args = [] if name.endswith("_add") else [1, "overrule"]
        assert reverse(name, args=args)
