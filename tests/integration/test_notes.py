"""Notes and tags on trades: kept for good, found again, refused in words, and only from those who may."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from django.contrib.auth.models import Permission
from django.db import DatabaseError, transaction
from django.test import Client

from tests import factories
from trading.models import Trade, TradeNote, TradeTag
from trading.services import notes
from trading.services.notes import NoteRefused

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 3, 10, tzinfo=UTC)
JSON = "application/json"


@pytest.fixture
def trade() -> Trade:
    return factories.closed_trade(NOW, exit="68000")


@pytest.fixture
def writer(client: Client) -> Client:
    user = factories.user("will", is_staff=False)
    user.user_permissions.add(Permission.objects.get(codename="add_tradenote"))
    client.force_login(user)
    return client


@pytest.fixture
def viewer() -> Client:
    browser = Client()
    browser.force_login(factories.user("vera", is_staff=False))
    return browser


def test_a_note_is_kept_with_its_author_and_cannot_be_changed(trade: Trade) -> None:
    note = notes.write(trade, text="  Entered too late.\r\nWait for the close. ", by="will", now=NOW)

    assert (note.text, note.by, note.at) == ("Entered too late.\nWait for the close.", "will", NOW)
    for change in (
        lambda: TradeNote.objects.filter(pk=note.pk).update(text="it was fine"),
        lambda: TradeNote.objects.filter(pk=note.pk).delete(),
    ):
        with pytest.raises(DatabaseError), transaction.atomic():
            change()
    assert TradeNote.objects.get().text.startswith("Entered too late")


@pytest.mark.parametrize(
    ("text", "words"), [("  \n", "is empty"), ("x" * 2001, "at most 2000"), ("a\x00b", "is empty")]
)
def test_a_note_that_says_nothing_or_too_much_is_refused(trade: Trade, text: str, words: str) -> None:
    with pytest.raises(NoteRefused, match=words):
        notes.write(trade, text=text, by="will", now=NOW)


def test_a_tag_is_put_on_once_and_taken_off(trade: Trade) -> None:
    first = notes.tag(trade, name="Late  Entry", by="will", now=NOW)
    again = notes.tag(trade, name="late-entry", by="ann", now=NOW)

    assert (first.name, again.pk, again.by) == ("late-entry", first.pk, "will")
    assert notes.untag(trade, name="late-entry", now=NOW)
    assert not notes.untag(trade, name="late-entry", now=NOW)
    assert not TradeTag.objects.exists()


@pytest.mark.parametrize("name", ["", "-", "späte", "a_b", "x" * 31, "<b>", "a-", "a/b"])
def test_what_is_no_tag_is_refused(trade: Trade, name: str) -> None:
    with pytest.raises(NoteRefused, match="is no tag"):
        notes.tag(trade, name=name, by="will", now=NOW)


def test_a_trade_has_room_for_twelve_tags(trade: Trade) -> None:
    for number in range(12):
        notes.tag(trade, name=f"tag-{number}", by="will", now=NOW)

    with pytest.raises(NoteRefused, match="12 tags already"):
        notes.tag(trade, name="tag-12", by="will", now=NOW)
    assert notes.tag(trade, name="tag-3", by="ann", now=NOW).by == "will"


def test_the_page_shows_and_takes_notes_and_tags(writer: Client, trade: Trade) -> None:
    path = f"/trades/{trade.pk}/notes/"
    writer.post(path, {"text": "Stopped by <noise>"})
    writer.post(path, {"tag": "noise"})
    page = writer.get(f"/trades/{trade.pk}/").content.decode()

    assert "Stopped by &lt;noise&gt;" in page
    assert '<a href="/trades/?tag=noise"' in page
    refused = writer.post(path, {"tag": "!"}, follow=True).content.decode()
    assert "Nothing was kept: the name &#x27;!&#x27; is no tag" in refused
    writer.post(path, {"untag": "noise"})
    assert not TradeTag.objects.exists()
    assert writer.post("/trades/999/notes/", {"text": "x"}).status_code == 404


def test_trades_are_found_by_their_tag(writer: Client, trade: Trade) -> None:
    factories.closed_trade(NOW, exit="66000", symbol="ETH/USDT")
    notes.tag(trade, name="news", by="will", now=NOW)

    (row,) = writer.get("/api/v1/trades", {"tag": "news"}).json()["results"]
    assert (row["id"], row["tags"]) == (trade.pk, ["news"])
    assert writer.get("/api/v1/trades", {"tag": "new"}).json()["results"] == []
    page = writer.get("/trades/?tag=news").content.decode()
    assert "BTC/USDT" in page.split("<tbody>")[1]
    assert "ETH/USDT" not in page.split("<tbody>")[1].split("</tbody>")[0]


def test_the_api_adds_reads_and_takes_off(writer: Client, trade: Trade) -> None:
    base = f"/api/v1/trades/{trade.pk}"
    assert writer.post(f"{base}/notes", {"text": "first"}, content_type=JSON).status_code == 201
    assert writer.post(f"{base}/tags", {"name": "news"}, content_type=JSON).json()["name"] == "news"

    assert [note["text"] for note in writer.get(f"{base}/notes").json()["results"]] == ["first"]
    assert [tag["by"] for tag in writer.get(f"{base}/tags").json()["results"]] == ["will"]
    for path, body, field in (("notes", {"text": " "}, "text"), ("notes", {"text": 7}, "text"), ("tags", {}, "name")):
        answer = writer.post(f"{base}/{path}", body, content_type=JSON)
        assert (answer.status_code, answer.json()["field"]) == (422, field)
    assert writer.delete(f"{base}/tags/news").status_code == 204
    assert writer.delete(f"{base}/tags/news").status_code == 404
    assert writer.get("/api/v1/trades/999/notes").status_code == 404


def test_who_may_only_look_reads_and_writes_nothing(viewer: Client, trade: Trade) -> None:
    notes.tag(trade, name="news", by="will", now=NOW)
    base = f"/api/v1/trades/{trade.pk}"

    assert viewer.get(f"{base}/tags").status_code == 200
    assert "Keep the note" not in viewer.get(f"/trades/{trade.pk}/").content.decode()
    assert viewer.post(f"/trades/{trade.pk}/notes/", {"text": "x"}).status_code == 403
    for path in ("notes", "tags"):
        assert viewer.post(f"{base}/{path}", {"text": "x", "name": "x"}, content_type=JSON).status_code == 403
    assert viewer.delete(f"{base}/tags/news").status_code == 403
    assert (TradeNote.objects.count(), TradeTag.objects.count()) == (0, 1)
