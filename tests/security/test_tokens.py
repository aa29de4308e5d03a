"""Tokens of the API: shown once, kept as a hash, bound to scope, time, account and a limit; and requests that are repeated."""

from __future__ import annotations

import hashlib
import re
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from django.test import Client
from django.utils import timezone

from dashboard import idempotency, limits, tokens
from dashboard.models import ApiToken, KeptAnswer, Quota, Scope
from tests import factories
from trading.models import AuditEntry, Bot, StateChange

pytestmark = pytest.mark.django_db

STATE = "/api/v1/trading-state"


@pytest.fixture(autouse=True)
def _own_limits() -> None:
    limits.forget()


@pytest.fixture
def user() -> User:
    made = factories.user("olga", is_staff=False)
    made.groups.add(Group.objects.get(name="trader"))
    return made


def token_of(user: User, scope: str = "read", **values: Any) -> str:
    return tokens.issue(user=user, name="bot", scope=scope, days=30, now=timezone.now(), **values)[1]


def ask(value: str, method: str = "get", path: str = "/api/v1/version", body: Any = None, **headers: str) -> Any:
    client = Client(headers={"Authorization": f"Bearer {value}", **headers})
    return (
        getattr(client, method)(path, body, content_type="application/json") if body else getattr(client, method)(path)
    )


def test_it_is_made_on_the_page_shown_once_and_kept_as_a_hash(user: User) -> None:
    browser = Client()
    browser.force_login(user)

    page = browser.post("/account/tokens/", {"name": "my script", "scope": "trade", "days": "30"}).content.decode()

    value = re.search(r"jlb_[\w-]{43}", page)
    assert value is not None
    kept = ApiToken.objects.get()
    assert (kept.scope, kept.prefix, kept.digest) == (
        "trade",
        value[0][:10],
        hashlib.sha256(value[0].encode()).hexdigest(),
    )
    assert value[0] not in str(ApiToken.objects.values()) + str(AuditEntry.objects.values())
    later = browser.get("/account/").content.decode()
    assert kept.prefix in later
    assert value[0] not in later
    assert ask(value[0]).status_code == 200
    assert ApiToken.objects.get().last_used_at is not None
    browser.post(f"/account/tokens/{kept.pk}/revoke/")
    assert ask(value[0]).status_code == 401
    assert list(AuditEntry.objects.filter(act__startswith="token").values_list("act", flat=True)) == [
        "token_made",
        "token_revoked",
    ]


@pytest.mark.parametrize(
    ("form", "field"),
    [
        ({"name": "", "scope": "read", "days": "30"}, "name"),
        ({"name": "x", "scope": "root", "days": "30"}, "scope"),
        ({"name": "x", "scope": "read", "days": "91"}, "days"),
        ({"name": "x", "scope": "read", "days": "x"}, "days"),
    ],
)
def test_what_cannot_be_a_token_is_refused_by_field(user: User, form: dict[str, str], field: str) -> None:
    browser = Client()
    browser.force_login(user)

    answer = browser.post("/account/tokens/", form, follow=True)

    assert f"No token was made: the {field}" in answer.content.decode()
    assert not ApiToken.objects.exists()


def test_none_lasts_longer_than_three_months(user: User) -> None:
    browser = Client()
    browser.force_login(user)

    browser.post("/account/tokens/", {"name": "x", "scope": "read", "days": "90"})

    token = ApiToken.objects.get()
    assert token.expires_at - token.created_at == timedelta(days=90)
    assert 'name="days" min="1" max="90"' in browser.get("/account/").content.decode()


def test_what_is_over_unknown_or_of_a_closed_account_opens_nothing(user: User) -> None:
    value = token_of(user)
    assert ask(value).status_code == 200

    ApiToken.objects.update(created_at=timezone.now() - timedelta(days=9), expires_at=timezone.now())
    assert ask(value).status_code == 401
    ApiToken.objects.update(expires_at=timezone.now() + timedelta(days=1))
    User.objects.update(is_active=False)
    assert ask(value).status_code == 401
    assert ask("jlb_unknown").status_code == 401
    assert ask(value[:-1]).status_code == 401


def test_it_is_read_from_the_header_alone(user: User) -> None:
    value = token_of(user)

    assert Client().get(f"/api/v1/version?token={value}&access_token={value}").status_code == 401
    assert Client(headers={"Authorization": f"Basic {value}"}).get("/api/v1/version").status_code == 401


def test_it_opens_no_page(user: User) -> None:
    value = token_of(user, "admin")

    for path in ("/", "/account/", "/admin/"):
        assert ask(value, path=path).status_code == 302


@pytest.mark.parametrize(
    ("scope", "state", "status"),
    [("read", "halted", 403), ("trade", "halted", 200), ("trade", "active", 403), ("admin", "active", 200)],
)
def test_a_scope_bounds_what_the_account_may(user: User, scope: str, state: str, status: int) -> None:
    factories.bot(timezone.now(), trading_state="close_only", state_reason="why")

    answer = ask(token_of(user, scope), "post", STATE, {"state": state, "reason": "x"})

    assert answer.status_code == status
    assert Bot.objects.get().trading_state == (state if status == 200 else "close_only")
    if status == 403:
        denied = AuditEntry.objects.latest("number")
        assert (denied.act, denied.actor, denied.outcome) == ("denied", "olga", "refused")
        assert denied.about == f"POST {STATE}"


def test_a_token_may_no_more_than_its_account() -> None:
    factories.bot(timezone.now())

    answer = ask(
        token_of(factories.user("vera", is_staff=False), "admin"), "post", STATE, {"state": "halted", "reason": "x"}
    )

    assert answer.status_code == 403
    assert not StateChange.objects.exists()


def test_each_has_a_limit_of_its_own(user: User, monkeypatch: pytest.MonkeyPatch) -> None:
    now = timezone.now()
    monkeypatch.setattr(timezone, "now", lambda: now)
    one, other = token_of(user, per_minute=3), token_of(user)

    answers = [ask(one).status_code for _ in range(5)]

    assert answers == [200, 200, 200, 429, 429]
    assert int(ask(one).headers["Retry-After"]) == 60 - now.second
    assert ask(other).status_code == 200


@pytest.mark.parametrize(("limit", "at_least"), [(19, 19), (40, 33)])
def test_processes_together_get_no_more_than_the_limit(limit: int, at_least: int) -> None:
    now, taken = timezone.now(), 0
    for _ in range(8):  # each begins with nothing in hand, as a process of its own would
        limits.forget()
        taken += sum(limits.take("token:1", limit=limit, now=now) for _ in range(25))

    assert at_least <= taken <= limit
    assert limits.take("token:1", limit=limit, now=now + timedelta(minutes=1))
    assert limits.prune(now=now + timedelta(days=1)) == Quota.objects.count() + 1 == 1


def test_a_repeated_request_is_done_once_and_answered_alike(user: User) -> None:
    factories.bot(timezone.now())
    value = token_of(user, "trade")
    body = {"state": "halted", "reason": "looks odd"}

    first = ask(value, "post", STATE, body, **{"Idempotency-Key": "a-1"})
    Bot.objects.update(trading_state="active")
    second = ask(value, "post", STATE, body, **{"Idempotency-Key": "a-1"})

    assert (second.status_code, second.json()) == (first.status_code, first.json())
    assert second.headers["Idempotent-Replayed"] == "true"
    assert Bot.objects.get().trading_state == "active"
    assert StateChange.objects.count() == 1


def test_a_key_belongs_to_one_body_one_address_and_one_asker(user: User) -> None:
    factories.bot(timezone.now())
    value, other = token_of(user, "trade"), token_of(user, "trade")
    key = {"Idempotency-Key": "a-1"}
    ask(value, "post", STATE, {"state": "halted", "reason": "one"}, **key)

    mixed = ask(value, "post", STATE, {"state": "halted", "reason": "two"}, **key)

    assert mixed.status_code == 422
    assert mixed.json()["field"] == "Idempotency-Key"
    assert ask(other, "post", STATE, {"state": "halted", "reason": "two"}, **key).status_code == 200
    assert ask(value, "post", STATE, {"state": "halted", "reason": "x"}, **{"Idempotency-Key": "ä"}).status_code == 422


def test_a_request_that_is_still_worked_on_is_not_done_beside_it(user: User) -> None:
    factories.bot(timezone.now())
    value, key = token_of(user, "trade"), {"Idempotency-Key": "a-1"}
    body = {"state": "halted", "reason": "one"}
    ask(value, "post", STATE, body, **key)
    Bot.objects.update(trading_state="active")
    KeptAnswer.objects.update(status=None)

    assert ask(value, "post", STATE, body, **key).status_code == 409
    assert Bot.objects.get().trading_state == "active"


def test_refusals_are_kept_and_failures_are_not(user: User, monkeypatch: pytest.MonkeyPatch) -> None:
    value = token_of(user, "trade")
    body = {"state": "halted", "reason": ""}
    wrong = ask(value, "post", STATE, body, **{"Idempotency-Key": "wrong"})
    assert wrong.status_code == 422
    assert ask(value, "post", STATE, body, **{"Idempotency-Key": "wrong"}).headers["Idempotent-Replayed"] == "true"

    def fail(**values: Any) -> None:
        raise RuntimeError("something inside")

    monkeypatch.setattr("dashboard.switch.change", fail)
    client = Client(
        headers={"Authorization": f"Bearer {value}", "Idempotency-Key": "failed"}, raise_request_exception=False
    )
    answer = client.post(STATE, body, content_type="application/json")

    assert (answer.status_code, answer.headers["Content-Type"]) == (500, "application/problem+json")
    assert "something inside" not in answer.content.decode()
    assert not KeptAnswer.objects.filter(key="failed").exists()
    assert idempotency.prune(now=timezone.now() + timedelta(hours=25)) == 1


def test_an_answer_that_somebody_has_is_not_sent_again(user: User) -> None:
    value = token_of(user)
    first = ask(value)

    again = ask(value, **{"If-None-Match": first.headers["ETag"]})

    assert (again.status_code, again.content) == (304, b"")
    assert ask(value, **{"If-None-Match": '"other"'}).status_code == 200
    assert first.headers["Cache-Control"] == "private, no-cache"
    assert set(first.headers["Vary"].split(", ")) >= {"Authorization", "Cookie"}


def test_a_body_that_is_too_large_is_refused(user: User) -> None:
    body = {"state": "halted", "reason": "x" * 300_000}

    answer = ask(token_of(user, "trade"), "post", STATE, body)

    assert (answer.status_code, answer.headers["Content-Type"]) == (413, "application/problem+json")


def test_a_lifted_halt_needs_the_scope_admin_whoever_asks(user: User) -> None:
    user.groups.set([Group.objects.get(name="admin")])
    factories.bot(timezone.now(), trading_state="halted", state_reason="why")

    answer = ask(token_of(user, Scope.TRADE), "post", STATE, {"state": "active", "reason": "x"})

    assert answer.status_code == 403
    assert "a token that may admin" in answer.json()["detail"]
