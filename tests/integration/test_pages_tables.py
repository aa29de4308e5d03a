"""The table of the pages: sorts, filters, pages, files; and what stands in single cells."""

from __future__ import annotations

import csv
import io
import json
import re
from datetime import UTC, datetime, timedelta

import pytest
from django.test import Client

from dashboard import export
from dashboard.listings import EVENTS
from tests import factories, page_factories
from trading.core.params import SPECS
from trading.models import Trade

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


@pytest.fixture
def viewer(client: Client) -> Client:
    client.force_login(factories.user("vera", is_staff=False))
    return client


@pytest.fixture
def trades() -> list[Trade]:
    """Make an open long and three closed trades: +2 A, -3 B (short), +5 C, before fees of about 0.2 each."""
    made = [factories.trade(NOW, symbol="OPEN/USDT", entry="100", quantity="1", risk="5")]
    for hours, symbol, side, left in ((1, "A", "long", "102"), (2, "B", "short", "103"), (3, "C", "long", "105")):
        at = NOW - timedelta(hours=hours)
        made.append(
            factories.closed_trade(
                at, symbol=f"{symbol}/USDT", entry="100", exit=left, quantity="1", side=side, risk="5"
            )
        )
    return made


def page(client: Client, path: str) -> str:
    answer = client.get(path)
    assert answer.status_code == 200
    return answer.content.decode()


def symbols(client: Client, query: str) -> list[str]:
    return re.findall(r'<span class="">(\w+)/USDT</span></a>', page(client, f"/trades/{query}"))


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", ["OPEN", "A", "B", "C"]),
        ("?sort=-pnl", ["C", "A", "OPEN", "B"]),
        ("?sort=pnl", ["B", "OPEN", "A", "C"]),
        ("?sort=-r", ["C", "A", "OPEN", "B"]),
        ("?sort=-closed", ["A", "B", "C", "OPEN"]),
        ("?sort=closed", ["C", "B", "A", "OPEN"]),
        ("?sort=symbol", ["A", "B", "C", "OPEN"]),
        ("?side=short", ["B"]),
        ("?status=open", ["OPEN"]),
        ("?status=closed&result=won", ["A", "C"]),
        ("?result=lost", ["B"]),
        ("?symbol=a", ["A"]),
        ("?reason=stop&sort=symbol", ["A", "B", "C"]),
        ("?until=2026-03-01T08:00:00Z", ["B", "C"]),
        ("?since=2026-03-01T08:00&until=2026-03-01T09:00", ["A"]),
        ("?since=2026-03-02", []),
    ],
)
def test_trades_are_sorted_and_filtered_by_the_address(
    viewer: Client, trades: list[Trade], query: str, expected: list[str]
) -> None:
    assert symbols(viewer, query) == expected


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("?sort=nothing", "sort: &#x27;nothing&#x27; is none of id, created"),
        ("?side=up", "side: &#x27;up&#x27; is none of long, short"),
        ("?since=yesterday", "since: &#x27;yesterday&#x27; is no date such as 2026-03-01"),
        ("?page=0", "page: &#x27;0&#x27; is no whole number"),
        ("?page=x", "page: &#x27;x&#x27; is no whole number"),
        ("?symbol=%00", "symbol: is too long"),
        ("?since=0001-01-01T00:00%2B14:00", "since:"),
    ],
)
def test_what_cannot_be_answered_is_said_and_everything_shown(
    viewer: Client, trades: list[Trade], query: str, words: str
) -> None:
    html = page(viewer, f"/trades/{query}")

    assert f"Not filtered: {words}" in html
    assert "OPEN/USDT" in html


def test_links_keep_what_was_asked_and_a_second_click_turns_the_sort_round(viewer: Client, trades: list[Trade]) -> None:
    html = page(viewer, "/trades/?side=long&sort=-pnl")

    assert 'href="?side=long&amp;sort=pnl"' in html
    assert 'aria-sort="descending"' in html
    assert 'href="?side=long&amp;sort=-symbol"' in html
    assert 'href="?side=long&amp;sort=-pnl&amp;format=csv"' in html
    assert '<option value="long" selected>' in html
    assert '<input type="hidden" name="sort" value="-pnl">' in html


def test_pages_hold_fifty_and_lead_to_each_other(viewer: Client) -> None:
    for number in range(120):
        factories.event(NOW + timedelta(minutes=number), f"event {number:03}")

    first, last = page(viewer, "/journal/"), page(viewer, "/journal/?page=3")

    assert "1 to 50 of 120" in first
    assert re.findall(r"event (\d{3})</span>", first)[0] == "119"
    assert 'rel="next" href="?page=2"' in first
    assert 'rel="prev"' not in first
    assert "101 to 120 of 120" in last
    assert 'rel="next"' not in last
    assert page(viewer, "/journal/?page=99").count("event ") == last.count("event ")


def test_an_export_holds_the_filtered_rows_in_their_order(viewer: Client, trades: list[Trade]) -> None:
    answer = viewer.get("/trades/?side=long&sort=-pnl&format=csv")
    rows = list(csv.DictReader(io.StringIO(answer.content.decode())))

    assert answer.headers["Content-Disposition"] == 'attachment; filename="trades.csv"'
    assert [row["symbol"] for row in rows] == ["C/USDT", "A/USDT", "OPEN/USDT"]
    assert (rows[0]["pnl"], rows[0]["exit_price"], rows[0]["closed_at"]) == ("4.795", "105", "2026-03-01T09:00:00Z")
    told = json.loads(viewer.get("/trades/?side=short&format=json").content)
    assert [(row["symbol"], row["pnl"]) for row in told] == [("B/USDT", "-3.203")]


def test_a_wrong_question_downloads_nothing(viewer: Client, trades: list[Trade]) -> None:
    answer = viewer.get("/trades/?side=up&format=csv")

    assert "Content-Disposition" not in answer.headers
    assert "Not filtered: side" in answer.content.decode()


@pytest.mark.parametrize(
    ("text", "cell"),
    [
        ("=1+1", "'=1+1"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("-2+3", "'-2+3"),
        ("  =1+1", "'  =1+1"),
        ("\n=1+1", "'\n=1+1"),
        ("\uff1d1+1", "'\uff1d1+1"),
        ("-2.5", "-2.5"),
        ("plain", "plain"),
        ("a\nb", "a\nb"),
    ],
)
def test_no_text_becomes_a_formula_in_a_spreadsheet(text: str, cell: str) -> None:
    factories.event(NOW, text)

    rows = list(csv.DictReader(io.StringIO(export.as_csv([EVENTS.told(EVENTS.rows().get())]))))

    assert rows[0]["text"] == cell


def test_differences_violations_and_changes_are_told_in_words(viewer: Client) -> None:
    page_factories.control(NOW)

    assert "ETH/USDT missed execution: ours 0, theirs 0.21. booked now" in page(viewer, "/reconciliation/")
    assert "the list of executions was cut short" in page(viewer, "/reconciliation/?found=problems")
    assert "missed execution" not in page(viewer, "/reconciliation/?found=nothing")
    assert "DOGE/USDT" in page(viewer, "/reconciliation/")
    assert "M4 the balance is the ledger&#x27;s sum: 10,212.40 against 10,212.41" in page(viewer, "/invariants/")
    history = page(viewer, "/parameters/history/")
    assert "volume_min: 0.9 → 0.8" in history
    assert "kelly: on → off" in history
    assert "exits only → running" in page(viewer, "/journal/states/")


def test_an_event_leads_to_what_it_is_about(viewer: Client) -> None:
    from trading.models import Event

    trade = factories.trade(NOW)
    Event.objects.create(at=NOW, kind="entry", text="entered", payload={"trade": trade.pk})

    assert f'href="/trades/{trade.pk}/"' in page(viewer, "/journal/")


def test_parameters_are_found_by_name_and_help_and_marked_where_changed(viewer: Client) -> None:
    page_factories.control(NOW)

    html = page(viewer, "/parameters/?changed=1")

    assert re.findall(r'class="pair">(\w+) <span class="tag mark">', html) == ["volume_min", "risk_fraction", "kelly"]
    assert f"3 of {len(SPECS)} differ" in html
    assert "volume_quiet_factor" in page(viewer, "/parameters/?q=busy+sessions")
    assert "No parameter matches." in page(viewer, "/parameters/?q=nothing+of+the+kind")
