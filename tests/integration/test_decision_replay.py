"""One decision computed again: asked for on its page, done by the worker, and told as a match or not."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from django.contrib.auth.models import Group
from django.test import Client

from tests import factories
from trading import runs
from trading.core import timeframes
from trading.models import BacktestRun, Signal

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 3, 10, tzinfo=UTC)


@pytest.fixture
def trader(client: Client) -> Client:
    user = factories.user("tom", is_staff=False)
    user.groups.add(Group.objects.get(name="trader"))
    client.force_login(user)
    return client


def test_a_decision_that_its_inputs_do_not_give_is_a_mismatch(trader: Client) -> None:
    signal = factories.signal(NOW, bar_at=timeframes.last_closed(NOW, "15m"))

    assert "Replay" in trader.get(f"/signals/{signal.pk}/").content.decode()
    html = trader.post(f"/signals/{signal.pk}/replay/", follow=True).content.decode()
    assert "the answer will stand here by itself" in html
    assert runs.work()

    html = trader.get(f"/signals/{signal.pk}/").content.decode()
    assert "✕ Mismatch" in html
    assert "decided at a close of 67000" in html


def test_a_second_press_asks_for_nothing_new_and_the_lists_of_runs_do_not_show_it(trader: Client) -> None:
    signal = factories.signal(NOW)
    for _ in range(2):
        trader.post(f"/signals/{signal.pk}/replay/")

    assert BacktestRun.objects.count() == 1
    assert "Each backtest" in trader.get("/backtests/").content.decode()
    assert "is under way" not in trader.get("/parity/").content.decode()


def test_who_may_start_no_run_may_replay_nothing(client: Client) -> None:
    signal = factories.signal(NOW)
    client.force_login(factories.user("vera", is_staff=False))

    assert client.post(f"/signals/{signal.pk}/replay/").status_code == 403
    assert BacktestRun.objects.count() == 0
    assert "Replay</button>" not in client.get(f"/signals/{signal.pk}/").content.decode()
    assert client.post(f"/signals/{Signal.objects.count() + 99}/replay/").status_code == 403
