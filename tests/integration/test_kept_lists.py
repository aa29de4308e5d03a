"""Lists that were told before: every one says to the byte what it would say told anew, whatever has changed meanwhile."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.db.models import Model
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from rest_framework.renderers import JSONRenderer

from dashboard.api import lists, urls
from dashboard.listings import ORDERS, SIGNALS, TRADES, Listing, kept
from tests import api_world, factories, page_factories
from trading.models import Fill, Order, OrderEvent, Signal, SignalVerdict, Trade, TradeTag

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _nothing_kept() -> Iterator[None]:
    kept._pages.clear()
    yield
    kept._pages.clear()


def every_list() -> Iterator[tuple[str, Listing[Any]]]:
    """Yield the address of each list with what it lists."""
    for pattern in urls.urlpatterns:
        view = getattr(pattern.callback, "view_class", None)
        if view is not None and issubclass(view, lists.ListView):
            yield str(pattern.pattern), view.listing


def anew(listing: Listing[Any], asked: dict[str, str]) -> bytes:
    """Return the answer as it is made of objects, with nothing kept."""
    rows, following = listing.after(asked)
    made: bytes = JSONRenderer().render({"results": [listing.told(row) for row in rows], "next": following})
    return made


def questions(listing: Listing[Any]) -> Iterator[dict[str, str]]:
    yield {}
    yield {"limit": "2"}
    for sort in listing.sorts:
        yield {"sort": sort, "limit": "3"}
        yield {"sort": f"-{sort}", "limit": "3"}
    for filter in listing.filters:
        for value, _ in filter.choices:
            yield {filter.name: value}
        if filter.kind == "text":
            yield {filter.name: "b"}
            yield {filter.name: "none such"}
        if filter.kind == "date":
            yield {filter.name: "2020-01-01"}


def test_every_list_says_the_same_kept_and_anew_and_by_http(client: Client) -> None:
    now = timezone.now()
    client.force_login(api_world.fill(now))
    told = 0

    for address, listing in every_list():
        for asked in questions(listing):
            wanted = anew(listing, asked)
            for _ in range(2):
                answer = client.get(f"/api/v1/{address}", asked)
                assert (answer.status_code, answer.content) == (200, wanted), (address, asked)
                assert answer.headers["Content-Type"] == "application/json"
            told += b'"id"' in wanted

    assert told > 100


def test_what_is_kept_costs_no_object(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    client.force_login(api_world.fill(timezone.now()))
    first = client.get("/api/v1/trades")
    monkeypatch.setattr(Trade, "from_db", None)

    again = client.get("/api/v1/trades")

    assert again.content == first.content
    assert again.headers["ETag"] == first.headers["ETag"]
    assert client.get("/api/v1/trades", headers={"If-None-Match": first.headers["ETag"]}).status_code == 304


def _touch_trade() -> None:
    Trade.objects.filter(pk=Trade.objects.earliest("pk").pk).update(fees="7.5")


def _touch_signal() -> None:
    Signal.objects.filter(trade__isnull=False).update(regime="choppy")


def _another(row: Model, **columns: Any) -> None:
    """Insert a copy of a row of a table that nothing is changed in."""
    for name, value in {"pk": None, **columns}.items():
        setattr(row, name, value)
    row.save(force_insert=True)


CHANGES: dict[str, tuple[Listing[Any], Callable[[], Any]]] = {
    "a column": (TRADES, _touch_trade),
    "a column of the decision": (TRADES, _touch_signal),
    "a tag more": (
        TRADES,
        lambda: TradeTag.objects.create(trade=Trade.objects.latest("pk"), name="late", by="a", at=timezone.now()),
    ),
    "a tag less": (TRADES, lambda: TradeTag.objects.all().delete()),
    "a row more": (TRADES, lambda: factories.closed_trade(timezone.now(), exit="68000")),
    "a step more": (ORDERS, lambda: _another(OrderEvent.objects.earliest("pk"), seq=99)),
    "a fill more": (ORDERS, lambda: _another(Fill.objects.earliest("pk"), venue_fill_id="another")),
    "an order's note": (ORDERS, lambda: Order.objects.update(note="seen")),
    "a verdict more": (SIGNALS, lambda: _another(SignalVerdict.objects.earliest("pk"), name="another", position=99)),
    "what became of it": (SIGNALS, lambda: Trade.objects.update(gross_pnl="-3")),
}


@pytest.mark.parametrize("change", CHANGES)
def test_what_changed_is_told_at_once(change: str) -> None:
    api_world.fill(timezone.now())
    page_factories.orders_of(factories.closed_trade(timezone.now() - timedelta(days=1), exit="68000"))
    listing, act = CHANGES[change]
    view: Any = lists.ListView()
    view.listing = listing
    before = kept.body(listing, {}, view._body)
    assert kept.body(listing, {}, view._body) == before

    act()

    after = kept.body(listing, {}, view._body)
    assert after != before
    assert after == kept.body(listing, {}, view._body) == anew(listing, {})


def test_related_rows_that_change_while_they_are_told_are_told_the_next_time() -> None:
    api_world.fill(timezone.now())
    trade = Trade.objects.latest("created_at")

    def tell(rows: Any, following: str | None) -> bytes:
        if not trade.tags.filter(name="meanwhile").exists():
            TradeTag.objects.create(trade=trade, name="meanwhile", by="a", at=timezone.now())
        return b"told before"

    assert kept.body(TRADES, {}, tell) == b"told before"
    assert kept.body(TRADES, {}, lambda rows, following: b"told after") == b"told after"


def test_pages_are_kept_up_to_a_number_and_a_size() -> None:
    api_world.fill(timezone.now())
    view: Any = lists.ListView()
    view.listing = TRADES

    for number in range(1, kept.MOST_PAGES + 20):
        kept.body(TRADES, {"limit": str(number)}, view._body)
    kept.body(TRADES, {"limit": str(kept.MOST_ROWS + 1)}, view._body)

    assert len(kept._pages) == kept.MOST_PAGES
    assert all(dict(asked)["limit"] != str(kept.MOST_ROWS + 1) for _, asked in kept._pages)


def test_a_kept_page_asks_as_often_as_one_told_anew(client: Client) -> None:
    client.force_login(api_world.fill(timezone.now()))
    counts = []
    for _ in range(3):
        with CaptureQueriesContext(connection) as queries:
            client.get("/api/v1/orders")
        counts.append(len(queries))

    assert counts == [5, 5, 5]
