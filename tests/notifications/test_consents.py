"""Requests that wait for another person: told to those who could consent, and to nobody else; the answer to who asked."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.conf import LazySettings
from django.contrib.auth.models import User
from django.utils import timezone

from notifications import rendering
from notifications.models import Contact, Delivery, Preference, Role, Voice
from notifications.services import journal
from tests import factories
from tests.notifications.conftest import person
from tests.telegram.launch import BotApi
from trading.models import Consent, TradingState
from trading.services import consenting, control

pytestmark = pytest.mark.django_db
ASKER, OTHER, VIEWER = 66, 77, 11


@pytest.fixture
def row(api: BotApi, settings: LazySettings) -> Consent:
    """Let somebody of the role trader ask for a halt to be lifted; another one, a viewer and a mailbox listen."""
    settings.SECOND_PERSON, settings.NOTIFY_URLS = True, ["json://127.0.0.1/told"]
    earlier = timezone.now() - timedelta(minutes=2)
    for role, number in ((Role.TRADER, ASKER), (Role.TRADER, OTHER), (Role.VIEWER, VIEWER)):
        person(role, number)
    User.objects.update(date_joined=earlier)
    factories.bot(timezone.now(), trading_state="halted", state_reason="odd")
    journal.relay(now=timezone.now())
    with pytest.raises(control.StateRefused, match="another person"):
        control.loosen(TradingState.ACTIVE, reason="<all> is well", now=timezone.now(), by=f"user{ASKER}")
    return Consent.objects.get()


def told() -> list[tuple[str, str]]:
    rows = Delivery.objects.filter(kind="consent").order_by("pk")
    return [(row.channel, rendering.plain(row.text)) for row in rows]


def test_who_could_consent_is_told_once_and_nobody_else(row: Consent) -> None:
    for _ in range(3):
        journal.relay(now=timezone.now())

    ((channel, text),) = told()
    assert channel == f"telegram:{OTHER}"
    for words in (f"user{ASKER} asks for consent", f"request {row.pk}", "Why: <all> is well", "on the page Consents"):
        assert words in text


def test_the_answer_is_told_to_who_asked(row: Consent) -> None:
    consenting.refuse(row.pk, by=User.objects.get(username=f"user{OTHER}"), now=timezone.now())

    journal.relay(now=timezone.now())

    ((channel, text),) = told()  # the request itself needs nobody any more
    assert channel == f"telegram:{ASKER}"
    assert f"user{OTHER} refused request {row.pk}" in text


def test_a_request_whose_time_is_over_is_told_to_nobody(row: Consent) -> None:
    journal.relay(now=timezone.now() + timedelta(hours=2))

    assert told() == []


def test_in_a_chat_of_several_one_who_could_consent_is_enough(row: Consent) -> None:
    Contact.objects.update(chat_id=-5)

    journal.relay(now=timezone.now())

    assert [channel for channel, _ in told()] == ["telegram:-5"]


def test_who_does_not_want_it_is_not_told(row: Consent) -> None:
    other = Contact.objects.get(telegram_user_id=OTHER)
    Preference.objects.create(contact=other, kind="consent", voice=Voice.OFF)

    journal.relay(now=timezone.now())

    assert told() == []
