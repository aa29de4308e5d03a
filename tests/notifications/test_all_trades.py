"""However many trades have closed, messages count all of them, from the same sums as the pages."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest
from django.test import Client
from django.utils import timezone

from dashboard import results
from dashboard.models import Tally
from mlops import panels
from notifications.commands import load
from notifications.models import Contact, Role
from notifications.services.contacts import Caller
from notifications.services.registry import COMMANDS, Reply, Request
from tests import factories
from trading.models import Trade
from trading.selectors import performance

pytestmark = pytest.mark.django_db
load()
SETTLED, YOUNG = 7, 3
READ = 5
"""Rows that may be read to answer; fewer than there are."""


@pytest.fixture
def now() -> datetime:
    return timezone.now().replace(hour=12)


@pytest.fixture
def trades(now: datetime) -> list[Trade]:
    """Make trades that are settled, one a day, and some of today; all are added up once."""
    factories.bot(now)
    ages = [timedelta(days=5 + number) for number in range(SETTLED)]
    ages += [timedelta(hours=1 + number) for number in range(YOUNG)]
    made = [factories.closed_trade(now - age, exit="68000", symbol="SOL/USDT") for age in ages]
    results.sums(since=None, now=now)
    assert Tally.objects.filter(name=results.NAME).count() == SETTLED
    return made


@pytest.fixture(autouse=True)
def _few_rows_are_read(monkeypatch: pytest.MonkeyPatch, trades: list[Trade]) -> Iterator[None]:
    """Fail where a question reads more rows than it may."""
    read: list[performance.Result] = []
    one = performance._result

    def counted(*row: object) -> performance.Result:
        read.append(one(*row))  # type: ignore[arg-type]
        assert len(read) <= READ
        return read[-1]

    monkeypatch.setattr(performance, "_result", counted)
    yield
    assert len(read) == YOUNG


def said(name: str, now: datetime, *args: str) -> str:
    caller = Caller(contact=Contact(), role=Role.VIEWER)
    reply = COMMANDS[name].handler(Request(name=name, args=args, caller=caller, now=now))
    assert isinstance(reply, Reply)
    return "\n".join(line.text for line in reply.lines)


@pytest.mark.parametrize("name", ["profit", "stats", "performance"])
def test_a_command_counts_every_trade(name: str, now: datetime) -> None:
    assert re.search(rf"\b{SETTLED + YOUNG}\b", said(name, now))


def test_a_week_in_a_list_of_weeks_has_all_its_trades(now: datetime) -> None:
    counted = [int(number) for number in re.findall(r"\s(\d+)\s+100", said("weekly", now, "8"))]

    assert sum(counted) == SETTLED + YOUNG


def test_an_explanation_counts_what_the_page_counts(now: datetime) -> None:
    assert panels.snapshot("performance", now=now).data["trades"] == SETTLED + YOUNG


def test_the_api_tells_the_same(now: datetime, client: Client) -> None:
    client.force_login(factories.user())

    assert client.get("/api/v1/performance").json()["summary"]["trades"] == SETTLED + YOUNG
