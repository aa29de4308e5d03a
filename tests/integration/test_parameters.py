"""Parameters change by new revisions alone: through the service, the admin, and never behind the database's back."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.db import DatabaseError, connection, transaction
from django.test import Client
from django.urls import reverse
from django.utils.html import escape

from trading.core.param_spec import ParamsError
from trading.core.params import SPECS, Params
from trading.models import Event, Fill, LedgerEntry, OrderEvent, ParameterDraft, ParameterRevision, SignalVerdict
from trading.services import parameters

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 3, 1, tzinfo=UTC)
ADD = "admin:trading_parameterrevision_add"
LIST = "admin:trading_parameterrevision_changelist"


def revise(values: dict[str, Any], expected: int = 1, author: User | None = None) -> ParameterRevision:
    return parameters.revise(values=values, reason="because", author=author, expected_number=expected, now=NOW)


def form_of(revision: ParameterRevision, **changes: Any) -> dict[str, Any]:
    """Return what a browser would post for a revision, with some fields changed."""
    values = {**parameters.params_of(revision).as_json(), **changes}
    posted = {name: ", ".join(v) if isinstance(v, list) else v for name, v in values.items() if v is not False}
    return {"expected_number": revision.number, "reason": "a calmer market", **posted}


@pytest.fixture
def operator(client: Client) -> User:
    user = User.objects.create_superuser("operator", password="long enough password")
    client.force_login(user)
    return user


def test_the_first_look_writes_the_defaults() -> None:
    revision = parameters.current(now=NOW)

    assert (revision.number, revision.author_name) == (1, "julaba")
    assert parameters.params_of(revision) == Params()
    assert parameters.current(now=NOW).pk == revision.pk


def test_a_change_is_a_new_revision_with_old_and_new() -> None:
    first = parameters.current(now=NOW)

    second = revise({"stop_atr": 3, "kelly": False})

    assert second.number == 2
    assert second.changes == [
        {"name": "kelly", "old": True, "new": False},
        {"name": "stop_atr", "old": 2.0, "new": 3.0},
    ]
    assert parameters.params_of(second).stop_atr == 3.0
    assert parameters.params_of(ParameterRevision.objects.get(pk=first.pk)).stop_atr == 2.0


def test_what_changes_nothing_makes_no_revision() -> None:
    parameters.current(now=NOW)

    assert revise({"stop_atr": 2.0}).number == 1
    assert ParameterRevision.objects.count() == 1


@pytest.mark.parametrize(
    ("_case", "values", "name"),
    [
        ("unknown", {"colour": 1}, "colour"),
        ("out of range", {"risk_fraction": 0.5}, "risk_fraction"),
        ("contradiction", {"fast_sma": 50}, "fast_sma"),
        ("not a number", {"stop_atr": float("nan")}, "stop_atr"),
    ],
)
def test_an_impossible_set_is_refused_by_name(_case: str, values: dict[str, Any], name: str) -> None:
    parameters.current(now=NOW)

    with pytest.raises(ParamsError) as caught:
        revise(values)

    assert list(caught.value.problems) == [name]
    assert ParameterRevision.objects.count() == 1


def test_of_two_who_edit_the_same_revision_the_second_is_told() -> None:
    parameters.current(now=NOW)
    revise({"stop_atr": 3})

    with pytest.raises(parameters.RevisionConflict, match="revision 2 came after revision 1"):
        revise({"stop_atr": 4})

    assert ParameterRevision.objects.count() == 2


@pytest.mark.parametrize("model", [ParameterRevision, OrderEvent, Fill, LedgerEntry, Event, SignalVerdict])
def test_the_database_itself_guards_history(model: Any) -> None:
    with connection.cursor() as cursor:
        names = _triggers(cursor, model._meta.db_table)

    assert {f"{model._meta.db_table}_no_update", f"{model._meta.db_table}_no_delete"} <= names


def test_queryset_update_and_delete_of_a_revision_are_refused() -> None:
    revision = parameters.current(now=NOW)

    for act in (
        lambda: ParameterRevision.objects.update(reason="nothing happened"),
        lambda: ParameterRevision.objects.all()._raw_delete("default"),
        lambda: revision.delete(),
    ):
        with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
            act()

    assert ParameterRevision.objects.get().reason == "Defaults"


def test_the_form_shows_every_parameter_with_its_range_and_help(client: Client, operator: User) -> None:
    parameters.current(now=NOW)

    page = client.get(reverse(ADD)).content.decode()

    for name, spec in SPECS.items():
        assert f'name="{name}"' in page
        assert escape(spec.help) in page
    assert "0.001 to 0.1" in page


def test_saving_the_form_makes_a_draft_by_that_person(client: Client, operator: User) -> None:
    first = parameters.current(now=NOW)

    response = client.post(reverse(ADD), form_of(first, stop_atr=2.5, pairs=["BTC/USDT", "ETH/USDT"], trailing=False))

    draft = ParameterDraft.objects.get()
    assert response.headers["Location"] == reverse("admin:trading_parameterdraft_change", args=[draft.pk])
    assert (draft.author, draft.reason) == (operator, "a calmer market")
    assert {change["name"] for change in draft.changes} == {"stop_atr", "pairs", "trailing"}
    assert parameters.current(now=NOW) == first
    page = client.get(response.headers["Location"]).content.decode()
    assert "stop_atr: 2.0 → 2.5" in page
    assert "operator" in page


def test_saving_less_risk_makes_a_revision_at_once(client: Client, operator: User) -> None:
    first = parameters.current(now=NOW)

    response = client.post(reverse(ADD), form_of(first, risk_fraction=0.01))

    assert response.headers["Location"] == reverse(LIST)
    revision = parameters.current(now=NOW)
    assert (revision.number, revision.author, revision.reason) == (2, operator, "a calmer market")
    history = client.get(reverse(LIST)).content.decode()
    assert "risk_fraction: 0.02 → 0.01" in history
    assert "only lowers risk" in history


@pytest.mark.parametrize(
    ("_case", "changes", "words"),
    [
        ("out of range", {"risk_fraction": 0.9}, "less than or equal to 0.1"),
        ("contradiction", {"fast_sma": 100}, "must be shorter than slow_sma"),
        ("no reason", {"reason": ""}, "This field is required"),
        ("not a symbol", {"pairs": ["bitcoin"]}, "is not a symbol"),
        ("nothing changed", {}, "Nothing was changed"),
        ("edited meanwhile", {"expected_number": 7, "stop_atr": 3}, "revision 1 came after revision 7"),
    ],
)
def test_a_form_that_cannot_be_saved_says_why(
    client: Client, operator: User, _case: str, changes: dict[str, Any], words: str
) -> None:
    first = parameters.current(now=NOW)
    posted = {**form_of(first, **{k: v for k, v in changes.items() if k in SPECS}),
              **{k: v for k, v in changes.items() if k not in SPECS}}  # fmt: skip

    response = client.post(reverse(ADD), posted)

    assert response.status_code == 200
    assert words in response.content.decode()
    assert ParameterRevision.objects.count() == 1


def test_a_revision_can_be_looked_at_and_not_changed(client: Client, operator: User) -> None:
    first = parameters.current(now=NOW)
    change = reverse("admin:trading_parameterrevision_change", args=[first.pk])

    assert client.get(change).status_code == 200
    assert client.post(change, {"reason": "rewritten"}).status_code == 403
    assert client.post(reverse("admin:trading_parameterrevision_delete", args=[first.pk])).status_code == 403
    assert ParameterRevision.objects.get().reason == "Defaults"


def test_staff_without_the_permission_cannot_edit(client: Client) -> None:
    viewer = User.objects.create_user("viewer", password="long enough password", is_staff=True)
    viewer.user_permissions.add(Permission.objects.get(codename="view_parameterrevision"))
    client.force_login(viewer)
    first = parameters.current(now=NOW)

    assert client.get(reverse(LIST)).status_code == 200
    assert client.get(reverse(ADD)).status_code == 403
    assert client.post(reverse(ADD), form_of(first, stop_atr=5)).status_code == 403
    assert ParameterRevision.objects.count() == 1


@pytest.mark.parametrize("model", ["signal", "trade", "order", "event", "ledgerentry", "scan", "bot"])
def test_what_the_engine_writes_is_read_only_in_the_admin(client: Client, operator: User, model: str) -> None:
    assert client.get(reverse(f"admin:trading_{model}_changelist")).status_code == 200
    assert client.get(reverse(f"admin:trading_{model}_add")).status_code == 403


def _triggers(cursor: Any, table: str) -> set[str]:
    if connection.vendor == "sqlite":
        cursor.execute("SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name = %s", [table])
    else:
        cursor.execute("SELECT trigger_name FROM information_schema.triggers WHERE event_object_table = %s", [table])
    return {row[0] for row in cursor.fetchall()}
