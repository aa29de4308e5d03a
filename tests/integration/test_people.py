"""The page of the users: who sees it, what an administrator changes there, and what nobody can."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.contrib.auth.models import Group, User
from django.test import Client
from django.utils import timezone

from dashboard import people, sessions
from tests import factories
from trading.models import AuditEntry

pytestmark = pytest.mark.django_db


def member(role: str, name: str) -> User:
    user = factories.user(name, is_staff=False)
    user.groups.add(Group.objects.get(name=role))
    return user


def logs_in(name: str, password: str) -> bool:
    return Client().post("/login/", {"username": name, "password": password}).status_code == 302


@pytest.fixture
def admin(client: Client) -> Client:
    client.force_login(member("admin", "anna"))
    session = client.session
    sessions.prove(session, now=timezone.now())
    session.save()
    return client


def test_an_account_is_made_with_a_password_that_is_shown_once_and_works(admin: Client) -> None:
    html = admin.post("/users/add/", {"name": "tom", "role": "trader"}).content.decode()

    found = re.search(r'<code class="secret">([^<]+)</code>', html)
    assert found is not None
    assert logs_in("tom", found[1])
    assert found[1] not in admin.get("/users/").content.decode()
    assert User.objects.get(username="tom").has_perm("trading.change_trading_state")
    assert AuditEntry.objects.filter(act="account", about="tom", actor="anna").count() == 1


def test_a_new_role_holds_at_once_and_ends_the_sessions_of_the_account(admin: Client) -> None:
    tom = member("trader", "tom")
    other = Client()
    other.force_login(tom)
    assert other.get("/").status_code == 200

    admin.post(f"/users/{tom.pk}/", {"act": "role", "role": "viewer"})

    assert not User.objects.get(pk=tom.pk).has_perm("trading.change_trading_state")
    assert other.get("/").status_code == 302


def test_a_closed_account_opens_nothing_until_it_is_opened_again(admin: Client) -> None:
    tom = member("trader", "tom")
    other = Client()
    other.force_login(tom)

    admin.post(f"/users/{tom.pk}/", {"act": "close"})
    assert other.get("/").status_code == 302
    assert not logs_in("tom", factories.PASSWORD)

    admin.post(f"/users/{tom.pk}/", {"act": "open"})
    assert logs_in("tom", factories.PASSWORD)


def test_nobody_changes_their_own_account_nor_one_that_may_do_everything(admin: Client) -> None:
    anna = User.objects.get(username="anna")
    root = factories.user("root")
    User.objects.filter(pk=root.pk).update(is_superuser=True)

    for pk in (anna.pk, root.pk):
        html = admin.post(f"/users/{pk}/", {"act": "close"}, follow=True).content.decode()
        assert "Nothing was changed" in html
    assert User.objects.filter(is_active=True).count() == 2


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ({"name": "tom", "role": "emperor"}, "is none of the roles"),
        ({"name": "ANNA", "role": "viewer"}, "is taken"),
        ({"name": "<b>", "role": "viewer"}, "other signs than letters"),
    ],
)
def test_what_cannot_be_is_refused_with_a_reason(admin: Client, asked: dict[str, str], says: str) -> None:
    assert says in admin.post("/users/add/", asked, follow=True).content.decode()
    assert User.objects.count() == 1


def test_without_a_fresh_proof_nothing_is_changed(admin: Client) -> None:
    session = admin.session
    sessions.prove(session, now=timezone.now() - timedelta(hours=1))
    session.save()

    assert "/account/confirm/" in admin.post("/users/add/", {"name": "tom", "role": "viewer"})["Location"]
    assert User.objects.count() == 1


@pytest.mark.parametrize("role", ["viewer", "trader", "risk"])
def test_whoever_is_no_administrator_neither_sees_nor_changes_it(client: Client, role: str) -> None:
    user = member(role, "tom")
    client.force_login(user)

    assert client.get("/users/").status_code == 403
    assert client.post("/users/add/", {"name": "x", "role": "viewer"}).status_code == 403
    assert client.post(f"/users/{user.pk}/", {"act": "role", "role": "admin"}).status_code == 403
    assert 'href="/users/"' not in client.get("/").content.decode()


def test_the_page_costs_the_same_queries_with_many_people(admin: Client, django_assert_max_num_queries: object) -> None:
    for number in range(12):
        member("viewer", f"user{number}")

    assert len(people.known(User.objects.get(username="anna"))) == 13
    with django_assert_max_num_queries(22):  # type: ignore[operator]
        assert admin.get("/users/").content.count(b'name="role"') == 13
