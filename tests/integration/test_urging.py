"""Who halts, or closes a trade, does not wait for the next regular tick."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from types import SimpleNamespace
from typing import Any

import pytest
from django.core.management import call_command
from kombu.exceptions import OperationalError

from julaba_site import settings as project
from tests.engine import close_of, enter_at, ports_over, run_rows, run_tick, series, set_params
from trading import events, tasks, urging
from trading.models import Order, OrderStatus
from trading.services import tick as ticking

pytestmark = pytest.mark.django_db

QUIET = (100.0, 100.5, 99.5, 100.0)
Capture = Callable[..., AbstractContextManager[Any]]


@pytest.fixture
def called(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """Give what is sent instead of a tick."""
    sent: list[dict[str, Any]] = []
    monkeypatch.setattr(tasks.tick, "apply_async", lambda **given: sent.append(given))
    monkeypatch.setattr(events, "_listeners", lambda: (urging.hear,))
    monkeypatch.setattr(urging, "_failed_at", None)
    return sent


def test_operation_listens() -> None:
    assert "trading.urging.hear" in project.EVENT_LISTENERS


def test_a_halt_calls_for_a_tick_which_cancels_the_quote_that_rests(
    called: list[dict[str, Any]], django_capture_on_commit_callbacks: Capture
) -> None:
    set_params(entry_order="limit", entry_limit_offset=0.01, entry_timeout_s=30, price_age=600)
    ports = ports_over(series([QUIET]), enter_at(-1))
    run_tick(ports, close_of(-1))
    assert Order.objects.get().status == OrderStatus.OPEN

    with django_capture_on_commit_callbacks(execute=True):
        call_command("halt", "--reason", "looks odd")

    assert [given["kwargs"] for given in called] == [{"job": "hint"}]
    # A regular tick has run in this very second already.
    held = run_tick(ports, close_of(-1))
    assert held == ticking.Outcome.SLOT_TAKEN
    ran = ticking.run(ports=ports, now=close_of(-1), owner="test", job=called[0]["kwargs"]["job"])
    assert (ran, Order.objects.get().status) == (ticking.Outcome.RAN, OrderStatus.CANCELED)


def test_other_news_call_for_nothing_and_a_tick_does_not_call_itself(
    called: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    urging.hear("entry", close_of(-1))
    monkeypatch.setattr(urging, "current_task", SimpleNamespace(name=tasks.tick.name))
    urging.hear("trading_state", close_of(-1))

    assert called == []


def test_without_redis_the_halt_stands_and_nobody_waits_twice(
    called: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    def lost(**given: Any) -> None:
        called.append(given)
        raise OperationalError("connection refused")

    run_rows(ports_over(series([QUIET]), enter_at()), -1)
    monkeypatch.setattr(tasks.tick, "apply_async", lost)

    urging.hear("trading_state", close_of(-1))
    urging.hear("trading_state", close_of(-1))

    assert len(called) == 1
