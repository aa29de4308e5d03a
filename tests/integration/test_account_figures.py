"""The account's own figures: by revision, since a moment, and with nothing to tell of."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from tests import factories
from trading.core.params import Params
from trading.models import EquityPoint, ParameterRevision
from trading.services import account_figures

NOW = datetime(2026, 3, 10, 12, tzinfo=UTC)

pytestmark = pytest.mark.django_db


def some_trades() -> None:
    second = ParameterRevision.objects.create(
        number=2, values=Params().as_json(), changes=[], reason="", author_name="someone", created_at=NOW
    )
    factories.closed_trade(NOW - timedelta(days=2), exit="68500")
    factories.closed_trade(NOW - timedelta(days=1), exit="66000", revision=second)
    factories.closed_trade(NOW, exit="66500", revision=second)
    factories.trade(NOW)


def test_closed_trades_are_counted_as_a_whole_and_by_the_revision_that_made_them() -> None:
    some_trades()

    found = account_figures.build(since=None)

    assert found["trades"] == 3
    assert {number: row["trades"] for number, row in found["by"]["revision"].items()} == {"1": 1, "2": 2}
    assert found["by"]["revision"]["2"]["wins"] == 0
    assert found["by"]["revision"]["1"]["expectancy_r"] == pytest.approx(found["by"]["revision"]["1"]["pnl"] / 100)


def test_equity_counts_at_the_end_of_each_day() -> None:
    for hours, worth in ((0, 100), (6, 120), (24, 90), (30, 110), (48, 99)):
        EquityPoint.objects.create(at=NOW - timedelta(hours=60 - hours), equity=Decimal(worth), balance=Decimal(100))

    found = account_figures.build(since=None)

    # Two days and a half before noon is midnight; the days end at 120, 110 and 99.
    assert (found["days"], found["return_fraction"], found["drawdown_fraction"]) == (3, -0.175, 0.175)
    assert account_figures.build(since=NOW - timedelta(hours=20))["days"] == 1


def test_the_number_of_questions_does_not_grow_with_the_trades(django_assert_num_queries) -> None:  # type: ignore[no-untyped-def]
    some_trades()

    with django_assert_num_queries(3):
        account_figures.build(since=None)


def test_the_command_prints_and_writes_them(tmp_path: Path) -> None:
    some_trades()
    out = StringIO()

    call_command("performance", "--since", "2026-03-09", "--json", str(tmp_path / "p.json"), stdout=out)

    assert json.loads((tmp_path / "p.json").read_text())["trades"] == 2
    lines = out.getvalue().splitlines()
    assert lines[0].startswith("2 trades closed, PnL -")
    assert lines[1].startswith("  revision 2: 2 trades")
    with pytest.raises(CommandError, match="is not a folder"):
        call_command("performance", "--json", str(tmp_path / "no" / "p.json"))


def test_an_account_that_never_traded_has_no_figures() -> None:
    found = account_figures.build(since=None)

    assert (found["trades"], found["days"], found["by"]["symbol"]) == (0, 0, {})
    names = ("return_fraction", "cagr", "sharpe", "sortino", "drawdown", "profit_factor", "expectancy", "sqn")
    assert {name: found[name] for name in names} == dict.fromkeys(names)
