"""Pairs in Telegram: what was scanned and is watched, and acts in two steps."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from notifications.models import Role
from tests import pair_factories
from tests.notifications.conftest import ROLES, Chat, buttons
from tests.notifications.test_acts import ask, confirm
from tests.telegram.launch import BotApi
from trading.models import BlacklistEntry, PairLock, PairSwitch, WatchedPair

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("account")]
VIEWER, TRADER = ROLES[Role.VIEWER], ROLES[Role.TRADER]


def said(chat: Chat, api: BotApi, text: str, sender: int = VIEWER) -> str:
    chat.message(text, sender)
    return str(api.texts()[-1])


def test_the_scan_and_the_lists_are_told_to_whoever_may_look(chat: Chat, api: BotApi) -> None:
    pair_factories.fill(timezone.now())

    scan = said(chat, api, "/scan 12")
    assert "BTC/USDT" in scan
    assert "correlation" in scan
    assert "SEI/USDT" not in scan  # the thirteenth
    watchlist = said(chat, api, "/watchlist")
    assert "DOGE/USDT" in watchlist
    assert "All listed pairs are traded." in watchlist
    assert "LUNA/USDT: taken off most venues (operator)" in said(chat, api, "/blacklist")
    assert "SEI/USDT until" in said(chat, api, "/locks")
    agreement = said(chat, api, "/mtf btc")
    assert "68" in agreement
    assert "32" in agreement
    assert "ETH" not in agreement


def test_without_rows_every_list_says_what_would_stand_there(chat: Chat, api: BotApi) -> None:
    assert "Nothing was scanned yet." in said(chat, api, "/scan")
    assert "Nothing was scanned yet." in said(chat, api, "/mtf")
    assert "/ban" in said(chat, api, "/blacklist")
    assert "/lock SYMBOL" in said(chat, api, "/locks")


def test_a_ban_and_a_lock_hold_after_the_second_step_alone(chat: Chat, api: BotApi) -> None:
    asked = ask(chat, api, "/ban luna it is gone")
    assert not BlacklistEntry.objects.exists()
    assert confirm(chat, asked) == "LUNA/USDT is on the blacklist."
    entry = BlacklistEntry.objects.get()
    assert (entry.symbol, entry.reason, entry.by) == ("LUNA/USDT", "it is gone", "user22 by Telegram")

    confirm(chat, ask(chat, api, "/lock SEI/USDT 90 unlock tonight"))
    lock = PairLock.objects.get()
    assert (lock.symbol, lock.reason) == ("SEI/USDT", "unlock tonight")
    assert lock.until - lock.at == timedelta(minutes=90)

    confirm(chat, ask(chat, api, "/lock op"))
    assert PairLock.objects.get(symbol="OP/USDT").reason == "by Telegram"


def test_a_switch_is_shown_with_the_pair_that_leaves_and_done_in_the_second_step(chat: Chat, api: BotApi) -> None:
    now = timezone.now()
    pair_factories.scan(now)
    for symbol in ("OP/USDT", "ETH/USDT"):
        WatchedPair.objects.create(symbol=symbol, source="scan", since=now, reason="rank 1")

    chat.message("/setparam watch scan", TRADER)
    asked = ask(chat, api, "/switch DOGE")

    assert "DOGE/USDT takes the place of OP/USDT" in api.texts()[-1]
    assert not PairSwitch.objects.exists()
    assert "is not in the last scan" in confirm(chat, asked)
    assert not PairSwitch.objects.exists()


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("/ban", "Name a pair such as BTC/USDT."),
        ("/ban luna", "Give a reason of at most 200 characters"),
        ("/ban ??? gone", "is not a symbol"),
        ("/lock SEI 99999999 x", "Give a whole number from 1 to 43200"),
        ("/switch SUI", "list is fixed by the parameter pairs"),
        ("/scan many", "Give a whole number from 1 to 30"),
    ],
)
def test_what_cannot_be_done_is_said_and_nothing_is_proposed(chat: Chat, api: BotApi, text: str, answer: str) -> None:
    pair_factories.scan(timezone.now())

    assert answer in said(chat, api, text, TRADER)
    assert not buttons(api.sent()[-1])


@pytest.mark.parametrize("text", ["/ban luna gone", "/lock sei 60 x", "/switch sui"])
def test_who_may_only_look_changes_nothing(chat: Chat, api: BotApi, text: str) -> None:
    said(chat, api, text, VIEWER)

    assert "Confirm" not in buttons(api.sent()[-1])
    assert not BlacklistEntry.objects.exists()
    assert not PairLock.objects.exists()
