"""The pages: who may see what, what each panel says, and what it costs in queries."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import URLResolver, get_resolver, reverse
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries, Settings

from dashboard import overview
from tests import factories
from trading import selectors
from trading.models import DayOpening, EquityPoint, LastPrice, SideChoice, SignalStatus

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
PUBLIC = {
    "login/",
    "favicon.ico",
    "admin/login/",
    "telegram/webhook/1",
    "livez",
    "readyz",
    "health",
    "metrics",
    "api/v1/ping",
}
OVERVIEW_QUERIES = 16
"""Bot, parameters, opening, record, trades, prices, stops, closed, signals, verdicts, refusals, events, 3 for the curve."""


@pytest.fixture
def user() -> User:
    return factories.user()


@pytest.fixture
def browser(client: Client, user: User) -> Client:
    client.force_login(user)
    return client


def html(browser: Client) -> str:
    answer = browser.get("/")
    assert answer.status_code == 200
    return answer.content.decode()


def addresses(patterns: list[Any], prefix: str = "") -> Iterator[str]:
    """Yield every address of the URLconf, with a 1 for each of its parameters."""
    for entry in patterns:
        path = prefix + re.sub(r"[\^$]|\\Z", "", str(entry.pattern))
        if isinstance(entry, URLResolver):
            yield from addresses(entry.url_patterns, path)
        else:
            yield re.sub(r"\(\?P<\w+>.*?\)|<.*?>", "1", path)


def test_a_stranger_is_sent_to_the_log_in_from_every_page_but_the_public_ones(client: Client) -> None:
    found = set(addresses(get_resolver().url_patterns))

    answers = {path: client.get(f"/{path}") for path in found}
    is_open = {
        path
        for path, answer in answers.items()
        if "/login/?next=" not in answer.headers.get("Location", "") and answer.status_code not in (401, 403)
    }

    assert {"", "password/", "logout/", "admin/", "admin/auth/user/1/change/"} <= found
    assert is_open == PUBLIC


def test_the_log_in_form_opens_the_overview(client: Client, user: User) -> None:
    answer = client.post("/login/", {"username": user.username, "password": factories.PASSWORD, "next": "/"})

    assert answer.headers["Location"] == "/"
    assert client.get("/").status_code == 200


def test_a_wrong_password_opens_nothing(client: Client, user: User) -> None:
    answer = client.post("/login/", {"username": user.username, "password": "wrong"})

    assert answer.status_code == 200
    assert "Name and password do not fit together" in answer.content.decode()
    assert client.get("/").status_code == 302


def test_the_log_in_leads_nowhere_else(client: Client, user: User) -> None:
    form = {"username": user.username, "password": factories.PASSWORD, "next": "https://elsewhere.example/"}

    assert client.post("/login/", form).headers["Location"] == "/"


def test_logging_out_needs_a_post(browser: Client) -> None:
    assert browser.get("/logout/").status_code == 405
    assert browser.get("/").status_code == 200

    assert browser.post("/logout/").headers["Location"] == "/login/"
    assert browser.get("/").status_code == 302


def test_forms_without_a_token_are_refused(user: User) -> None:
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(user)

    assert strict.post("/logout/").status_code == 403
    assert strict.post("/login/", {"username": user.username, "password": factories.PASSWORD}).status_code == 403
    assert strict.get("/").status_code == 200


def test_the_password_can_be_changed(browser: Client, user: User) -> None:
    new = "a much longer passphrase"
    form = {"old_password": factories.PASSWORD, "new_password1": new, "new_password2": new}

    assert browser.post("/password/", form).headers["Location"] == "/"
    user.refresh_from_db()
    assert user.check_password(new)
    assert "Your password was changed; your other sessions were ended." in html(browser)


def test_an_empty_database_shows_what_will_stand_where(browser: Client) -> None:
    page = html(browser)

    assert "PAPER · STARTING" in page
    for sentence in (
        "Equity, PnL, risk and drawdown will stand here",
        "The equity curve will stand here",
        "No position is open",
        "Every setup that was judged will stand here",
        "Trades will stand here once their last part has left",
        "No setup was refused",
        "What happens will stand here",
    ):
        assert sentence in page


def test_a_full_database_fills_every_panel(browser: Client) -> None:
    factories.overview(timezone.now())

    page = html(browser)

    assert "PAPER · RUNNING" in page
    assert "will stand here" not in page.replace("The equity curve will stand here", "")
    for words in (
        "10,250.42",
        "▲ +120.30",  # today
        "4 of 10 closed trades",
        "3 of 3",
        "break-even",
        "✓ 67,770.50",  # a target that was hit
        "Refused: volume ratio 0.62, needs 0.90",
        "✕ volume ratio 0.62, needs 0.90",
        "target 3",
        "Opened long 310.5 LINK/USDT at 14.253",
    ):
        assert words in page


def test_entries_of_the_navigation_exist_for_whom_they_are_shown(client: Client) -> None:
    client.force_login(factories.user("reader", is_staff=False))

    page = html(client)

    assert reverse("admin:index") not in page
    assert reverse("password") in page


def test_hostile_text_stays_text(browser: Client) -> None:
    script = "<script>alert(1)</script>"
    now = timezone.now()
    factories.bot(now, state_reason=script, trading_state="paused")
    factories.signal(now, symbol=script[:30], refused_by="adx", reason=script, strategy=script, regime="<b>x</b>")
    factories.trade(now, symbol="<img src=x onerror=y>", exit_reason="<i>")
    factories.closed_trade(now, exit="67000", symbol='"><svg onload=z>', exit_reason="<s>")
    factories.event(now, script, kind=script)

    page = html(browser)

    for tag in (script, "<b>x", "<img src=x", "<svg onload", "<s>", "<i>"):
        assert tag not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert page.count("<script") == page.count("<script src=") + 1  # the curve, which is no program
    assert 'id="equity" type="application/json"' in page


def test_the_overview_costs_the_same_queries_with_many_rows_as_with_few(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    now = timezone.now()
    factories.overview(now)
    with django_assert_num_queries(OVERVIEW_QUERIES):
        overview.render(now)

    for number in range(5):
        factories.trade(now, symbol=f"X{number}/USDT")
        factories.closed_trade(now, exit="68000", symbol=f"Y{number}/USDT")
        factories.signal(now, symbol=f"Z{number}/USDT", refused_by="adx", reason="adx 1.00, needs 20.00")

    with django_assert_num_queries(OVERVIEW_QUERIES):
        overview.render(now)


def test_the_page_shows_exactly_what_is_pushed(browser: Client) -> None:
    factories.overview(timezone.now())

    page = html(browser)

    panels = overview.render(timezone.now()).panels
    for name in overview.PANELS:
        assert panels[name] in page, name
    assert panels["positions"] in browser.get("/positions/").content.decode()


def test_every_answer_carries_the_policy(browser: Client, settings: Settings) -> None:
    expected = {name: sorted(allowed) for name, allowed in settings.CONTENT_SECURITY_POLICY["DIRECTIVES"].items()}

    for path in ("/", "/login/", "/admin/", "/nowhere/"):
        policy = browser.get(path).headers["Content-Security-Policy"]
        told = {words.split()[0]: sorted(words.split()[1:]) for words in policy.split("; ")}
        assert told == expected, path
        assert "unsafe" not in policy


def test_no_page_carries_a_style_or_a_handler_of_its_own(browser: Client) -> None:
    factories.overview(timezone.now())

    page = html(browser) + browser.get("/password/").content.decode()

    for word in (" style=", "<style", " onclick", " onload", "javascript:"):
        assert word not in page


def test_only_the_named_broker_counts_as_paper(browser: Client, settings: Settings) -> None:
    settings.BROKER = "somewhere.else.Broker"
    factories.bot(timezone.now())

    assert "LIVE · RUNNING" in html(browser)


def test_while_the_past_is_replayed_its_own_clock_counts(browser: Client) -> None:
    then = timezone.now() - timedelta(days=30)
    factories.bot(then, is_replaying=True)
    factories.signal(then - timedelta(hours=1), refused_by="adx", reason="adx 1.00, needs 20.00")

    page = html(browser)

    assert "PAPER · REPLAYING THE PAST" in page
    assert "No setup was refused" not in page


def test_the_web_process_carries_no_numeric_library() -> None:
    code = (
        "import sys, julaba_site.asgi; from django.urls import get_resolver; get_resolver().url_patterns; "
        "print(*sorted({'numba', 'pandas', 'ccxt', 'xgboost', 'sklearn', 'talib'} & set(sys.modules)))"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == ""


def test_refusals_are_counted_by_filter_within_their_day() -> None:
    for hours, name in ((1, "adx"), (2, "volume_ratio"), (3, "volume_ratio"), (25, "score")):
        factories.signal(NOW - timedelta(hours=hours), refused_by=name, reason="no")
    factories.signal(NOW)
    factories.signal(NOW, status=SignalStatus.EXPIRED, refused_by="adx")

    counted = selectors.refusals(since=NOW - timedelta(hours=24))

    assert [(row.name, row.count) for row in counted] == [("volume_ratio", 2), ("adx", 1)]


def test_a_win_is_a_trade_that_made_money_after_fees() -> None:
    factories.closed_trade(NOW, entry="100", exit="103", symbol="A/USDT")
    factories.closed_trade(NOW, entry="100", exit="100.1", symbol="B/USDT")  # less than its fees
    factories.closed_trade(NOW, entry="100", exit="98", side=SideChoice.SHORT, symbol="C/USDT")
    factories.trade(NOW)

    assert selectors.record() == selectors.Record(closed=3, won=2)


def test_open_trades_carry_the_last_price_of_their_symbol() -> None:
    factories.trade(NOW, entry="100", quantity="2", symbol="A/USDT", side=SideChoice.SHORT)
    factories.trade(NOW, symbol="B/USDT")
    LastPrice.objects.create(symbol="A/USDT", price=97.5, at=NOW)

    first, second = selectors.open_trades()

    assert first.unrealised == Decimal(5)
    assert (second.mark, second.unrealised) == (None, None)


def test_the_newest_days_opening_counts() -> None:
    DayOpening.objects.create(date=NOW.date(), equity=Decimal(2))
    DayOpening.objects.create(date=NOW.date() - timedelta(days=1), equity=Decimal(1))

    opening = selectors.day_opening()

    assert opening is not None
    assert opening.equity == 2


@pytest.mark.parametrize(("_case", "days", "minutes"), [("a day", 1, 1), ("a month", 31, 15), ("years", 900, 240)])
def test_the_curve_is_thinned_evenly_from_the_first_point_to_the_last(_case: str, days: int, minutes: int) -> None:
    factories.equity(NOW, days=days, minutes=minutes)

    points = selectors.equity_curve(limit=500)

    assert 100 < len(points) <= 500
    assert points[-1].at == NOW
    assert points[0].at == NOW - timedelta(days=days)
    inner = [later.at - earlier.at for earlier, later in pairwise(points[1:-1])]
    assert len(set(inner)) == 1


def test_a_short_curve_is_shown_whole() -> None:
    for minute in (0, 1, 2, 7):
        EquityPoint.objects.create(at=NOW + timedelta(minutes=minute), equity=Decimal(minute), balance=Decimal(0))

    assert [int(point.equity) for point in selectors.equity_curve()] == [0, 1, 2, 7]
