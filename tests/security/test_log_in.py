"""The log-in: what it says, whom it locks out and for how long, which passwords it takes, and how sessions end."""

from __future__ import annotations

import io
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth import authenticate, get_user_model
from django.contrib.auth.models import User
from django.contrib.auth.password_validation import validate_password
from django.contrib.sessions.models import Session
from django.core.exceptions import ValidationError
from django.core.management import call_command
from django.test import Client, RequestFactory
from django.utils import timezone
from pytest_django import Settings

from dashboard import lockout, sessions
from dashboard.models import LoginLock, SessionRecord
from julaba_site import settings as product
from julaba_site import startup
from notifications import kinds
from tests import factories
from trading.models import AuditEntry, Event

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
HERE, THERE = "203.0.113.7", "203.0.113.8"


@pytest.fixture
def user() -> User:
    return factories.user("olga", is_staff=False)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Let a test say what time the sessions see."""

    class Clock:
        now = timezone.now()

        def forward(self, **spans: float) -> None:
            self.now += timedelta(**spans)

    clock = Clock()
    monkeypatch.setattr(timezone, "now", lambda: clock.now)
    return clock


def log_in(name: str, password: str, address: str = HERE) -> Any:
    return Client(REMOTE_ADDR=address).post("/login/", {"username": name, "password": password})


def acts() -> list[tuple[str, str, str]]:
    return [(entry.act, entry.actor, entry.outcome) for entry in AuditEntry.objects.order_by("number")]


def test_the_sixth_try_is_refused_even_with_the_right_password(user: User) -> None:
    for _ in range(5):
        assert log_in("olga", "wrong").status_code in (200, 429)

    locked = log_in("olga", factories.PASSWORD)

    assert locked.status_code == 429
    assert lockout.REFUSED in locked.content.decode()
    assert log_in("olga", factories.PASSWORD, THERE).status_code == 302
    assert SessionRecord.objects.count() == 1


def test_a_name_that_nobody_has_is_told_the_same_and_counted_the_same(user: User) -> None:
    # The one thing that differs is the name, which the form repeats.
    known = [log_in("olga", "wrong") for _ in range(6)]
    unknown = [log_in("nobody", "wrong") for _ in range(6)]

    assert [answer.status_code for answer in known] == [answer.status_code for answer in unknown]
    for one, other in zip(known, unknown, strict=True):
        assert (lockout.REFUSED in one.content.decode()) is (lockout.REFUSED in other.content.decode()) is True


def test_a_password_is_hashed_for_every_name_so_the_time_tells_nothing(
    user: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    hashed: list[str] = []
    monkeypatch.setattr(get_user_model(), "set_password", lambda self, raw: hashed.append(raw))
    monkeypatch.setattr(get_user_model(), "check_password", lambda self, raw: hashed.append(raw))
    request = RequestFactory(REMOTE_ADDR=HERE).post("/login/")

    for name in ("olga", "nobody"):
        assert authenticate(request, username=name, password="guess") is None

    assert hashed == ["guess", "guess"]


def test_no_more_tries_are_looked_at_than_the_limit_whatever_comes_between() -> None:
    # A try is counted before its password is hashed, so those that run at once cannot slip by together.
    assert [lockout.claim("olga", HERE, now=NOW) for _ in range(7)] == [True] * 5 + [False] * 2


def test_an_account_is_locked_from_everywhere_after_twenty_and_an_address_after_fifty() -> None:
    by_account = [lockout.claim("olga", f"198.51.100.{number}", now=NOW) for number in range(22)]
    by_address = [lockout.claim(f"name {number}", HERE, now=NOW) for number in range(52)]

    assert by_account == [True] * 20 + [False] * 2
    assert by_address == [True] * 50 + [False] * 2


def test_each_lock_lasts_longer_than_the_one_before_and_a_day_forgets() -> None:
    waits, now = [], NOW
    for _ in range(3):
        for _ in range(5):
            assert lockout.claim("olga", HERE, now=now)
        until = LoginLock.objects.filter(failures=5).latest("locked_until").locked_until
        assert until is not None
        waits.append(until - now)
        assert not lockout.claim("olga", HERE, now=until - timedelta(seconds=1))
        now = until

    assert waits == [timedelta(minutes=5), timedelta(minutes=10), timedelta(minutes=20)]
    assert lockout.claim("olga", HERE, now=now + timedelta(days=2))
    assert LoginLock.objects.get(pk=lockout.bounds("olga", HERE)[0].key).failures == 1


def test_capitals_and_claimed_addresses_bring_no_further_tries(user: User) -> None:
    for number, name in enumerate(("olga", "OLGA", "Olga", "oLGA", "olgA")):
        client = Client(REMOTE_ADDR=HERE, headers={"X-Forwarded-For": f"192.0.2.{number}"})
        client.post("/login/", {"username": name, "password": "wrong"})

    assert log_in("olga", factories.PASSWORD).status_code == 429


def test_the_right_password_forgets_the_tries_of_its_account_and_not_those_of_the_address(user: User) -> None:
    for _ in range(4):
        log_in("olga", "wrong")
    for _ in range(3):
        log_in("nobody", "wrong")

    assert log_in("olga", factories.PASSWORD).status_code == 302

    both, account, address = lockout.bounds("olga", HERE)
    assert not LoginLock.objects.filter(key__in=[both.key, account.key]).exists()
    assert LoginLock.objects.get(key=address.key).failures == 7


def test_log_ins_refusals_and_locks_are_in_the_audit_and_no_password_is(user: User) -> None:
    log_in("my password by mistake", "hunter2hunter2")
    for _ in range(5):
        log_in("olga", "wrong")
    log_in("olga", "wrong")
    client = Client(REMOTE_ADDR=THERE)
    client.post("/login/", {"username": "olga", "password": factories.PASSWORD})
    client.post("/logout/")

    assert acts() == [
        ("login_failed", "", "refused"),
        *[("login_failed", "olga", "refused")] * 4,
        ("login_locked", "olga", "refused"),
        ("login_failed", "olga", "refused"),
        ("login", "olga", "done"),
        ("logout", "olga", "done"),
    ]
    kept = str(list(AuditEntry.objects.values()))
    assert "hunter2" not in kept
    assert "by mistake" not in kept


def test_people_hear_of_a_log_in_from_a_new_address_and_of_a_new_password(user: User) -> None:
    known = Client(REMOTE_ADDR=HERE)
    for client in (known, Client(REMOTE_ADDR=HERE), Client(REMOTE_ADDR=THERE)):
        client.post("/login/", {"username": "olga", "password": factories.PASSWORD})
    fresh = "another horse battery staple"
    form = {"old_password": factories.PASSWORD, "new_password1": fresh, "new_password2": fresh}
    assert known.post("/password/", form).status_code == 302

    told = list(Event.objects.filter(kind="access").order_by("pk").values_list("text", flat=True))
    assert told == [
        f"olga logged in from {HERE}, for the first time in 90 days",
        f"olga logged in from {THERE}, for the first time in 90 days",
        "olga: changed the password",
    ]
    assert {"access"} <= set(kinds.FACTS)


def test_a_password_that_was_given_on_the_machine_is_told_and_ends_the_sessions(
    user: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    inside = Client()
    inside.force_login(user)
    monkeypatch.setattr("getpass.getpass", lambda prompt: "another horse battery staple")

    call_command("changepassword", "olga", by="root", stdout=io.StringIO())

    entry = AuditEntry.objects.latest("number")
    assert (entry.act, entry.actor, entry.about) == ("password", "root", "olga")
    assert Event.objects.filter(kind="access").latest("pk").text == "root gave olga a new password by command"
    assert not SessionRecord.objects.exists()
    assert inside.get("/").status_code == 302
    assert log_in("olga", "another horse battery staple").status_code == 302
    assert "another horse" not in str(list(AuditEntry.objects.values())) + str(list(Event.objects.values()))


def test_a_password_that_an_administrator_gave_is_told(user: User) -> None:
    root = Client()
    root.force_login(factories.user("root"))
    fresh = "another horse battery staple"

    root.post(f"/admin/auth/user/{user.pk}/password/", {"password1": fresh, "password2": fresh})

    assert Event.objects.filter(kind="access").latest("pk").text == "root gave olga a new password"


def test_the_first_account_logs_in_with_the_password_that_was_shown_and_is_an_admin() -> None:
    password = startup.create_operator()

    assert password is not None
    assert log_in(startup.OPERATOR, password).status_code == 302
    assert [group.name for group in User.objects.get().groups.all()] == ["admin"]
    assert startup.create_operator() is None


def test_the_first_password_is_drawn_anew_each_time() -> None:
    drawn = set()
    for _ in range(3):
        drawn.add(startup.create_operator())
        User.objects.all().delete()

    assert len(drawn) == 3
    # 20 signs of the clear letters and digits: 2 to the power of more than 90.
    assert all(password and len(set(password)) > 6 and len(password) == 23 for password in drawn)


def test_a_fresh_database_has_no_account() -> None:
    assert not User.objects.exists()


@pytest.mark.parametrize(
    "password",
    ["short-words", "passwordpassword1"[:8], "123456789012345", "olga-olga-olga-olga", "aaaaaaaaaaaaaaaa", "x1" * 600],
)
def test_weak_passwords_are_refused(user: User, password: str) -> None:
    with pytest.raises(ValidationError):
        validate_password(password, user)


def test_a_long_sentence_is_a_password(user: User) -> None:
    validate_password("a sentence that only I would ever think of, written out in full as it comes", user)


def test_passwords_are_hashed_by_argon2() -> None:
    assert product.PASSWORD_HASHERS[0].endswith("Argon2PasswordHasher")


def test_a_session_ends_when_nobody_asks_for_a_while(user: User, clock: Any, settings: Settings) -> None:
    settings.SESSION_IDLE_MINUTES = 30
    client = Client()
    client.force_login(user)
    for _ in range(3):
        clock.forward(minutes=29)
        assert client.get("/").status_code == 200

    clock.forward(minutes=31)

    assert client.get("/").headers["Location"].startswith("/login/?next=")
    assert not Session.objects.exists()


def test_what_a_page_asks_in_the_background_keeps_no_session_alive(user: User, clock: Any, settings: Settings) -> None:
    settings.SESSION_IDLE_MINUTES = 30
    client = Client()
    client.force_login(user)
    clock.forward(minutes=20)
    assert client.get("/", headers={"Sec-Fetch-Dest": "empty"}).status_code == 200

    clock.forward(minutes=11)

    assert client.get("/", headers={"Sec-Fetch-Dest": "empty"}).status_code == 302


def test_a_session_ends_after_a_working_day_however_busy(user: User, clock: Any, settings: Settings) -> None:
    settings.SESSION_IDLE_MINUTES = 60
    client = Client()
    client.force_login(user)
    for _ in range(settings.SESSION_HOURS * 2 - 1):
        clock.forward(minutes=30)
        assert client.get("/api/v1/version").status_code == 200

    clock.forward(minutes=31)

    refused = client.get("/api/v1/version")
    assert (refused.status_code, refused.headers["Content-Type"]) == (401, "application/problem+json")


def test_the_key_of_a_session_changes_when_somebody_logs_in(user: User) -> None:
    client = Client()
    planted = client.session
    planted["here"] = 1
    planted.save()
    before = planted.session_key

    client.post("/login/", {"username": "olga", "password": factories.PASSWORD})

    assert client.session.session_key != before


def test_people_see_their_sessions_and_end_them(user: User) -> None:
    here, there, other = Client(), Client(HTTP_USER_AGENT="Elsewhere 1.0"), Client()
    for client in (here, there):
        client.force_login(user)
        client.get("/")
    other.force_login(factories.user("otto", is_staff=False))
    there_key = there.session.session_key or ""
    record = SessionRecord.objects.get(session_key=there_key)
    page = here.get("/account/").content.decode()

    assert "this one" in page
    assert there_key not in page
    assert here.post(f"/account/sessions/{record.pk}/end/").status_code == 302
    assert there.get("/").status_code == 302
    assert here.get("/").status_code == 200
    strange = SessionRecord.objects.get(user__username="otto")
    assert here.post(f"/account/sessions/{strange.pk}/end/").status_code == 404
    assert other.get("/").status_code == 200


def test_a_new_password_ends_every_other_session_and_keeps_this_one(user: User) -> None:
    here, there = Client(), Client()
    for client in (here, there):
        client.force_login(user)
    new = "a much longer passphrase"

    here.post("/password/", {"old_password": factories.PASSWORD, "new_password1": new, "new_password2": new})

    assert here.get("/").status_code == 200
    assert there.get("/").status_code == 302
    assert [record.session_key for record in SessionRecord.objects.all()] == [here.session.session_key]


def test_what_is_over_is_pruned(user: User) -> None:
    Client().force_login(user)
    lockout.claim("olga", HERE, now=NOW)

    sessions.prune(now=timezone.now() + timedelta(hours=13))
    lockout.prune(now=NOW + timedelta(days=2))

    assert (SessionRecord.objects.count(), Session.objects.count(), LoginLock.objects.count()) == (0, 0, 0)
