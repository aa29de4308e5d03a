"""The report of the last days as a file, from the page that shows what was earned."""

from __future__ import annotations

import re

import pytest
from django.test import Client
from django.utils import timezone

from notifications.adapters import painter
from notifications.drawing.spec import Picture
from notifications.ports import File
from tests import factories

pytestmark = pytest.mark.django_db


@pytest.fixture
def viewer(client: Client) -> Client:
    factories.overview(timezone.now())
    client.force_login(factories.user("viewer", is_staff=False))
    return client


def drawn(picture: Picture, *, name: str, format: str = "png") -> File:
    """Stand in for the process that draws, which tests of pictures start."""
    return File(name=f"{name}.{format}", media=painter.MEDIA[format], content=picture.title.encode())


@pytest.mark.parametrize(("format", "media"), [("pdf", "application/pdf"), ("html", "text/html"), ("png", "image/png")])
def test_every_choice_of_the_page_is_a_file(
    viewer: Client, monkeypatch: pytest.MonkeyPatch, format: str, media: str
) -> None:
    monkeypatch.setattr(painter, "draw", drawn)
    page = viewer.get("/performance/").content.decode()
    form = page[page.index('action="/performance/report/"') :]
    days = re.findall(r'<option value="(\d+)"', form[: form.index("</select>")])
    assert days == ["1", "7", "30", "90", "365"]
    assert f'<option value="{format}">' in form

    for count in days:
        answer = viewer.get("/performance/report/", {"days": count, "format": format})

        assert (answer.status_code, answer.headers["Content-Type"]) == (200, media)
        assert re.fullmatch(
            rf'attachment; filename="julaba-paper-[\d-]+-to-[\d-]+\.{format}"', answer.headers["Content-Disposition"]
        )
        assert (b"Today" if count == "1" else f"{count} days".encode()) in answer.content


@pytest.mark.parametrize("asked", [{"days": "0"}, {"days": "100000"}, {"days": "x"}, {"format": "exe"}])
def test_nothing_else_is(viewer: Client, asked: dict[str, str]) -> None:
    assert viewer.get("/performance/report/", asked).status_code == 404


def test_what_cannot_be_drawn_is_told_on_the_page(viewer: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def busy(picture: Picture, **asked: str) -> File:
        raise painter.NotDrawn("others are being drawn: ask again in a minute")

    monkeypatch.setattr(painter, "draw", busy)

    answer = viewer.get("/performance/report/", follow=True)

    assert answer.redirect_chain == [("/performance/", 302)]
    assert "There is no report: others are being drawn: ask again in a minute." in answer.content.decode()


def test_a_stranger_gets_none(client: Client) -> None:
    assert client.get("/performance/report/").headers["Location"].startswith("/login/")
