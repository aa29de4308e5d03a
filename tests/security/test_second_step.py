"""Authenticators: set up, asked for after the password, used once, lost and replaced; and the fresh proof before what is dangerous."""

from __future__ import annotations

import io
import re
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Group, Permission, User
from django.core.management import CommandError, call_command
from django.test import Client
from django.utils import timezone
from django_otp.oath import totp
from django_otp.plugins.otp_static.models import StaticToken
from django_otp.plugins.otp_totp.models import TOTPDevice
from pytest_django import Settings

from dashboard import sessions
from dashboard.models import SessionRecord
from julaba_site import security
from notifications.models import Contact
from tests import factories
from trading.models import AuditEntry, Bot, Event
from trading.services import going_live

pytestmark = pytest.mark.django_db


@pytest.fixture
def user() -> User:
    return factories.user("olga", is_staff=False)


@pytest.fixture
def browser(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def code_of(device: TOTPDevice, *, steps: int = 0) -> str:
    return f"{totp(device.bin_key, drift=steps):06d}"


def set_up(browser: Client) -> tuple[TOTPDevice, list[str]]:
    """Set up an authenticator by the pages; return it with the recovery codes."""
    browser.post("/account/devices/new/", {"begin": "1", "name": "phone"})
    device = TOTPDevice.objects.get(confirmed=False)
    page = browser.post("/account/devices/new/", {"code": code_of(device)}).content.decode()
    return device, re.findall(r'<li><code class="secret">([a-z0-9-]+)</code>', page)


def grow_stale(client: Client) -> None:
    kept = client.session
    kept[sessions.PROVED] = (timezone.now() - timedelta(minutes=5, seconds=1)).isoformat()
    kept.save()


def forget_use() -> None:
    """Let the code of this half minute be taken once more, as the next one would be."""
    TOTPDevice.objects.update(last_t=-1)


def test_an_authenticator_counts_once_its_first_code_was_typed(browser: Client, user: User) -> None:
    shown = browser.post("/account/devices/new/", {"begin": "1", "name": "phone"}).content.decode()
    device = TOTPDevice.objects.get()

    assert '<svg class="qr"' in shown
    assert "style=" not in shown
    wrong = browser.post("/account/devices/new/", {"code": "000000" if code_of(device) != "000000" else "000001"})
    assert "not the code of the moment" in wrong.content.decode()
    assert not TOTPDevice.objects.get().confirmed
    TOTPDevice.objects.update(throttling_failure_count=0, throttling_failure_timestamp=None)
    done = browser.post("/account/devices/new/", {"code": code_of(device)}).content.decode()
    assert TOTPDevice.objects.get().confirmed
    assert "passed in this session" in done
    assert len(re.findall(r'<li><code class="secret">', done)) == 10


def test_the_password_alone_opens_nothing_any_more(browser: Client) -> None:
    device, _ = set_up(browser)
    other = Client()

    answer = other.post("/login/", {"username": "olga", "password": factories.PASSWORD}, follow=True)

    assert answer.redirect_chain[-1][0].startswith("/account/second-step/")
    assert other.get("/").headers["Location"].startswith("/account/second-step/")
    assert other.get("/api/v1/version").status_code == 403
    assert other.get("/account/devices/new/").headers["Location"].startswith("/account/second-step/")
    forget_use()
    before = other.session.session_key
    assert (
        other.post("/account/second-step/", {"code": code_of(device), "next": "/trades/"}).headers["Location"]
        == "/trades/"
    )
    assert other.get("/").status_code == 200
    assert other.session.session_key != before
    assert SessionRecord.objects.filter(session_key=other.session.session_key).exists()


def test_a_code_is_taken_once(browser: Client) -> None:
    device, _ = set_up(browser)
    code = code_of(device)
    forget_use()
    first, second = Client(), Client()
    for client in (first, second):
        client.post("/login/", {"username": "olga", "password": factories.PASSWORD})

    assert first.post("/account/second-step/", {"code": code}).status_code == 302
    assert second.post("/account/second-step/", {"code": code}).status_code == 200
    assert (
        AuditEntry.objects.filter(act="second_step").values_list("outcome", flat=True).order_by("number")[0] == "done"
    )
    assert AuditEntry.objects.filter(act="second_step", outcome="refused").count() == 1


def test_wrong_codes_make_the_right_one_wait(browser: Client) -> None:
    device, _ = set_up(browser)
    forget_use()
    other = Client()
    other.post("/login/", {"username": "olga", "password": factories.PASSWORD})

    other.post("/account/second-step/", {"code": "000000" if code_of(device) != "000000" else "000001"})

    assert other.post("/account/second-step/", {"code": code_of(device)}).status_code == 200
    assert TOTPDevice.objects.get().throttling_failure_count == 1


def test_a_recovery_code_opens_once_and_is_kept_as_a_hash(browser: Client) -> None:
    _, codes = set_up(browser)
    assert not set(codes) & set(StaticToken.objects.values_list("token", flat=True))

    taken = []
    for _ in range(2):
        other = Client()
        other.post("/login/", {"username": "olga", "password": factories.PASSWORD})
        taken.append(other.post("/account/second-step/", {"code": f" {codes[0].upper()} "}).status_code)

    assert taken == [302, 200]
    assert StaticToken.objects.count() == 9


def test_setting_up_and_removing_end_the_other_sessions(browser: Client, user: User) -> None:
    other = Client()
    other.force_login(user)

    device, _ = set_up(browser)

    assert other.get("/").status_code == 302
    assert browser.post(f"/account/devices/{device.pk}/remove/").status_code == 302
    assert (TOTPDevice.objects.count(), StaticToken.objects.count()) == (0, 0)


def test_nobody_removes_somebody_elses(browser: Client) -> None:
    device, _ = set_up(browser)
    stranger = Client()
    stranger.force_login(factories.user("otto", is_staff=False))

    assert stranger.post(f"/account/devices/{device.pk}/remove/").status_code == 404
    assert TOTPDevice.objects.filter(confirmed=True).count() == 1


def test_the_administration_asks_for_it_where_the_settings_do(settings: Settings) -> None:
    root = Client()
    root.force_login(factories.user("root"))
    assert root.get("/admin/").status_code == 200

    settings.REQUIRE_TOTP = True

    assert root.get("/admin/").headers["Location"] == "/account/?needed=admin"
    assert root.post("/admin/auth/user/add/", {}).headers["Location"] == "/account/?needed=admin"
    set_up(root)
    assert root.get("/admin/").status_code == 200


@pytest.mark.parametrize(
    ("mode", "hosts", "expected"),
    [
        ("paper", ["127.0.0.1", "localhost", "[::1]"], False),
        ("live", ["127.0.0.1"], True),
        ("paper", ["127.0.0.1", "julaba.example"], True),
        ("paper", ["0.0.0.0"], True),
    ],
)
def test_it_is_asked_for_by_itself_where_others_reach_the_pages(mode: str, hosts: list[str], expected: bool) -> None:
    assert security.is_exposed(mode=mode, hosts=hosts) is expected


def test_going_live_asks_for_it_too(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, browser: Client, user: User
) -> None:
    settings.REQUIRE_TOTP = True
    said: list[str] = []
    approved: list[str] = []
    monkeypatch.setattr("builtins.input", lambda prompt: said.pop(0))
    monkeypatch.setattr(going_live, "approve", lambda **values: _approved(approved, values["by"]))

    def approve() -> None:
        call_command("live", "approve", "binance", "--reason", "why", "--by", "olga", stdout=io.StringIO())

    with pytest.raises(CommandError, match="no account with an authenticator"):
        approve()
    device, _ = set_up(browser)
    forget_use()
    said[:] = ["not a code"]
    with pytest.raises(CommandError, match="no code of the moment"):
        approve()
    assert approved == []
    TOTPDevice.objects.update(throttling_failure_count=0, throttling_failure_timestamp=None)
    said[:] = [code_of(device), "trade real money on binance"]
    approve()
    assert approved == ["olga"]


def _approved(names: list[str], name: str) -> _Approval:
    names.append(name)
    return _Approval()


class _Approval:
    class doctor:  # noqa: N801
        at = timezone.now()


def test_a_lost_one_is_taken_away_by_command_alone(browser: Client, user: User) -> None:
    set_up(browser)
    out = io.StringIO()

    call_command("second_step", reset="olga", by="root", stdout=out)

    assert (TOTPDevice.objects.count(), StaticToken.objects.count()) == (0, 0)
    assert browser.get("/").status_code == 302
    assert AuditEntry.objects.latest("number").actor == "root"
    assert Event.objects.filter(kind="access", text="root took the second step of olga away by command").exists()
    with pytest.raises(CommandError, match="there is no account nobody"):
        call_command("second_step", reset="nobody")


# --- The fresh proof ---


@pytest.fixture
def operator(user: User, browser: Client) -> Client:
    user.user_permissions.add(Permission.objects.get(codename="change_trading_state"))
    factories.bot(timezone.now(), trading_state="halted", state_reason="why")
    grow_stale(browser)
    return browser


def test_a_halt_is_lifted_only_by_who_proved_a_moment_ago_to_be_there(operator: Client) -> None:
    asked = {"state": "active", "reason": "all is well"}

    refused = operator.post("/trading-state/", asked, headers={"Referer": "http://testserver/trades/?page=2"})

    assert refused.headers["Location"] == "/account/confirm/?next=%2Ftrades%2F%3Fpage%3D2"
    assert Bot.objects.get().trading_state == "halted"
    wrong = operator.post("/account/confirm/", {"proof": "guess", "next": "/trades/"})
    assert "neither your password nor a code" in wrong.content.decode()
    right = operator.post("/account/confirm/", {"proof": factories.PASSWORD, "next": "/trades/"})
    assert right.headers["Location"] == "/trades/"
    operator.post("/trading-state/", asked)
    assert Bot.objects.get().trading_state == "active"


def test_the_api_says_so_and_does_nothing(operator: Client) -> None:
    answer = operator.post(
        "/api/v1/trading-state", {"state": "active", "reason": "all is well"}, content_type="application/json"
    )

    assert (answer.status_code, answer.headers["Content-Type"]) == (403, "application/problem+json")
    assert "/account/confirm/" in answer.json()["detail"]
    assert Bot.objects.get().trading_state == "halted"


def test_to_halt_nobody_has_to_prove_anything(operator: Client) -> None:
    Bot.objects.update(trading_state="active")

    operator.post("/trading-state/", {"state": "halted", "reason": "looks odd"})

    assert Bot.objects.get().trading_state == "halted"


def test_guessing_at_the_proof_is_locked_like_the_log_in(operator: Client) -> None:
    for _ in range(5):
        operator.post("/account/confirm/", {"proof": "guess"})

    assert operator.post("/account/confirm/", {"proof": factories.PASSWORD}).status_code == 429


@pytest.mark.parametrize(
    "path", ["/account/tokens/", "/account/devices/new/", "/account/codes/", "/account/devices/1/remove/"]
)
def test_ways_in_are_made_and_removed_with_a_fresh_proof_alone(browser: Client, path: str) -> None:
    grow_stale(browser)

    assert browser.post(path, {"name": "x"}).headers["Location"].startswith("/account/confirm/?next=")


def test_the_page_that_asks_leads_to_no_other_site(browser: Client) -> None:
    answer = browser.post("/account/confirm/", {"proof": factories.PASSWORD, "next": "https://evil.example/"})

    assert answer.headers["Location"] == "/"


@pytest.mark.parametrize(
    "path",
    ["auth/user/add/", "auth/user/1/change/", "notifications/contact/add/", "trading/parameterdraft/1/act/overrule/"],
)
def test_roles_and_overruling_in_the_admin_need_it(path: str) -> None:
    root = Client()
    root.force_login(factories.user("root"))
    grow_stale(root)

    answer = root.post(f"/admin/{path}", {})

    assert answer.headers["Location"].startswith("/account/confirm/")


def test_roles_are_changed_in_the_admin_and_kept_in_the_audit(user: User) -> None:
    root = Client()
    root.force_login(factories.user("root"))
    trader = Group.objects.get(name="trader")
    form: dict[str, Any] = {"username": "olga", "groups": [trader.pk], "is_active": "on"}

    assert root.post(f"/admin/auth/user/{user.pk}/change/", form).status_code == 302

    entry = AuditEntry.objects.latest("number")
    assert (entry.act, entry.actor, entry.about) == ("account", "root", "olga")
    assert (entry.details["roles_before"], entry.details["roles"]) == ([], ["trader"])
    Client().force_login(user)
    assert root.post(f"/admin/auth/user/{user.pk}/change/", {"username": "olga"}).status_code == 302
    assert SessionRecord.objects.filter(user=user).count() == 0


def test_who_comes_in_by_telegram_is_kept_in_the_audit(user: User) -> None:
    root = Client()
    root.force_login(factories.user("root"))
    inline = {"preferences-TOTAL_FORMS": "0", "preferences-INITIAL_FORMS": "0"}
    form = {"user": user.pk, "telegram_user_id": "77", "chat_id": "77", "receives": "on", **inline}

    assert root.post("/admin/notifications/contact/add/", form).status_code == 302
    pk = Contact.objects.get().pk
    assert root.post(f"/admin/notifications/contact/{pk}/change/", {**form, "chat_id": "78"}).status_code == 302
    assert root.post(f"/admin/notifications/contact/{pk}/delete/", {"post": "yes"}).status_code == 302

    kept = AuditEntry.objects.filter(act="contact").order_by("number").values_list("actor", "about", "details__chat")
    assert list(kept) == [("root", "olga", 77), ("root", "olga", 78), ("root", "olga", 78)]
    assert not Contact.objects.exists()


def test_an_admin_who_is_no_superuser_makes_none_and_touches_none(user: User) -> None:
    root = factories.user("root")
    user.is_staff = True
    user.save()
    user.groups.add(Group.objects.get(name="admin"))
    admin = Client()
    admin.force_login(user)

    assert admin.get(f"/admin/auth/user/{root.pk}/password/").status_code == 403
    admin.post(f"/admin/auth/user/{user.pk}/change/", {"username": "olga", "is_active": "on", "is_superuser": "on"})
    user.refresh_from_db()
    assert not user.is_superuser
