"""The reads of the API: who may, that nothing changes, shapes, cursors, and what is said where a question is wrong."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.apps import apps
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import get_resolver
from django.utils import timezone

from dashboard import listings
from tests import factories, page_factories
from trading.models import DayOpening, Order, Signal, Trade

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
LISTS: dict[str, listings.Listing[Any]] = {
    "trades": listings.TRADES,
    "orders": listings.ORDERS,
    "signals": listings.SIGNALS,
    "events": listings.EVENTS,
    "reconciliation": listings.RECONCILIATION,
    "reconciliation/external-orders": listings.EXTERNAL_ORDERS,
    "invariants": listings.INVARIANTS,
    "parameters/revisions": listings.REVISIONS,
    "states": listings.STATES,
}
CHANGES = {"trading-state", "backtests", "parity"}
"""What POST changes; everything else is read only."""
WALKED = {
    *LISTS, *CHANGES, "alerts", "trades/<int:pk>", "signals/<int:pk>", "status", "balance", "positions", "performance", "daily",
    "weekly", "monthly", "equity", "risk", "health", "version", "parameters",
}  # fmt: skip
"""Addresses that need no further question; the others are asked in the tests of what they belong to."""


@pytest.fixture
def viewer(client: Client) -> Client:
    client.force_login(factories.user("vera", is_staff=False))
    return client


def get(client: Client, path: str, status: int = 200) -> Any:
    answer = client.get(f"/api/v1/{path}")
    assert answer.status_code == status, answer.content
    return answer.json()


def addresses(*, trade: int = 1, signal: int = 1) -> Iterator[str]:
    """Yield the addresses of the API below /api/v1/ that are walked here, with the ids given."""
    for entry in get_resolver("dashboard.api.urls").url_patterns:
        pattern = str(entry.pattern)
        if pattern not in WALKED:
            continue
        yield pattern.replace("<int:pk>", str(trade if pattern.startswith("trades") else signal))


def rows_of_everything() -> dict[str, int]:
    """Return how many rows each table has, but for the audit, which notes each refusal."""
    models = [model for model in apps.get_app_config("trading").get_models() if model.__name__ != "AuditEntry"]
    return {model.__name__: model.objects.count() for model in models}  # type: ignore[attr-defined]


def test_every_list_of_the_router_is_walked_below() -> None:
    assert set(LISTS) | CHANGES < set(addresses())
    assert len(list(addresses())) == len(WALKED)


def test_strangers_read_nothing_and_viewers_everything(viewer: Client) -> None:
    page_factories.fill(timezone.now())
    first = Trade.objects.earliest("pk")
    for path in addresses(trade=first.pk, signal=first.signal_id):
        refused = Client().get(f"/api/v1/{path}")
        answer = viewer.get(f"/api/v1/{path}")

        assert refused.status_code in (401, 403), path
        assert refused.headers["Content-Type"] == "application/problem+json", path
        # No Redis runs beside the tests, so their health is bad.
        assert answer.status_code == (503 if path == "health" else 200), path
        assert answer.headers["Cache-Control"] == "private, no-cache"
        json.loads(answer.content, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))


def test_nobody_changes_anything_through_a_read(viewer: Client) -> None:
    page_factories.fill(timezone.now())
    root = Client()
    root.force_login(factories.user("root"))
    before = rows_of_everything()

    for client in (Client(), viewer, root):
        for path in addresses():
            for method in ("get", "head", "options"):
                getattr(client, method)(f"/api/v1/{path}?state=halted&reason=x")
            for method in ("put", "patch", "delete", *(() if path in CHANGES else ("post",))):
                asked = getattr(client, method)(f"/api/v1/{path}", {"state": "x"}, content_type="application/json")
                assert asked.status_code in (401, 403, 405), path
                assert asked.headers["Content-Type"] == "application/problem+json"

    assert rows_of_everything() == before


def test_an_empty_database_is_no_error(viewer: Client) -> None:
    missing = {"status", "balance", "risk", "trades/1", "signals/1"}
    for path in addresses():
        answer = viewer.get(f"/api/v1/{path}")

        assert answer.status_code == (503 if path == "health" else 404 if path in missing else 200), path
        if path in missing:
            assert set(answer.json()) == {"type", "title", "status", "detail"}


def walked(client: Client, path: str, sort: str) -> list[int]:
    """Return the ids of a list as a cursor finds them, nineteen at a time."""
    seen: list[int] = []
    cursor = ""
    for _ in range(50):
        told = get(client, f"{path}?sort={sort}&limit=19&cursor={cursor}")
        seen += [row["id"] for row in told["results"]]
        cursor = told["next"]
        if cursor is None:
            return seen
    pytest.fail("the cursor never ends")


def test_a_cursor_walks_each_list_once_whichever_way_it_is_sorted(viewer: Client) -> None:
    page_factories.fill(timezone.now())
    for path, listing in LISTS.items():
        whole = listing.rows().count()
        for sort in (f"{direction}{name}" for name in listing.sorts for direction in ("", "-")):
            seen = walked(viewer, path, sort)

            assert len(seen) == len(set(seen)) == whole, (path, sort)
            assert seen == [row.pk for row in listing.first({"sort": sort}, most=1000)]


def test_rows_that_come_meanwhile_do_not_shift_the_pages(viewer: Client) -> None:
    for number in range(6):
        factories.event(NOW + timedelta(minutes=number), f"old {number}")
    first = get(viewer, "events?limit=3")
    factories.event(NOW + timedelta(hours=1), "new")

    second = get(viewer, f"events?limit=3&cursor={first['next']}")

    assert [row["text"] for row in first["results"] + second["results"]] == [f"old {n}" for n in (5, 4, 3, 2, 1, 0)]
    assert second["next"] is None


def test_a_longer_list_costs_no_more_queries(viewer: Client) -> None:
    page_factories.fill(timezone.now())
    for path in LISTS:
        counts = []
        for limit in (1, 50):
            with CaptureQueriesContext(connection) as queries:
                get(viewer, f"{path}?limit={limit}")
            counts.append(len(queries))

        assert counts[0] == counts[1] <= 6, path


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("sort=pnl;drop", "sort"),
        ("limit=0", "limit"),
        ("limit=501", "limit"),
        ("limit=٣", "limit"),
        ("cursor=x", "cursor"),
        ("cursor=999", "cursor"),
        ("cursor=99999999999999999999", "cursor"),
        ("side=up", "side"),
        ("since=now", "since"),
        ("symbl=BTC", "symbl"),
        ("format=xml", "format"),
        ("status=&result=&side=up", "side"),
    ],
)
def test_a_wrong_question_is_answered_with_field_and_cause(viewer: Client, query: str, field: str) -> None:
    factories.trade(NOW)

    answer = viewer.get(f"/api/v1/trades?{query}")

    told = answer.json()
    assert (answer.status_code, answer.headers["Content-Type"]) == (422, "application/problem+json")
    assert (told["status"], told["field"]) == (422, field)
    assert told["cause"] == told["detail"] != ""


def test_a_trade_is_told_with_text_for_money_and_two_forms_of_time(viewer: Client) -> None:
    trade = factories.closed_trade(NOW, exit="67410", entry="66500", quantity="0.1", risk="1000")
    page_factories.orders_of(trade)

    told = get(viewer, f"trades/{trade.pk}")

    assert told["pnl"] == "77.609"
    assert (told["entry_price"], told["exit_price"], told["quantity"]) == ("66500", "67410", "0.1")
    assert (told["closed_at"], told["closed_at_ms"]) == ("2026-03-01T12:00:00Z", 1772366400000)
    assert told["r"] == pytest.approx(0.77609)
    assert told["targets"] == ["68000", "69000", "70500"]
    assert [order["role"] for order in told["orders"]] == ["entry", "stop", "exit"]
    assert [step["to_status"] for step in told["orders"][0]["steps"]] == ["intent", "submitting", "open", "filled"]
    assert told["orders"][2]["fills"][0]["price"] == "67410"
    assert get(viewer, "trades")["results"][0]["id"] == trade.pk


def test_a_decision_is_told_with_every_verdict(viewer: Client) -> None:
    signal = factories.signal(NOW, refused_by="adx", reason="adx 1.00, needs 20.00", score=None)

    told = get(viewer, f"signals/{signal.pk}")

    assert (told["status"], told["refused_by"], told["score"], told["trade"]) == ("refused", "adx", None, None)
    assert [(each["name"], each["passed"]) for each in told["verdicts"]] == [
        ("score", True), ("trading_state", True), ("adx", False),
    ]  # fmt: skip


def test_the_account_is_told(viewer: Client) -> None:
    now = timezone.now()
    factories.overview(now)

    status, balance = get(viewer, "status"), get(viewer, "balance")

    assert (status["mode"], status["state"], status["open_trades"], status["today_pnl"]) == (
        "paper",
        "active",
        3,
        "120.3",
    )
    assert (balance["currency"], balance["equity"], balance["unrealised"]) == ("USDT", "10250.42", "38.02")
    positions = get(viewer, "positions")["results"]
    assert [row["symbol"] for row in positions] == ["BTC/USDT", "SOL/USDT", "LINK/USDT"]
    assert (positions[1]["unrealised"], positions[1]["stop"], positions[1]["stop_at"]) == ("87.936", "172.9", None)
    assert get(viewer, "version") == {"version": "0.1.0", "api_version": 1}


def test_days_weeks_and_months_add_up_to_the_same(viewer: Client) -> None:
    factories.bot(NOW, equity=Decimal(1030))
    for ago, equity in ((0, 1020), (1, 1000), (2, 1010), (40, 990)):
        DayOpening.objects.create(date=NOW.date() - timedelta(days=ago), equity=Decimal(equity))
    factories.closed_trade(NOW, exit="68000")

    days, weeks, months = (get(viewer, f"{span}?limit=12")["results"] for span in ("daily", "weekly", "monthly"))

    assert [(day["date"], day["pnl"], day["trades"]) for day in days] == [
        ("2026-03-01", "10", 1), ("2026-02-28", "20", 0), ("2026-02-27", "-10", 0), ("2026-01-20", "20", 0),
    ]  # fmt: skip
    assert [week["pnl"] for week in weeks] == ["20", "20"]
    assert [(month["date"], month["pnl"]) for month in months] == [
        ("2026-03-01", "10"), ("2026-02-27", "10"), ("2026-01-20", "20"),
    ]  # fmt: skip


def test_a_list_comes_as_csv_too(viewer: Client) -> None:
    factories.closed_trade(NOW, exit="67410", entry="66500", quantity="0.1", symbol="A/USDT")
    factories.trade(NOW, symbol="B/USDT")

    answer = viewer.get("/api/v1/trades?status=closed&format=csv")
    rows = list(csv.DictReader(io.StringIO(answer.content.decode())))

    assert [(row["symbol"], row["pnl"]) for row in rows] == [("A/USDT", "77.609")]


def test_parameters_are_told_with_default_and_range(viewer: Client) -> None:
    page_factories.control(NOW)

    told = get(viewer, "parameters")

    assert told["revision"] == 2
    changed = {row["name"]: (row["value"], row["default"]) for row in told["results"] if row["is_changed"]}
    assert changed == {"volume_min": (0.8, 0.9), "risk_fraction": (0.015, 0.02), "kelly": (False, True)}
    assert next(row for row in told["results"] if row["name"] == "fast_sma")["high"] == 200


def test_orders_are_filtered_by_whether_they_live(viewer: Client) -> None:
    page_factories.orders_of(factories.trade(NOW))

    live = get(viewer, "orders?live=true")["results"]

    assert [row["role"] for row in live] == ["stop"]
    assert len(get(viewer, "orders?live=false")["results"]) == Order.objects.count() - 1


def test_a_row_that_is_not_there_is_a_problem_of_its_own(viewer: Client) -> None:
    assert (Trade.objects.count(), Signal.objects.count()) == (0, 0)

    for path in ("trades/99999999999999999999", "signals/5"):
        assert get(viewer, path, 404)["title"] == "Not found"
