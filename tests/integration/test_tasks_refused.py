"""What keeps the tick from trading is said in one line; what needs a person, once in the journal."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.utils import timezone
from pytest_django import Settings

from trading import tasks, wiring
from trading.core.ports import MarketDataUnavailable, OutcomeUnknown
from trading.models import Bot, Event, Scan
from trading.services import control
from trading.services.credentials import CredentialsUnavailable
from trading.services.going_live import LiveRefused

pytestmark = pytest.mark.django_db

Fail = Callable[[Exception], None]


@pytest.fixture(autouse=True)
def _fresh_wiring() -> Iterator[None]:
    wiring.forget()
    yield
    wiring.forget()


@pytest.fixture
def fail(monkeypatch: pytest.MonkeyPatch) -> Fail:
    """Let the ports fail with an error from now on."""

    def set_error(error: Exception) -> None:
        def ports(params: object) -> None:
            raise error

        monkeypatch.setattr(wiring, "ports", ports)

    return set_error


@pytest.mark.parametrize("kind", [LiveRefused, CredentialsUnavailable, ImproperlyConfigured])
def test_what_needs_a_person_is_one_line_each_time_and_one_event(
    kind: type[Exception], fail: Fail, caplog: pytest.LogCaptureFixture
) -> None:
    fail(kind("store a key"))

    assert [tasks.tick.delay().get() for _ in range(3)] == ["refused"] * 3

    lines = [
        (record.levelno, record.getMessage(), record.exc_info)
        for record in caplog.records
        if record.name == "trading.tasks"
    ]
    assert lines == [(logging.ERROR, "nothing is traded: store a key", None)] * 3
    assert [event.text for event in Event.objects.filter(kind="trading_refused")] == ["Nothing is traded: store a key"]


def test_another_refusal_and_one_after_a_tick_are_news() -> None:
    now = timezone.now()
    said = [control.report_refusal("no key", now=now), control.report_refusal("no key", now=now)]
    said.append(control.report_refusal("no approval", now=now))
    Bot.objects.create(pk=1, last_tick_at=timezone.now())
    said.append(control.report_refusal("no approval", now=timezone.now()))

    assert said == [True, False, True, True]


@pytest.mark.parametrize("kind", [OutcomeUnknown, MarketDataUnavailable])
def test_a_venue_that_does_not_answer_is_one_line_and_no_event(
    kind: type[Exception], fail: Fail, caplog: pytest.LogCaptureFixture
) -> None:
    fail(kind("timed out"))

    assert tasks.tick.delay().get() == "venue unavailable"

    lines = [
        (record.levelno, record.getMessage(), record.exc_info)
        for record in caplog.records
        if record.name == "trading.tasks"
    ]
    assert lines == [(logging.WARNING, "no tick now, the next one tries again: timed out", None)]
    assert not Event.objects.filter(kind="trading_refused").exists()


def test_what_nobody_expects_is_still_raised(fail: Fail) -> None:
    fail(ZeroDivisionError("a mistake of ours"))

    with pytest.raises(ZeroDivisionError):
        tasks.tick.delay()


def test_a_scan_of_an_exchange_that_is_none_is_one_line(settings: Settings, caplog: pytest.LogCaptureFixture) -> None:
    settings.EXCHANGE, settings.MARKET_DATA = "nowhere", "trading.adapters.ccxt_market.CcxtMarket"

    tasks.scan.delay()

    lines = [(record.getMessage(), record.exc_info) for record in caplog.records if record.name == "trading.tasks"]
    assert lines == [("nothing is scanned: EXCHANGE='nowhere': ccxt has no exchange 'nowhere'", None)]
    assert not Scan.objects.exists()
