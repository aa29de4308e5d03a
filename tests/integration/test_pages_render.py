"""Every page: who sees it, that no link is dead, what it costs in queries, and that hostile text stays text."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from html import unescape
from urllib.parse import quote, urljoin, urlsplit

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from dashboard import sessions
from dashboard.places import PLACES
from notifications.models import Alert
from tests import factories, page_factories
from trading.models import (
    BacktestRun,
    ExternalHolding,
    ExternalOrder,
    InvariantRun,
    ParameterDraft,
    ParameterRevision,
    Proposal,
    ReconcileRun,
    Signal,
    StateChange,
    Trade,
)

pytestmark = pytest.mark.django_db

LISTS = (
    "/trades/", "/signals/", "/journal/", "/journal/states/", "/reconciliation/", "/invariants/", "/parameters/history/",
    "/backtests/", "/alerts/", "/parameters/drafts/",
)  # fmt: skip
PLAIN = (
    "/", "/positions/", "/performance/", "/parameters/", "/risk/", "/health/", "/chart/", "/parity/", "/setup/",
    "/alerts/notifications/", "/backtests/compare/", "/ai-report/", "/ml-report/", "/proposals/", "/pairs/",
)  # fmt: skip
PAGES = (*PLAIN, *LISTS)
QUERIES = {
    "/": 19, "/positions/": 12, "/performance/": 21, "/parameters/": 13, "/risk/": 17, "/health/": 26,
    "/trades/": 14, "/signals/": 19, "/journal/": 13, "/journal/states/": 13, "/reconciliation/": 15,
    "/invariants/": 13, "/parameters/history/": 13, "/parameters/drafts/": 14, "/chart/": 13, "/parity/": 14,
    "/setup/": 26, "/backtests/": 16,
    "/backtests/compare/": 14, "/alerts/": 15, "/alerts/notifications/": 14,
    "/ai-report/": 18, "/ml-report/": 21, "/proposals/": 16, "/pairs/": 24,
}  # fmt: skip
"""At most; session, user and permissions are four of them, the frame takes seven."""
CORPUS = (
    "<script>alert(1)</script>",
    '"><svg onload=alert(1)>',
    "'-alert(1)-'",
    "</script><img src=x onerror=alert(1)>",
    "javascript:alert(1)",
)


@pytest.fixture
def viewer(client: Client, monkeypatch: pytest.MonkeyPatch) -> Client:
    monkeypatch.setattr(
        sessions, "NOTE_EVERY", timedelta(days=1)
    )  # The request that writes it costs four queries more.
    client.force_login(factories.user("vera", is_staff=False))
    return client


def html(client: Client, path: str) -> str:
    answer = client.get(path)
    assert answer.status_code == 200, path
    return answer.content.decode()


def links(page: str, base: str) -> Iterator[str]:
    for href in re.findall(r'<a [^>]*?href="([^"]*)"', page):
        target = urljoin(f"http://testserver{base}", unescape(href))
        if urlsplit(target).netloc == "testserver":
            yield urlsplit(target)._replace(fragment="", scheme="", netloc="").geturl()


def test_every_page_stands_on_an_empty_database_and_says_what_to_expect(viewer: Client) -> None:
    for path in PAGES:
        page = html(viewer, path)

        assert "PAPER · STARTING" in page
        assert re.search(r'class="(card )?empty"', page) or path in ("/parameters/", "/health/", "/setup/"), path


def test_every_page_stands_on_a_full_one_and_carries_no_style_or_handler(viewer: Client) -> None:
    page_factories.fill(timezone.now())
    for path in PAGES:
        page = html(viewer, path)

        assert "PAPER · RUNNING" in page
        assert page.count('aria-current="page"') >= 1, path
        for word in (" style=", "<style", " onclick", " onload", "javascript:"):
            assert word not in page, path


def test_no_link_is_dead(viewer: Client) -> None:
    page_factories.fill(timezone.now())
    seen: set[str] = set()
    waiting = ["/"]
    while waiting:
        path = waiting.pop()
        # One of each kind of row is enough, and files need no reading for links.
        kind = re.sub(r"\d+", "1", path.split("&")[0])
        if kind in seen:
            continue
        seen.add(kind)
        answer = viewer.get(path)
        assert answer.status_code == 200, path
        if answer.headers["Content-Type"].startswith("text/html") and "Content-Disposition" not in answer.headers:
            waiting.extend(links(answer.content.decode(), path))

    assert set(PAGES) <= seen
    assert {"/trades/1/", "/signals/1/"} <= seen


def test_places_of_the_navigation_have_keys_of_their_own() -> None:
    places = [place for _, members in PLACES for place in members]

    assert len({place.key for place in places}) == len(places)
    assert {place.url for place in places} >= set(PLAIN) - {"/alerts/notifications/", "/backtests/compare/"}
    assert sum(place.is_main for place in places) == 4


def costs(client: Client) -> dict[str, int]:
    """Return how many queries each page takes."""
    found = {}
    for path in PAGES:
        with CaptureQueriesContext(connection) as queries:
            html(client, path)
        found[path] = len(queries)
    return found


def test_more_rows_cost_no_more_queries(viewer: Client) -> None:
    now = timezone.now()
    page_factories.fill(now)
    few = costs(viewer)
    for number in range(5):
        page_factories.orders_of(factories.trade(now, symbol=f"X{number}/USDT"))
        page_factories.orders_of(factories.closed_trade(now, exit="68000", symbol=f"Y{number}/USDT"))
        factories.signal(now, symbol=f"Z{number}/USDT", refused_by="adx", reason="adx 1.00, needs 20.00")
        factories.event(now, f"event {number}")

    many = costs(viewer)

    assert many == few
    assert {path: count for path, count in many.items() if count > QUERIES[path]} == {}


def test_a_trade_and_a_decision_cost_the_same_however_many_orders_there_are(viewer: Client) -> None:
    now = timezone.now()
    factories.bot(now)
    few = factories.trade(now, symbol="A/USDT")
    page_factories.order(few, now, number=1, role="entry")
    many = factories.trade(now, symbol="B/USDT")
    page_factories.orders_of(many)
    for number in range(4, 12):
        page_factories.order(many, now, number=number, role="stop", status="canceled", reason="stop")
    counts = []
    for path in (
        f"/trades/{few.pk}/",
        f"/trades/{many.pk}/",
        f"/signals/{few.signal_id}/",
        f"/signals/{many.signal_id}/",
    ):
        with CaptureQueriesContext(connection) as queries:
            html(viewer, path)
        counts.append(len(queries))

    assert counts[0] == counts[1]
    assert counts[2] == counts[3]
    assert max(counts) <= 21


@pytest.mark.parametrize("path", ["/trades/99/", "/signals/99/", "/trades/99999999999999999999/", "/signals/0/"])
def test_what_does_not_exist_is_not_found(viewer: Client, path: str) -> None:
    assert viewer.get(path).status_code == 404


def say_everywhere(text: str, now: datetime) -> list[str]:
    """Put a text wherever rows hold one, and return the addresses that show single rows."""
    signal = factories.signal(now, symbol=text[:30], refused_by=text[:40], reason=text, strategy=text[:50])
    trade = factories.trade(now, symbol=text[:30], exit_reason=text[:20])
    page_factories.order(trade, now, number=1, role="entry", note=text, venue_order_id=text, reason=text[:20])
    factories.closed_trade(now, exit="67000", symbol=text[:29], exit_reason=text[:20])
    factories.event(now, text, kind=text[:40])
    StateChange.objects.create(at=now, from_state="active", to_state="halted", reason=text, by=text)
    differences = [{"kind": text, "symbol": text, "ours": text, "theirs": text, "action": text}]
    ReconcileRun.objects.create(kind="running", epoch=1, at=now, passed=False, problem=text, differences=differences)
    InvariantRun.objects.create(at=now, checked=1, violations=[{"id": text, "text": text, "found": text}])
    ExternalOrder.objects.create(
        venue_order_id=text, symbol=text[:30], side="buy", quantity=1, first_seen_at=now, last_seen_at=now
    )
    ExternalHolding.objects.create(symbol=text[:30], quantity=1, at=now)
    asked = quote(text)
    trade.notes.create(text=text, by=text, at=now)
    trade.tags.create(name=text[:20], by=text, at=now)
    Alert.objects.create(kind=text[:40], key=text, severity="critical", text=text, raised_at=now)
    Proposal.objects.create(
        symbol=text[:30], side="long", price=1.0, mode="hybrid", confidence=0.9, reason=text, risk=text[:10], against=[text],
        model=text, created_at=now, expires_at=now, decided_by=text, outcome=text,
    )  # fmt: skip
    base = factories.revision(now)
    changes = [{"name": text, "old": text, "new": text}, {"name": "volume_min", "old": text, "new": [text]}]
    newest = ParameterRevision.objects.create(
        number=base.number + ParameterRevision.objects.count(), values=base.values, changes=changes, reason=text,
        author_name=text, created_at=now,
    )  # fmt: skip
    draft = ParameterDraft.objects.create(
        base=base, values=base.values, changes=changes, reason=text, author_name=text, created_at=now, status="held",
        finding=text, settled_by=text, overrule_reason=text,
    )  # fmt: skip
    run = BacktestRun.objects.create(
        parameters=base.values, symbols=[text], timeframe="1h", note=text, requested_by_name=text, requested_at=now,
        status="failed", error=text, log=[{"at": text, "text": text}],
    )  # fmt: skip
    BacktestRun.objects.create(
        kind="parity", plan={"signal": signal.pk}, parameters=base.values, symbols=[], timeframe="1h", status="done",
        requested_by_name=text[1:], requested_at=now, finished_at=now, result={"match": False, "text": text},
    )  # fmt: skip
    return [
        f"/parameters/drafts/{draft.pk}/", f"/parameters/history/{newest.number}/", f"/backtests/{run.pk}/",
        f"/trades/{trade.pk}/", f"/signals/{signal.pk}/", f"/trades/?symbol={asked}&reason={asked}&sort={asked}",
        f"/signals/?refused_by={asked}&span={asked}", f"/journal/?q={asked}&page={asked}", f"/parameters/?q={asked}",
        f"/performance/?span={asked}",
    ]  # fmt: skip


def test_hostile_text_stays_text_on_every_page(viewer: Client) -> None:
    now = timezone.now()
    factories.bot(now, state_reason=CORPUS[0], trading_state="halted")
    paths = [*PAGES, *(path for text in CORPUS for path in say_everywhere(text, now))]

    for path in paths:
        page = html(viewer, path)
        for text in CORPUS:
            if "<" in text:
                assert text not in page, path
        for tag in ("<svg onload", "<img src=x", 'href="javascript', "alert(1)'"):
            assert tag not in page, path
        assert page.count("<script") == len(re.findall(r'<script (?:src=|id="[\w-]+" type="application/json")', page))


def test_pages_answer_only_to_reading(viewer: Client) -> None:
    page_factories.fill(timezone.now())
    before = (Trade.objects.count(), Signal.objects.count(), StateChange.objects.count())

    for path in PAGES:
        for method in ("post", "put", "delete", "patch"):
            assert getattr(viewer, method)(path).status_code == 405, path

    assert (Trade.objects.count(), Signal.objects.count(), StateChange.objects.count()) == before


def test_a_viewer_sees_neither_the_switch_nor_the_editor(viewer: Client) -> None:
    factories.bot(timezone.now())

    assert "/trading-state/" not in html(viewer, "/risk/")
    assert "/parameters/change/" not in html(viewer, "/parameters/")
    staff = Client()
    staff.force_login(factories.user("root"))
    assert "Halt trading" in html(staff, "/risk/")
    assert "/parameters/change/" in html(staff, "/parameters/")


def test_while_the_past_is_replayed_the_funnel_has_its_clock(viewer: Client) -> None:
    then = timezone.now() - timedelta(days=30)
    factories.bot(then, is_replaying=True)
    factories.signal(then - timedelta(hours=1), refused_by="adx", reason="adx 1.00, needs 20.00")

    assert "No setup was judged in this span" not in html(viewer, "/signals/")
