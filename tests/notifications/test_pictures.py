"""Pictures and documents: drawn by a process of its own, sent by message, left out where they cannot be had."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from django.conf import LazySettings
from django.core.management import CommandError, call_command
from django.utils import timezone
from PIL import Image

from notifications import rendering
from notifications.adapters import painter
from notifications.adapters.painter import NotDrawn
from notifications.drawing import spec
from notifications.drawing.spec import Chart, Picture, Report
from notifications.models import AlertRule, Attachment, Contact, Delivery, Preference, Role
from notifications.ports import File
from notifications.services import charts, documents, reporting, summaries
from tests import factories
from tests.notifications.conftest import ROLES, Chat, buttons
from tests.telegram.launch import BotApi
from trading import selectors
from trading.models import DayOpening, EquityPoint

pytestmark = pytest.mark.django_db
VIEWER = ROLES[Role.VIEWER]
DAWN = datetime(2026, 3, 9, 0, 6, tzinfo=UTC)
"""A Monday, some minutes after midnight."""


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[Picture]:
    """Draw nothing, and keep what would have been drawn."""
    seen: list[Picture] = []

    def draw(picture: Picture, *, name: str, format: str = "png") -> File:
        seen.append(picture)
        assert spec.read(json.loads(json.dumps(spec.as_json(picture, format=format)))) == (_lists(picture), format)
        return File(name=f"{name}.{format}", media=painter.MEDIA[format], content=b"drawn")

    monkeypatch.setattr(painter, "draw", draw)
    return seen


def _lists(picture: Picture) -> Picture:
    """Return the picture as JSON brings it back: lists in place of tuples."""
    told = spec.as_json(picture, format="png")
    return spec.read(json.loads(json.dumps(told)))[0]


@pytest.fixture
def undrawable(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> File:
        raise NotDrawn("the machine is busy")

    monkeypatch.setattr(painter, "draw", refuse)


def test_a_chart_and_a_report_are_drawn_by_a_process_of_their_own(
    account: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One test starts the process, for each costs seconds: a chart, a document with its tables, and what cannot be drawn."""
    monkeypatch.setattr(painter, "PATIENCE_S", 300)  # of a machine that runs other tests too
    now = timezone.now()
    position = selectors.open_trades()[0]
    chart = charts.chart(position.trade.symbol, "15m", position=position, now=now)
    assert chart is not None

    picture = painter.draw(chart, name="chart")
    report = reporting.report(now.date() - timedelta(days=6), now.date() + timedelta(days=1), title="7 days", now=now)
    document = documents.made(report, "pdf", name="report")

    with Image.open(BytesIO(picture.content)) as image:
        assert (image.format, image.size) == ("PNG", (1200, 750))
        assert len(set(image.convert("RGB").resize((60, 40)).get_flattened_data())) > 20
    assert document.content.startswith(b"%PDF-")
    assert document.content.count(b"/Type /Page\n") + document.content.count(b"/Type /Page ") >= 2
    with pytest.raises(NotDrawn, match="the drawing failed"):
        painter.draw(Chart(title="x", note="x", bars=[]), name="empty")


@pytest.mark.usefixtures("account")
def test_the_chart_shows_entry_stop_and_the_targets_that_are_left(
    chat: Chat, api: BotApi, drawn: list[Picture]
) -> None:
    position = selectors.open_trades()[0]
    trade, name = position.trade, position.trade.symbol.partition("/")[0]

    chat.message(f"/chart 1h {name.lower()}", VIEWER)

    chart, sent = drawn[0], api.sent()[0]
    assert isinstance(chart, Chart)
    levels = {level.text: level.price for level in chart.levels}
    assert levels["entry"] == float(trade.entry_price)
    assert levels["stop"] == trade.stop
    assert {text for text in levels if text.startswith("target")} == {
        f"target {n}" for n in (1, 2, 3) if n > trade.targets_hit
    }
    assert levels["now"] == position.mark.price  # type: ignore[union-attr]
    assert (chart.title, len(chart.bars) > 90) == (f"{trade.symbol}, 1h", True)
    assert chart.note.startswith("PAPER · ")
    assert (sent["method"], sent["photo"]["media"]) == ("sendPhoto", "image/png")
    assert sent["caption"].startswith(f"PAPER · <b>{trade.symbol}, 1h</b>\n{trade.pk}: ")


@pytest.mark.usefixtures("account", "drawn")
def test_another_timeframe_is_a_button_that_sends_another_picture(chat: Chat, api: BotApi) -> None:
    chat.message("/chart BTC", VIEWER)
    first = api.sent()[0]

    chat.press(buttons(first)["4h"], VIEWER, first["message_id"])

    assert [each["method"] for each in api.sent()] == ["sendPhoto", "sendPhoto"]
    assert "BTC/USDT, 4h" in api.texts()[1]


@pytest.mark.usefixtures("account", "undrawable")
def test_without_a_picture_the_words_come_alone(chat: Chat, api: BotApi) -> None:
    chat.message("/chart", VIEWER)
    chat.message("/report", VIEWER)

    assert [each["method"] for each in api.sent()] == ["sendMessage", "sendMessage"]
    assert all("There is no picture: the machine is busy." in text for text in api.texts())
    assert "at risk" in api.texts()[0]


@pytest.mark.usefixtures("account", "drawn")
@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("/chart DOGE", "DOGE is neither watched nor a timeframe"),
        ("/chart BTC 7m", "name one symbol and one timeframe"),
        ("/chart BTC 1h 4h", "name one symbol and one timeframe"),
        ("/report 0", "give a whole number from 1 to 366"),
        ("/report docx", "give a whole number"),
    ],
)
def test_what_cannot_be_drawn_is_told_in_words(chat: Chat, api: BotApi, text: str, words: str) -> None:
    chat.message(text, VIEWER)

    assert words.lower() in rendering.plain(api.texts()[0]).lower()


@pytest.mark.usefixtures("account", "drawn")
@pytest.mark.parametrize(
    ("text", "method", "media"),
    [
        ("/report", "sendDocument", "application/pdf"),
        ("/report 3 html", "sendDocument", "text/html"),
        ("/report png 1", "sendPhoto", "image/png"),
    ],
)
def test_a_report_comes_as_it_is_asked_for(chat: Chat, api: BotApi, text: str, method: str, media: str) -> None:
    chat.message(text, VIEWER)

    sent = api.sent()[0]
    assert (sent["method"], sent[method.removeprefix("send").lower()]["media"]) == (method, media)


@pytest.mark.usefixtures("drawn")
def test_a_page_needs_nothing_besides_itself_and_runs_nothing(account: None) -> None:
    now = timezone.now()
    factories.closed_trade(
        now - timedelta(hours=1), exit="66000", symbol="BTC/USDT", exit_reason="<script>alert(1)</script>"
    )

    page = documents.of_days(7, "html", now=now).content.decode()

    assert "<script" not in page
    assert "&lt;script&gt;" in page
    assert "http" not in page.replace("http-equiv", "")
    assert "data:image/png;base64," in page
    assert "Closed trades" in page


@pytest.mark.usefixtures("account", "drawn")
def test_a_report_is_written_to_a_file(tmp_path: Path) -> None:
    target = tmp_path / "week.html"

    call_command("report", days=3, format="html", out=target)

    assert target.read_text().startswith("<!doctype html>")
    with pytest.raises(CommandError, match="--days 0 is not from 1 to 366"):
        call_command("report", days=0)


def test_figures_of_a_report_are_those_of_the_rows(account: None) -> None:
    now = timezone.now()
    first, until = now.date() - timedelta(days=29), now.date() + timedelta(days=1)
    made = selectors.summary(
        selectors.closed(since=datetime.combine(first, datetime.min.time(), tzinfo=UTC), until=None)
    )
    assert made is not None

    report = reporting.report(first, until, title="x", now=now)

    figures = {figure.label: figure.value for figure in report.figures}
    assert figures["PnL after fees"] == f"{made.total.pnl:+,.2f}"
    assert figures["Trades closed"] == f"{made.total.trades}"
    assert sum(pnl for _, pnl in report.trades) == pytest.approx(float(made.total.pnl))
    assert sum(row[1] for row in report.hours) == pytest.approx(float(made.total.pnl))
    assert [name for name, _ in report.advice][-1] == "Setups / taken"


@pytest.mark.parametrize(
    ("worth", "fall"), [([], 0.0), ([100.0], 0.0), ([100, 80, 90, 120, 108], 0.2), ([0, 0, 5], 0.0), ([1, 2, 3], 0.0)]
)
def test_the_deepest_fall_is_from_the_peak_before_it(worth: list[float], fall: float) -> None:
    assert reporting.deepest([[at, value] for at, value in enumerate(worth)]) == pytest.approx(fall)


def night(people: dict[Role, Contact]) -> None:
    factories.bot(DAWN)
    for days in (1, 7):
        DayOpening.objects.create(date=DAWN.date() - timedelta(days=days), equity=10_000)


def test_the_summaries_carry_a_picture_each_once_to_everybody(
    api: BotApi, people: dict[Role, Contact], drawn: list[Picture]
) -> None:
    night(people)

    for second in range(0, 40, 10):
        summaries.send_due(now=DAWN + timedelta(seconds=second))

    keys = set(Delivery.objects.filter(kind="summary").values_list("key", flat=True))
    assert keys == {"daily:2026-03-08", "weekly:2026-03-02"}
    assert Delivery.objects.filter(kind="summary", attachment__isnull=False).count() == 2 * len(ROLES)
    assert (Attachment.objects.count(), len(drawn)) == (2, 2)
    assert all(isinstance(picture, Report) for picture in drawn)


@pytest.mark.usefixtures("undrawable")
def test_a_summary_waits_for_its_picture_and_at_last_goes_without(api: BotApi, people: dict[Role, Contact]) -> None:
    night(people)

    summaries.send_due(now=DAWN)
    assert Delivery.objects.filter(kind="summary").count() == 0
    summaries.send_due(now=DAWN + summaries.PATIENCE)

    assert Delivery.objects.filter(kind="summary", attachment__isnull=True).count() == 2 * len(ROLES)


def test_nothing_is_drawn_for_nobody(api: BotApi, people: dict[Role, Contact], drawn: list[Picture]) -> None:
    night(people)
    Contact.objects.update(receives=False)

    summaries.send_due(now=DAWN)

    assert drawn == []


def test_the_summary_of_some_hours_comes_as_often_as_it_is_wanted(
    api: BotApi, people: dict[Role, Contact], settings: LazySettings
) -> None:
    factories.bot(DAWN)
    AlertRule.objects.create(kind="interval", threshold=2)
    Preference.objects.create(contact=people[Role.VIEWER], kind="interval", voice="off")
    noon = DAWN.replace(hour=12, minute=0)
    for hours in (1, -1, -3):
        EquityPoint.objects.create(at=noon - timedelta(hours=hours), equity=10_000, balance=10_000)

    for minutes in range(0, 300, 5):
        summaries.send_due(now=noon + timedelta(minutes=minutes))

    rows = Delivery.objects.filter(kind="interval")
    assert sorted(set(rows.values_list("key", flat=True))) == [
        f"interval:2026-03-09T{hour}:00" for hour in (12, 14, 16)
    ]
    assert rows.count() == 3 * 2
    assert all(row.is_silent for row in rows)
    assert "The last 2 h 0 min" in rows[0].text


def test_no_summary_of_some_hours_where_it_is_switched_off(api: BotApi, people: dict[Role, Contact]) -> None:
    factories.bot(DAWN)
    AlertRule.objects.create(kind="interval", is_on=False)

    summaries.send_due(now=DAWN.replace(hour=12, minute=0))

    assert not Delivery.objects.exists()
