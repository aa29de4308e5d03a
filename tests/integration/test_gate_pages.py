"""The gate's pages and its command: who sees what, who may overrule, and what is said."""

from __future__ import annotations

from io import StringIO
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse

from tests.drafts import NOW, compare, draft_of, in_force
from trading.models import DraftStatus, Gate, ParameterDraft, ParameterRevision
from trading.services import parameters

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _first() -> None:
    parameters.current(now=NOW)


@pytest.fixture
def operator(client: Client) -> User:
    user = User.objects.create_superuser("operator", password="long enough password")
    client.force_login(user)
    return user


def test_the_page_shows_both_sides_and_overrules(client: Client, operator: User) -> None:
    draft = draft_of({"fast_sma": 10})
    compare(profit_factor=1.01)
    page = reverse("admin:trading_parameterdraft_change", args=[draft.pk])
    act = reverse("admin:trading_parameterdraft_act", args=[draft.pk, "overrule"])

    shown = client.get(page).content.decode()
    refused = client.post(act, {"reason": ""}, follow=True).content.decode()
    client.post(act, {"reason": "I know better"})

    assert "profit factor is 1.01, that in force has 1.50" in shown
    assert "Overrule the gate" in shown
    assert "Say why the gate is overruled" in refused
    assert (in_force().gate, in_force().author) == (Gate.OVERRULED, operator)
    after = client.get(reverse("admin:trading_parameterrevision_change", args=[in_force().pk])).content.decode()
    assert "Compared on 5000 bars" in after
    assert "Overrule the gate" not in client.get(page).content.decode()


def test_overruling_needs_a_permission_of_its_own(client: Client) -> None:
    editor = User.objects.create_user("editor", password="long enough password", is_staff=True)
    for codename in ("view_parameterdraft", "view_parameterrevision", "add_parameterrevision"):
        editor.user_permissions.add(Permission.objects.get(codename=codename))
    client.force_login(editor)
    draft = draft_of({"fast_sma": 10})
    page = client.get(reverse("admin:trading_parameterdraft_change", args=[draft.pk])).content.decode()

    for act, answer in (("overrule", 403), ("nonsense", 403), ("discard", 302)):
        url = reverse("admin:trading_parameterdraft_act", args=[draft.pk, act])
        assert client.post(url, {"reason": "x"}).status_code == answer

    assert "Overrule the gate" not in page
    assert in_force().number == 1
    draft.refresh_from_db()
    assert draft.status == DraftStatus.DISCARDED


def test_one_click_rolls_back(client: Client, operator: User) -> None:
    parameters.revise(values={"fast_sma": 10}, reason="x", author=None, expected_number=1, now=NOW)
    first = ParameterRevision.objects.get(number=1)
    page = reverse("admin:trading_parameterrevision_change", args=[first.pk])

    assert "Roll back to revision 1" in client.get(page).content.decode()
    client.post(reverse("admin:trading_parameterrevision_act", args=[first.pk, "roll-back"]))

    made = in_force()
    assert (made.number, made.gate, made.author) == (3, Gate.ROLLED_BACK, operator)
    assert parameters.params_of(made).fast_sma == 15


def test_the_command_proposes_compares_puts_in_force_and_rolls_back(settings: Any) -> None:
    settings.GATE_BARS = 500  # too few trades to judge by

    def params(*words: str) -> str:
        out = StringIO()
        call_command("params", *words, stdout=out)
        return out.getvalue()

    why = ["--reason", "calmer", "--by", "ann"]
    assert "fast_sma = 15" in params("show")
    assert params("show", "kelly") == "kelly = true\n"
    assert "possible" in params("validate", "fast_sma", "10", "pairs", "BTC/USDT,ETH/USDT")
    assert "it only lowers the risk" in params("set", "risk_fraction", "0.01", *why)
    assert "is being compared with revision 2" in params("set", "pairs", "BTC/USDT,ETH/USDT", "fast_sma", "10", *why)
    draft = ParameterDraft.objects.get()
    assert f"draft {draft.pk} by ann" in params("show")
    with pytest.raises(CommandError, match="is held back") as caught:
        params("compare", str(draft.pk))
    assert caught.value.returncode == 1
    assert "the gate was overruled" in params("activate", str(draft.pk), *why)
    assert parameters.params_of(in_force()).pairs == ("BTC/USDT", "ETH/USDT")
    assert "closed_trades" in params("compare", str(draft.pk))
    assert "with the values of 1" in params("rollback", "1", *why)
    params("set", "fast_sma", "11", *why)
    assert "was discarded" in params("discard", str(ParameterDraft.objects.latest("pk").pk))


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["validate", "fast_sma", "60"], "must be shorter than slow_sma"),
        (["set", "colour", "red", "--reason", "x"], "unknown parameter"),
        (["set", "fast_sma", "--reason", "x"], "in pairs"),
        (["show", "colour"], "colour is no parameter"),
        (["compare", "77"], "there is no draft 77"),
        (["activate", "77", "--reason", "x"], "there is no draft 77"),
        (["rollback", "77", "--reason", "x"], "there is no revision 77"),
    ],
)
def test_a_mistake_of_the_command_is_one_line(words: list[str], said: str) -> None:
    with pytest.raises(CommandError, match=said) as caught:
        call_command("params", *words)

    assert caught.value.returncode == 2
    assert ParameterRevision.objects.count() == 1
