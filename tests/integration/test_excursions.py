"""How far a trade went for and against us, and what was known of its setup: from the tick to list, file and API."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from dashboard.listings import trades as listing
from tests import factories
from tests.engine import close_of, enter_at, ports_over, run_rows, series, set_params
from trading import selectors
from trading.core.advising import AI, PREDICTOR
from trading.models import Advice, Trade, TradeStatus

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
QUIET = (100.0, 100.5, 99.5, 100.0)


def followed(*rows: tuple[float, float, float, float], side: int = 1) -> Trade:
    """Return the trade that was entered at 100 and followed over these bars; its stop is some 2 away."""
    set_params(trailing=False)
    run_rows(ports_over(series([*rows, QUIET]), enter_at(-1, side=side)), *range(-1, len(rows)))
    return Trade.objects.get()


def test_the_worst_price_of_the_bars_is_kept() -> None:
    trade = followed((100.0, 100.4, 99.2, 100.0), (100.0, 100.9, 99.7, 100.5))

    assert (trade.status, trade.best, trade.worst) == (TradeStatus.OPEN, 100.9, 99.2)
    assert listing.worst_r(trade) == pytest.approx(-0.8 / (100.0 - trade.first_stop))


def test_a_short_fears_the_highest_price() -> None:
    trade = followed((100.0, 100.8, 99.6, 100.0), side=-1)

    assert (trade.best, trade.worst) == (99.6, 100.8)


def test_what_a_bar_reached_behind_the_stop_is_not_the_trades() -> None:
    trade = followed((100.0, 100.4, 80.0, 81.0))

    assert (trade.status, trade.exit_reason, trade.worst) == (TradeStatus.CLOSED, "stop", trade.first_stop)
    assert listing.worst_r(trade) == pytest.approx(-1)


def test_a_fill_that_is_worse_than_every_bar_counts() -> None:
    # It opens behind the stop and is sold there.
    trade = followed((100.0, 100.4, 99.6, 100.0), (90.0, 91.0, 89.0, 90.0))

    assert (trade.exit_reason, trade.worst) == ("stop", 90.0)


def test_of_a_trade_that_was_not_followed_from_its_entry_nothing_is_said() -> None:
    set_params(trailing=False)
    ports = ports_over(series([(100.0, 100.4, 99.2, 100.0), QUIET]), enter_at(-1))
    run_rows(ports, -1)
    Trade.objects.update(worst=None)
    run_rows(ports, 0)

    trade = Trade.objects.get()
    assert (trade.bars, trade.worst, listing.worst_r(trade)) == (1, None, None)
    assert trade.last_bar_at < close_of(0)


def advised(trade: Trade, **confidences: float | None) -> None:
    for source, confidence in confidences.items():
        Advice.objects.create(signal=trade.signal, source=source, approve=True, confidence=confidence, at=NOW)


def file_of(client: Client, path: str) -> list[dict[str, Any]]:
    return list(csv.DictReader(io.StringIO(client.get(path).content.decode())))


@pytest.fixture
def viewer(client: Client) -> Client:
    client.force_login(factories.user("vera", is_staff=False))
    return client


def test_page_file_and_api_tell_what_the_advisers_thought(viewer: Client) -> None:
    trade = factories.trade(NOW, entry="100", risk="4", worst=99.0)
    advised(trade, **{AI: 0.81, PREDICTOR: 0.64})

    row = viewer.get("/api/v1/trades").json()["results"][0]
    assert (row["ai_confidence"], row["win_probability"], row["session"], row["worst_r"]) == (
        0.81,
        0.64,
        "europe",
        -0.25,
    )
    line = file_of(viewer, "/trades/?format=csv")[0]
    assert (line["ai_confidence"], line["win_probability"], line["session"], line["worst_r"]) == (
        "0.81",
        "0.64",
        "europe",
        "-0.25",
    )
    page = viewer.get("/trades/").content.decode()
    for label, text in (("AI", "81%"), ("ML", "64%"), ("Session", "europe"), ("MAE", "\N{MINUS SIGN}0.25 R")):
        cell = page.split(f'data-label="{label}"', 1)[1].split("</td>", 1)[0]
        assert text in cell, label


def test_who_was_not_asked_has_no_opinion(viewer: Client) -> None:
    advised(factories.trade(NOW), **{AI: None})

    row = viewer.get("/api/v1/trades").json()["results"][0]

    assert (row["ai_confidence"], row["win_probability"]) == (None, None)


@pytest.mark.parametrize(
    ("hour", "session"),
    [(0, "asia"), (7, "asia"), (8, "europe"), (12, "europe"), (13, "america"), (19, "america"), (20, "late")],
)
def test_a_session_goes_by_the_hour_of_entry(hour: int, session: str) -> None:
    at = NOW.replace(hour=hour)

    assert listing.session(Trade(opened_at=at, created_at=at - timedelta(hours=9))) == session


def test_advice_costs_the_list_no_query_more() -> None:
    counts = []
    for number in range(2):
        for each in range(3):
            advised(factories.trade(NOW, symbol=f"{number}{each}/USDT"), **{AI: 0.8, PREDICTOR: 0.6})
        with CaptureQueriesContext(connection) as queries:
            assert all(listing.confidence(row, "ai_confidence") == 0.8 for row in selectors.trades())
        counts.append(len(queries))

    assert counts == [2, 2]
