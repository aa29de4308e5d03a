"""Who may what: made from the addresses themselves and walked by everybody, from strangers to the token of an admin."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver
from django.utils import timezone

from dashboard import limits, tokens
from dashboard.api.base import ApiView
from dashboard.models import Scope
from tests import factories
from trading.models import AuditEntry

pytestmark = pytest.mark.django_db

ROLES = ("viewer", "trader", "risk", "admin")
OPEN = {
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
"""What answers strangers: the log-in, and what has a lock of its own or tells nothing."""
UNSAFE = ("post", "put", "patch", "delete")
HARMLESS = {"api-explain", "api-chat", "api-answer", "api-pair-candles"}
"""Questions in words, and which columns of candles are wanted: asked by POST since they are long; nothing else is changed."""


def patterns(entries: list[Any], prefix: str = "") -> Iterator[tuple[str, URLPattern]]:
    """Yield every address of the URLconf with a 1 for each parameter, and its pattern."""
    for entry in entries:
        path = prefix + re.sub(r"[\^$]|\\Z", "", str(entry.pattern))
        if isinstance(entry, URLResolver):
            yield from patterns(entry.url_patterns, path)
        else:
            yield re.sub(r"\(\?P<\w+>.*?\)|<.*?>", "1", path), entry


def api() -> list[tuple[str, str, type[ApiView]]]:
    """Return path, name and view of everything below /api/v1/."""
    found = [
        (
            f"/{path}",
            str(entry.name),
            getattr(entry.callback, "view_class", None) or getattr(entry.callback, "cls", None),
        )
        for path, entry in patterns(get_resolver().url_patterns)
        if path.startswith("api/v1/")
    ]
    assert len(found) > 20
    return found  # type: ignore[return-value]


def methods_of(view: type[ApiView]) -> list[str]:
    return [method for method in ("get", *UNSAFE) if hasattr(view, method) and method in view.http_method_names]


def person(role: str) -> User:
    made = factories.user(role or "nobody", is_staff=False)
    if role:
        made.groups.add(Group.objects.get(name=role))
    return made


def test_every_address_is_behind_the_log_in_unless_it_is_listed(client: Client) -> None:
    answers = {path: client.get(f"/{path}") for path, _ in patterns(get_resolver().url_patterns)}

    is_open = {
        path.rstrip("/") if path.rstrip("/") in OPEN else path
        for path, answer in answers.items()
        if "/login/?next=" not in answer.headers.get("Location", "") and answer.status_code not in (401, 403)
    }
    assert is_open <= OPEN
    assert {"login/", "favicon.ico", "admin/login/"} <= is_open


def test_whatever_changes_something_says_what_it_needs() -> None:
    silent = [
        f"{method} {path}"
        for path, name, view in api()
        for method in methods_of(view)
        if method in UNSAFE and name not in HARMLESS and not view.needs
    ]

    assert silent == []
    assert all(issubclass(view, ApiView) for _, _, view in api())


def test_every_permission_that_is_needed_is_given_to_the_admins_and_none_to_the_viewers() -> None:
    needed = {permission for _, _, view in api() for permission in (view.needs, view.reads) if permission}
    admin, viewer = person("admin"), person("viewer")

    assert needed
    assert {permission for permission in needed if not admin.has_perm(permission)} == set()
    assert {permission for permission in needed if viewer.has_perm(permission)} == set()


def test_each_role_may_what_the_one_before_it_may() -> None:
    granted = [person(role).get_all_permissions() for role in ROLES]

    for less, more in pairwise(granted):
        assert less < more
    assert granted[0] == set()
    assert "trading.change_trading_state" in granted[1]
    assert "trading.overrule_gate" in granted[2] - granted[1]
    assert "auth.change_user" in granted[3] - granted[2]


@pytest.mark.parametrize(
    ("role", "scope"),
    [*((role, None) for role in ("", *ROLES)), *(("admin", scope) for scope in Scope), ("viewer", Scope.ADMIN)],
)
def test_the_matrix_of_the_api_holds(role: str, scope: Scope | None) -> None:
    """Ask everything without a body: who may not is refused before anything is looked at, who may is told what is wrong."""
    user = person(role)
    client = client_of(user, scope)
    reach = tokens.RANKS.index(scope or Scope.ADMIN)

    for path, _, view in api():
        for method in methods_of(view):
            is_read = method not in UNSAFE
            permission, needed = (view.reads, Scope.READ) if is_read else (view.needs, view.scope)
            may = (not permission or user.has_perm(permission)) and reach >= tokens.RANKS.index(needed)
            answer = getattr(client, method)(path, content_type="application/json")
            if answer.status_code == 403 and may:
                # Only what is dangerous asks for more than the view says, and only of a token.
                assert "may admin" in answer.json()["detail"], (method, path)
                continue
            assert (answer.status_code not in (401, 403)) is may, (method, path, answer.content[:200])


def test_strangers_are_refused_everywhere_in_the_api() -> None:
    stranger = Client()

    refused = {
        getattr(stranger, method)(path).status_code
        for path, name, view in api()
        for method in methods_of(view)
        if name != "api-ping"
    }

    assert refused == {401}
    assert stranger.get("/api/v1/ping").json() == {"status": "pong"}


def client_of(user: User, scope: Scope | None) -> Client:
    """Return a client with a token of a scope, or with a session where there is none."""
    client = Client(raise_request_exception=False)
    if scope is None:
        client.force_login(user)
        return client
    limits.forget()
    _, value = tokens.issue(user=user, name=scope, scope=scope, days=1, now=timezone.now(), per_minute=6000)
    return Client(headers={"Authorization": f"Bearer {value}"}, raise_request_exception=False)


@pytest.mark.parametrize(("role", "status"), [("viewer", 403), ("trader", 403), ("risk", 200), ("admin", 200)])
def test_the_audit_is_for_those_who_watch_the_risk(role: str, status: int) -> None:
    client = Client()
    client.force_login(person(role))

    assert client.get("/audit/").status_code == status
    assert client.get("/api/v1/audit").status_code == status
    assert ("/audit/" in client.get("/risk/").content.decode()) is (status == 200)
    if status == 403:
        denied = AuditEntry.objects.filter(act="denied").order_by("number")
        assert [entry.about for entry in denied] == ["GET /audit/", "GET /api/v1/audit"]


def test_a_thousand_refusals_write_no_thousand_rows() -> None:
    client = Client()
    client.force_login(person("viewer"))
    limits.forget()

    for _ in range(30):
        client.get("/api/v1/audit")

    # Two minutes at most may have been begun.
    assert 1 <= AuditEntry.objects.filter(act="denied").count() <= 40


def test_no_get_changes_a_row_of_access_or_audit() -> None:
    """What reads may write is when something was used, and nothing else."""
    client = Client(raise_request_exception=False)
    client.force_login(person("admin"))
    before = list(AuditEntry.objects.values())

    for path, _ in patterns(get_resolver().url_patterns):
        if not path.startswith(("admin/", "telegram/")):
            client.get(f"/{path}")

    assert list(AuditEntry.objects.exclude(act="denied").values()) == before


@pytest.mark.parametrize(
    "path", ["/account/tokens/", "/account/codes/", "/account/sessions/end-others/", "/trading-state/"]
)
def test_forms_without_their_token_are_refused(path: str) -> None:
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(person("admin"))

    answer = strict.post(path, {"name": "x", "scope": "read", "days": "1"})

    assert answer.status_code == 403
    assert "The page is out of date" in answer.content.decode()
