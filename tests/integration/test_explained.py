"""Every panel of every page can be explained: by a button of its own, or by the one beside the page's title."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from mlops.panels import GUIDES, NAMES
from tests import factories, page_factories, pair_factories, rich_factories
from tests.e2e.screenshots import COMPARED, INSIDE, PAGES
from tests.mlops import report_rows
from trading.models import BacktestRun, ParameterDraft

pytestmark = pytest.mark.django_db

FORM_ALONE = {"/password/"}
"""Pages that show nothing to be explained."""
OWN = {
    COMPARED: {"compare", "curves"},
    "/backtests/1/": {"run", "curve", "drawdown", "months", "asked", "tested", "stopped"},
    "/parameters/drafts/1/": {"draft", "comparison"},
    "/alerts/": {"alerts"},
    "/audit/": {"audit"},
    "/logs/": {"log"},
    "/users/": {"users"},
    "/account/": {"security", "sessions", "tokens"},
    "/setup/": {"setup"},
}
SHORTEST = 200


@pytest.fixture
def operator(client: Client, settings: Settings, tmp_path: Path) -> Client:
    settings.LOG_DIR = str(tmp_path)  # a log of its own, which the next test does not find
    now = timezone.now()
    client.force_login(factories.user())
    page_factories.fill(now)
    pair_factories.fill(now)
    report_rows.fill(now)
    rich_factories.fill(now)
    return client


def addresses(client: Client) -> list[str]:
    """Return every page, those that only a row leads to included."""
    found = [*PAGES.values(), numbered(COMPARED)]
    for path in INSIDE.values():
        found += re.findall(r'<tr[^>]* data-href="([^"]+)"', client.get(path).content.decode())[:1]
    return found


def numbered(path: str) -> str:
    """Return an address with the keys that rows have here: PostgreSQL goes on counting from test to test."""
    model = ParameterDraft if "drafts" in path else BacktestRun
    before = model.objects.order_by("pk").values_list("pk", flat=True)[0] - 1
    return re.sub(r"\d+", lambda key: str(int(key.group()) + before), path)


def unexplained(page: str) -> Sequence[str]:
    """Return the titles of panels without a button, where the page's title has none either."""
    head = re.search(r'<header class="page-head">.*?</header>', page, re.DOTALL)
    if head and "data-explain" in head.group():
        return []
    cards = re.findall(r'<section class="card[^>]*>.*?</section>', page, re.DOTALL)
    bare = [card for card in cards if "data-explain" not in card]
    return [re.sub(r"<[^>]+>", "", each)[:60].strip() for each in bare] or ([] if cards else ["the page"])


def names(page: str) -> list[str]:
    return re.findall(r'data-explain="([^"]+)"', page)


def test_every_panel_of_every_page_is_explained(operator: Client) -> None:
    bare = {}
    for path in addresses(operator):
        answer = operator.get(path)
        assert answer.status_code == 200, path
        if path not in FORM_ALONE and (found := unexplained(answer.content.decode())):
            bare[path] = found

    assert bare == {}


def test_every_button_names_one_panel_and_none_stands_twice_on_a_page(operator: Client) -> None:
    seen = set()
    for path in addresses(operator):
        found = names(operator.get(path).content.decode())
        assert len(found) == len(set(found)), path
        seen |= set(found)

    assert seen <= set(NAMES)
    assert set(GUIDES) - seen == set()


@pytest.mark.parametrize("path", OWN)
def test_the_panels_of_a_page_have_explanations_of_their_own(operator: Client, path: str) -> None:
    assert OWN[path] <= set(names(operator.get(numbered(path)).content.decode()))


def test_a_guide_is_a_paragraph_and_is_answered_at_once(operator: Client) -> None:
    for name, guide in GUIDES.items():
        assert len(" ".join(guide.says)) > SHORTEST, name

    told = operator.post("/explain/audit/").json()
    assert (told["is_waiting"], told["answer"]) == (False, GUIDES["audit"].says[0])
