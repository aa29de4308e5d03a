"""The pages and addresses of pairs: what is shown, who may change it, and that a refused act changes nothing."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from dashboard import pairs_sheet, stepup
from tests import factories, pair_factories
from trading.core import multi_timeframe, pair_score
from trading.models import BlacklistEntry, PairLock, PairSwitch, ScanRow, WatchedPair

pytestmark = pytest.mark.django_db
NOW = timezone.now()
"""The pages ask the clock which locks stand."""
ENDS = f"{NOW + timedelta(hours=5):%Y-%m-%d %H:%M} UTC"


@pytest.fixture
def manager(client: Client, monkeypatch: pytest.MonkeyPatch) -> Client:
    """Log somebody in who may manage pairs and nothing else, and who has just proved to be there."""
    user = factories.user("mara", is_staff=False)
    user.user_permissions.add(Permission.objects.get(codename="manage_pairs"))
    client.force_login(user)
    monkeypatch.setattr(stepup, "is_fresh", lambda request, *, now: True)
    return client


@pytest.fixture
def viewer() -> Client:
    client = Client()
    client.force_login(factories.user("vera", is_staff=False))
    return client


def html(client: Client, path: str) -> str:
    answer = client.get(path)
    assert answer.status_code == 200
    return answer.content.decode()


def text_of(page: str) -> str:
    """Return a page as it is read, without its tags."""
    return re.sub(r"<[^>]+>", "", page)


def act(client: Client, **asked: Any) -> str:
    return client.post("/pairs/manage/", asked, follow=True).content.decode()


def call(client: Client, method: str, path: str, body: Any = None) -> tuple[int, Any]:
    ask = getattr(client, method)
    answer = ask(path, body, content_type="application/json") if method != "get" else ask(path)
    return answer.status_code, answer.json()


# Pages --------------------------------------------------------------------------------------------------


def test_the_newest_scan_is_a_table_with_scores_in_parts_and_refusals(viewer: Client) -> None:
    pair_factories.fill(NOW)

    page = html(viewer, "/pairs/")

    assert page.count('class="segments"') == 13  # one has no score
    assert "ADX 21.7 of 25, volatility 7.6 of 20" in page
    assert "✕ correlation: moves 0.98 like a better pair" in page
    assert "✕ data: there are no bars" in page
    assert "LUNA/USDT" in page
    assert f"until {ENDS}: unlock of tokens tonight" in text_of(page)
    assert "TIA/USDT → SUI/USDT" in page
    assert "/pairs/manage/" not in page  # who only looks is offered nothing


@pytest.mark.parametrize(
    ("query", "first", "count"),
    [
        ("", "BTC/USDT", 14),
        ("?sort=-score", "BTC/USDT", 14),
        ("?sort=symbol", "APT/USDT", 14),
        ("?outcome=refused", "TIA/USDT", 3),
        ("?refused_by=data", "WLD/USDT", 1),
        ("?symbol=AR", "ARB/USDT", 1),
    ],
)
def test_the_table_is_sorted_and_filtered_on_the_server(viewer: Client, query: str, first: str, count: int) -> None:
    pair_factories.fill(NOW)

    page = html(viewer, f"/pairs/{query}")

    rows = [part.split("</tr>")[0] for part in page.split('<tr data-key="')[1:]]
    assert len(rows) == count
    assert first in rows[0]


def test_the_table_can_be_had_as_a_file(viewer: Client) -> None:
    pair_factories.fill(NOW)

    lines = viewer.get("/pairs/?format=csv&outcome=passed").content.decode().splitlines()

    assert len(lines) == 12
    assert "symbol" in lines[0]


def test_one_pair_has_a_page_with_everything_about_it(viewer: Client) -> None:
    pair_factories.fill(NOW)

    page = html(viewer, "/pairs/TIA-USDT/")

    for words in (
        "✕ refused by correlation",
        "moves 0.98 like a better pair",
        "Point of control",
        "simulated",
        "TIA/USDT → SUI/USDT",
    ):
        assert words in page
    assert f"Locked until {ENDS}" in text_of(html(viewer, "/pairs/SEI-USDT/"))
    assert viewer.get("/pairs/NOPE-USDT/").status_code == 404


@pytest.mark.parametrize("path", ["/pairs/", "/pairs/switches/", "/pairs/history/", "/risk/"])
def test_before_the_first_scan_each_page_says_what_will_stand_there(viewer: Client, path: str) -> None:
    page = html(viewer, path)

    assert "will stand here" in page


@pytest.mark.parametrize("path", ["/pairs/", "/pairs/switches/", "/pairs/history/", "/pairs/BTC-USDT/"])
def test_the_number_of_questions_does_not_grow_with_the_rows(
    viewer: Client, path: str, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    pair_factories.fill(NOW)

    with django_assert_max_num_queries(32):
        viewer.get(path)


def test_the_risk_page_shows_how_pairs_move_together(viewer: Client) -> None:
    factories.bot(NOW)
    pair_factories.fill(NOW)

    page = html(viewer, "/risk/")

    assert 'title="BTC/USDT and ETH/USDT: 0.84"' in page
    assert 'title="NEAR/USDT and BTC/USDT: not known"' in page
    assert "Their common risk has no limit" in page


def test_the_sheet_knows_the_points_and_the_words_of_the_core() -> None:
    assert pairs_sheet.MOST == pair_score.POINTS
    for value in (0.0, 44.9, 45.0, 60.0, 75.0, 100.0):
        assert pairs_sheet.timeframes(value) == f"{value:.0f}, {multi_timeframe.label(value)}"


@pytest.mark.parametrize("text", ["<script>alert(1)</script>", '"><img src=x onerror=alert(1)>'])
def test_reasons_are_shown_as_text(viewer: Client, text: str) -> None:
    made = pair_factories.scan(NOW)
    made.rows.filter(rank=1).update(refused_by="age", reason=text)
    BlacklistEntry.objects.create(symbol="A/USDT", reason=text, by="x", at=NOW)
    PairSwitch.objects.create(at=NOW, out_symbol="A/USDT", in_symbol="B/USDT", is_made=False, reason=text)

    for path in ("/pairs/", "/pairs/switches/", "/pairs/BTC-USDT/"):
        assert text not in html(viewer, path)


# Acts ---------------------------------------------------------------------------------------------------


def test_a_person_watches_locks_and_blacklists_from_the_page(manager: Client) -> None:
    pair_factories.scan(NOW, ("BTC/USDT", "PEPE/USDT"))

    assert "PEPE/USDT is watched." in act(manager, act="watch", symbol="pepe/usdt", reason="news")
    assert "is locked until" in act(manager, act="lock", symbol="BTC/USDT", minutes="90", reason="CPI")
    assert "LUNA/USDT is on the blacklist." in act(manager, act="ban", symbol="LUNA/USDT", reason="gone")

    lock = PairLock.objects.get()
    assert (WatchedPair.objects.get().by, lock.by, BlacklistEntry.objects.get().by) == ("mara", "mara", "mara")
    assert lock.until - lock.at == timedelta(minutes=90)
    assert "LUNA/USDT is off the blacklist." in act(manager, act="unban", symbol="LUNA/USDT")
    assert "The lock is lifted." in act(manager, act="lift", id=str(lock.pk))
    assert "PEPE/USDT is watched no longer." in act(manager, act="unwatch", symbol="PEPE/USDT", reason="old news")


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"act": "ban", "symbol": "LUNA/USDT", "reason": ""}, "the reason is missing"),
        ({"act": "ban", "symbol": "luna", "reason": "x"}, "is not a symbol such as BTC/USDT"),
        ({"act": "lock", "symbol": "LUNA/USDT", "reason": "x", "minutes": "0"}, "the minutes is no whole number"),
        ({"act": "lock", "symbol": "LUNA/USDT", "reason": "x", "minutes": "1e3"}, "the minutes is no whole number"),
        ({"act": "lift", "id": "12"}, "there is no standing lock 12"),
        ({"act": "explode", "symbol": "LUNA/USDT"}, "the act is none of"),
        ({"act": "switch", "symbol": "LUNA/USDT", "reason": "x"}, "the list is fixed"),
    ],
)
def test_what_cannot_be_done_is_said_and_changes_nothing(manager: Client, asked: dict[str, str], said: str) -> None:
    assert said in act(manager, **asked)
    for model in (BlacklistEntry, PairLock, WatchedPair, PairSwitch):
        assert not model.objects.exists()


def test_who_only_looks_changes_nothing_and_nor_does_a_stranger_or_a_get(viewer: Client, client: Client) -> None:
    asked = {"act": "ban", "symbol": "LUNA/USDT", "reason": "gone"}

    assert viewer.post("/pairs/manage/", asked).status_code == 403
    assert client.post("/pairs/manage/", asked).headers["Location"].startswith("/login/")
    assert viewer.get("/pairs/manage/").status_code == 405
    assert call(viewer, "post", "/api/v1/blacklist", asked)[0] == 403
    assert call(viewer, "delete", "/api/v1/blacklist", asked)[0] == 403
    assert call(viewer, "post", "/api/v1/switches", asked)[0] == 403
    assert client.post("/api/v1/blacklist", asked, content_type="application/json").status_code in (401, 403)
    assert not BlacklistEntry.objects.exists()


def test_what_allows_entries_again_asks_who_is_there(manager: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    BlacklistEntry.objects.create(symbol="LUNA/USDT", reason="gone", by="ann", at=NOW)
    monkeypatch.setattr(stepup, "is_fresh", lambda request, *, now: False)

    answer = manager.post("/pairs/manage/", {"act": "unban", "symbol": "LUNA/USDT"})

    assert "/confirm" in answer.headers["Location"]
    assert call(manager, "delete", "/api/v1/blacklist", {"symbol": "LUNA/USDT"})[0] in (401, 403)
    assert BlacklistEntry.objects.get().removed_at is None


@pytest.mark.parametrize(
    ("back", "led"),
    [
        ("/pairs/BTC-USDT/", "/pairs/BTC-USDT/"),
        ("https://evil.example/pairs/", "/pairs/"),
        ("//evil.example", "/pairs/"),
        ("/risk/", "/pairs/"),
    ],
)
def test_an_act_leads_back_to_a_page_of_pairs_alone(manager: Client, back: str, led: str) -> None:
    answer = manager.post("/pairs/manage/", {"act": "ban", "symbol": "LUNA/USDT", "reason": "gone", "back": back})

    assert answer.headers["Location"] == led


# API ----------------------------------------------------------------------------------------------------


def test_scans_are_listed_and_one_has_every_row(viewer: Client) -> None:
    pair_factories.scan(NOW - timedelta(minutes=5), ("BTC/USDT",))
    pair_factories.fill(NOW)

    _, scans = call(viewer, "get", "/api/v1/scans")
    assert [(each["pairs"], each["passed"]) for each in scans["results"]] == [(14, 11), (1, 1)]
    _, one = call(viewer, "get", f"/api/v1/scans/{scans['results'][0]['id']}")
    assert [row["rank"] for row in one["rows"]] == list(range(1, 15))
    assert one["rows"][0]["parts"]["adx"] == 21.72
    assert one["correlations"]["bars"] == 96
    assert call(viewer, "get", "/api/v1/scans/999")[0] == 404
    _, latest = call(viewer, "get", "/api/v1/scans/latest?outcome=refused&sort=-score")
    assert [row["symbol"] for row in latest["results"]] == ["TIA/USDT", "SEI/USDT", "WLD/USDT"]
    assert call(viewer, "get", "/api/v1/scans/latest?colour=red")[0] == 422


def test_lists_can_be_added_to_and_taken_from_by_the_api(manager: Client) -> None:
    pair_factories.scan(timezone.now(), ("BTC/USDT", "PEPE/USDT"))

    assert call(manager, "post", "/api/v1/blacklist", {"symbol": "luna/usdt", "reason": "gone"})[0] == 201
    assert call(manager, "post", "/api/v1/locks", {"symbol": "BTC/USDT", "minutes": 30, "reason": "CPI"})[0] == 201
    assert call(manager, "post", "/api/v1/watchlist", {"symbol": "PEPE/USDT", "reason": "news"})[0] == 201
    _, watched = call(manager, "get", "/api/v1/watchlist")
    assert watched["mode"] == "fixed"
    assert [(each["symbol"], each["source"]) for each in watched["results"]][-1] == ("PEPE/USDT", "hand")
    assert watched["results"][0]["scanned"] == {"rank": 1, "score": ScanRow.objects.get(rank=1).score, "refused_by": ""}

    lock = PairLock.objects.get()
    assert call(manager, "delete", "/api/v1/locks", {"id": lock.pk})[0] == 200
    assert call(manager, "delete", "/api/v1/blacklist", {"symbol": "LUNA/USDT"})[0] == 200
    assert call(manager, "delete", "/api/v1/watchlist", {"symbol": "PEPE/USDT", "reason": "old"})[0] == 200
    _, banned = call(manager, "get", "/api/v1/blacklist?state=removed")
    assert [(each["symbol"], each["removed_by"]) for each in banned["results"]] == [("LUNA/USDT", "mara")]


def test_the_api_names_the_field_and_the_cause(manager: Client) -> None:
    status, told = call(manager, "post", "/api/v1/locks", {"symbol": "BTC/USDT", "minutes": True, "reason": "x"})

    assert (status, told["field"], told["cause"]) == (422, "minutes", "is no whole number")
    bodies: tuple[Any, ...] = (
        [],
        {"symbol": 7},
        {"symbol": "A/USDT", "reason": ["x"]},
        {"symbol": "A/USDT", "reason": 7},
    )
    for body in bodies:
        assert call(manager, "post", "/api/v1/blacklist", body)[0] == 422
    assert call(manager, "delete", "/api/v1/switches", {})[0] == 405
    assert not PairLock.objects.exists()
