"""On a PostgreSQL, with the roles of deploy/: what the web process's own role may and may not, and that every page works with it."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from fnmatch import fnmatch
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import dj_database_url
import psycopg
import pytest
from celery.app.task import Task
from django.apps import apps
from django.conf import settings
from django.core.management import call_command
from django.db import ProgrammingError, connection
from django.test import Client
from django.urls import get_resolver
from django.utils import timezone
from pytest_django.plugin import DjangoDbBlocker

from dashboard import limits, sessions, tokens
from dashboard.listings import kept, narrowing
from julaba_site import web_role
from tests import api_world, factories, postgres
from tests.integration.test_pages_render import PAGES
from tests.security.test_matrix import patterns
from trading import events
from trading.adapters import database_copy
from trading.models import Bot, DoctorRun, ExchangeKey, LiveApproval, Trade

DEPLOY = Path(__file__).resolve().parents[2] / "deploy/postgresql"
UNASKED = re.compile(r"logout|metrics|webhook|/jsi18n|schema|/docs|/chat/1|/pictures?")
POSTS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("/trading-state/", {"state": "halted", "reason": "odd"}),
    ("/trading-state/", {"state": "active", "reason": "looked"}),
    ("/account/tokens/", {"name": "bot", "scope": "read", "days": "3"}),
    ("/account/sessions/end-others/", {}),
    ("/account/devices/new/", {"begin": "1", "name": "phone"}),
    ("/users/add/", {"name": "vera", "role": "viewer"}),
    ("/admin/notifications/alertrule/add/", {"kind": "disk", "is_on": "on"}),
    ("/alerts/1/acknowledge/", {}),
    ("/proposals/1/confirm/", {}),
    ("/parameters/history/1/roll-back/", {"reason": "calmer"}),
    ("/login/", {"username": "nobody", "password": "wrong"}),
)


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    if shutil.which("psql") is None:
        pytest.skip("there is no psql")
    try:
        with postgres.own_server() as address:
            for name in ("julaba.sql", "web.sql"):
                words = [
                    "psql",
                    address,
                    "-q",
                    "-v",
                    "ON_ERROR_STOP=1",
                    "-v",
                    "password='secret'",
                    "-f",
                    str(DEPLOY / name),
                ]
                subprocess.run(words, check=True, timeout=60, stdout=subprocess.DEVNULL)
            yield address
    except postgres.PostgresMissing as reason:
        pytest.skip(str(reason))


@pytest.fixture(scope="module")
def as_role(server: str, django_db_blocker: DjangoDbBlocker) -> Callable[[str], Any]:
    """Return what works in the database as one of the roles; the owner has migrated and filled it."""

    @contextmanager
    def attached(role: str) -> Iterator[None]:
        config = dict(
            dj_database_url.parse(urlsplit(server)._replace(netloc=_at(server, role), path="/julaba").geturl())
        )
        with django_db_blocker.unblock(), database_copy.attached(config):
            _forget_statements()
            yield
        _forget_statements()

    with attached("julaba"), events.silence():
        call_command("migrate", verbosity=0, interactive=False)
        api_world.fill(timezone.now())
        now = timezone.now()
        key = ExchangeKey.objects.create(
            exchange=settings.EXCHANGE, environment="live", sealed="sealed", key_id="x", hint="AB12", created_by="ann",
            created_at=now, is_active=True,
        )  # fmt: skip
        doctor = DoctorRun.objects.create(
            at=now, exchange=settings.EXCHANGE, mode="live", key=key, passed=True, checks=[]
        )
        LiveApproval.objects.create(
            exchange=settings.EXCHANGE, at=now, approved_by="ann", reason="ready", phrase="x", doctor=doctor
        )
    return attached


def _forget_statements() -> None:
    """Forget what was put into words for SQLite: this process asks another kind of database now, which no other one does."""
    kept._pages.clear()
    tokens._by_digest.cache_clear()
    narrowing._beyond.cache_clear()


def _at(server: str, role: str) -> str:
    return f"{role}:secret@{urlsplit(server).netloc.rpartition('@')[2]}"


class Denied:
    """Hears which statements the database refuses."""

    def __init__(self) -> None:
        self.statements: list[str] = []

    def __call__(self, execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        try:
            return execute(sql, params, many, context)
        except ProgrammingError as error:
            self.statements.append(f"{error}: {sql[:150]}")
            raise


@pytest.fixture
def denied(monkeypatch: pytest.MonkeyPatch) -> Denied:
    """Return who listens; tasks are the work of other processes, and limits are not what is looked at."""
    monkeypatch.setattr(Task, "apply_async", lambda *args, **named: None)
    monkeypatch.setattr(limits, "take", lambda key, **how: True)
    return Denied()


def operator() -> Client:
    """Log the operator in who may do everything, by the form, as people do."""
    browser = Client(raise_request_exception=False)
    answer = browser.post("/login/", {"username": "operator", "password": factories.PASSWORD})
    assert answer.status_code == 302
    return browser


@pytest.mark.parametrize(
    "forbidden",
    [
        "SELECT sealed FROM trading_exchangekey",
        "SELECT * FROM trading_exchangekey",
        "UPDATE trading_exchangekey SET is_active = false",
        "UPDATE trading_auditentry SET text = ''",
        "DELETE FROM trading_auditentry",
        "TRUNCATE trading_auditentry",
        "DELETE FROM trading_statechange",
        "DELETE FROM trading_event",
        "ALTER TABLE trading_auditentry DISABLE TRIGGER ALL",
        "INSERT INTO trading_fill DEFAULT VALUES",
        "INSERT INTO trading_order DEFAULT VALUES",
        "INSERT INTO trading_ledgerentry DEFAULT VALUES",
        "INSERT INTO trading_doctorrun DEFAULT VALUES",
        "UPDATE trading_order SET status = 'filled'",
        "UPDATE trading_trade SET quantity = 1",
        "UPDATE trading_bot SET balance = 1",
        "UPDATE trading_parameterrevision SET reason = ''",
        "UPDATE trading_lease SET epoch = 0",
        "UPDATE django_migrations SET name = ''",
        "CREATE TABLE a (b int)",
    ],
)
def test_the_web_role_is_refused(as_role: Callable[[str], Any], server: str, forbidden: str) -> None:
    address = f"postgres://{_at(server, 'julaba_web')}/julaba"

    with psycopg.connect(address) as web, pytest.raises(psycopg.errors.InsufficientPrivilege):
        web.execute(forbidden)


def test_every_page_and_every_answer_is_made_with_it(as_role: Callable[[str], Any], denied: Denied) -> None:
    paths = [f"/{path}" for path, _ in patterns(get_resolver().url_patterns) if not UNASKED.search(f"/{path}")]

    with as_role("julaba_web"), connection.execute_wrapper(denied):
        browser = operator()
        failed = {path: status for path in {*PAGES, *paths} if (status := browser.get(path).status_code) >= 500}

    assert denied.statements == []
    # No Redis runs beside the tests.
    assert {path for path in failed if "health" not in path and "readyz" not in path} == set()


def test_what_people_do_on_the_pages_is_done_with_it(as_role: Callable[[str], Any], denied: Denied) -> None:
    with as_role("julaba_web"), connection.execute_wrapper(denied):
        browser = operator()
        session = browser.session
        sessions.prove(session, now=timezone.now())
        session.save()
        answers = {path: browser.post(path, form).status_code for path, form in POSTS}
        trade = Trade.objects.filter(status="open").earliest("pk")
        closed = browser.post(f"/api/v1/trades/{trade.pk}/close", content_type="application/json")
        schema = browser.get("/api/schema?format=json").json()["paths"]
        for path, methods in schema.items():
            for method, told in methods.items():
                if method != "get":
                    body = told.get("requestBody", {}).get("content", {}).get("application/json", {}).get("example", {})
                    getattr(browser, method)(api_world.address(path), body, content_type="application/json")

    assert denied.statements == []
    assert {path for path, status in answers.items() if status >= 400} == set()
    assert closed.status_code in (200, 202)


def test_a_table_that_an_upgrade_brings_can_be_read_and_not_written(
    as_role: Callable[[str], Any], server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = f"postgres://{_at(server, 'julaba_web')}/julaba"
    with as_role("julaba"), events.silence():
        with connection.cursor() as cursor:
            cursor.execute("REVOKE ALL ON ALL TABLES IN SCHEMA public FROM julaba_web")
            cursor.execute("GRANT DELETE ON trading_fill TO julaba_web")
        call_command("migrate", verbosity=0, interactive=False)

    with psycopg.connect(address, autocommit=True) as web:
        assert web.execute("SELECT count(*) FROM trading_fill").fetchone() is not None
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            web.execute("DELETE FROM trading_fill")


def test_without_such_a_role_nothing_is_given(as_role: Callable[[str], Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(web_role, "ROLE", "julaba_nobody")

    with as_role("julaba"):
        web_role.grant("default")
        assert Bot.objects.exists()


def test_every_right_is_of_a_table_that_exists() -> None:
    tables = {model._meta.db_table for model in apps.get_models(include_auto_created=True)}
    columns = {
        table: {f.column for f in m._meta.concrete_fields} for m in apps.get_models() if (table := m._meta.db_table)
    }

    for pattern, right in web_role.WRITES.items():
        assert [table for table in tables if fnmatch(table, pattern)], pattern
        for column in re.findall(r"[a-z_]+", (re.search(r"\((.*)\)", right) or [""])[0]):
            assert column in columns[pattern], (pattern, column)
    assert all(set(hidden) <= columns[table] for table, hidden in web_role.UNREAD.items())
