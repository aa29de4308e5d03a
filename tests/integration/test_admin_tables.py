"""The tables that only the engine writes: who may look at them in the admin, that nobody may change them, and no secret."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pytest
from cryptography.fernet import Fernet
from django.contrib.auth.models import Permission
from django.db import DatabaseError, models, transaction
from django.test import Client
from django.urls import reverse
from pytest_django import Settings

from tests import factories
from trading.models import (
    BlacklistEntry,
    DoctorRun,
    ExchangeKey,
    ExternalHolding,
    ExternalOrder,
    InvariantRun,
    LiveApproval,
    PairLock,
    PairSwitch,
    ReconcileRun,
    SeriesQuality,
    StateChange,
    WatchedPair,
)
from trading.services import credentials

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 3, 1, tzinfo=UTC)
PAIRS = (WatchedPair, PairSwitch, BlacklistEntry, PairLock, SeriesQuality)
MODELS = (
    *(StateChange, ReconcileRun, InvariantRun, ExternalOrder, ExternalHolding, DoctorRun, LiveApproval, ExchangeKey),
    *PAIRS,
)
KEY, SECRET = "canary-key-0123456789-AB12", "canary-secret-0123456789"


@pytest.fixture(autouse=True)
def rows(settings: Settings) -> None:
    """Make one row of each kind."""
    settings.CREDENTIALS_KEYS, settings.TRADING_MODE = [Fernet.generate_key().decode()], "live"
    key = credentials.store(
        exchange="binance",
        environment="live",
        credentials=credentials.Credentials(KEY, SECRET),
        by="ann",
        now=NOW,
        label="main",
    )
    found = {"id": "I-01", "level": "error", "text": "t", "found": []}
    checks = [{"name": "clock", "passed": False, "text": "slow"}]
    doctor = DoctorRun.objects.create(at=NOW, exchange="binance", mode="live", key=key, passed=False, checks=checks)
    LiveApproval.objects.create(
        exchange="binance", at=NOW, approved_by="ann", reason="ready", phrase="x", doctor=doctor
    )
    StateChange.objects.create(at=NOW, from_state="active", to_state="halted", reason="odd")
    ReconcileRun.objects.create(kind="start", epoch=1, at=NOW, passed=False, problem="timed out")
    InvariantRun.objects.create(at=NOW, checked=9, violations=[found])
    ExternalOrder.objects.create(
        venue_order_id="7", symbol="BTC/USDT", side="buy", quantity=Decimal(1), first_seen_at=NOW, last_seen_at=NOW
    )
    ExternalHolding.objects.create(symbol="BTC/USDT", quantity=Decimal(1), at=NOW)
    WatchedPair.objects.create(symbol="BTC/USDT", source="scan", since=NOW, reason="best")
    PairSwitch.objects.create(at=NOW, out_symbol="BTC/USDT", in_symbol="SOL/USDT", is_made=False, reason="held")
    BlacklistEntry.objects.create(symbol="SOL/USDT", reason="thin", by="ann", at=NOW)
    PairLock.objects.create(symbol="SOL/USDT", until=NOW, reason="news", by="ann", at=NOW)
    SeriesQuality.objects.create(venue="binance", symbol="BTC/USDT", timeframe="15m", state="ok", at=NOW)


def address(model: type[models.Model], act: str, *ids: object) -> str:
    return reverse(f"admin:trading_{model._meta.model_name}_{act}", args=ids)


def client_of(*permissions: str, is_superuser: bool = False) -> Client:
    user = factories.user("ann", is_staff=True)
    user.is_superuser = is_superuser
    user.save()
    user.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    client = Client()
    client.force_login(user)
    return client


@pytest.mark.parametrize("model", MODELS)
def test_who_may_view_a_table_sees_its_rows_and_changes_none(model: type[models.Model]) -> None:
    client = client_of(f"view_{model._meta.model_name}")
    row = model._default_manager.get()

    assert client.get(address(model, "changelist")).status_code == 200
    assert client.get(address(model, "change", row.pk)).status_code == 200
    assert client.post(address(model, "change", row.pk), {}).status_code == 403
    assert client.post(address(model, "add"), {}).status_code == 403
    assert client.post(address(model, "delete", row.pk), {"post": "yes"}).status_code == 403
    assert model._default_manager.count() == 1


@pytest.mark.parametrize("model", MODELS)
def test_staff_without_the_permission_sees_nothing(model: type[models.Model]) -> None:
    assert client_of().get(address(model, "changelist")).status_code == 403


@pytest.mark.parametrize("model", MODELS)
def test_even_a_superuser_changes_nothing(model: type[models.Model]) -> None:
    client, row = client_of(is_superuser=True), model._default_manager.get()

    assert client.post(address(model, "add"), {}).status_code == 403
    assert client.post(address(model, "change", row.pk), {}).status_code == 403
    assert client.post(address(model, "delete", row.pk), {"post": "yes"}).status_code == 403


def test_what_is_sealed_appears_nowhere() -> None:
    row = ExchangeKey.objects.get()
    client = client_of(is_superuser=True)

    pages = [client.get(address(ExchangeKey, act, *ids)) for act, ids in (("changelist", ()), ("change", (row.pk,)))]
    pages += [client.get(address(model, "change", model._default_manager.get().pk)) for model in MODELS]
    pages += [client.get(address(ExchangeKey, "history", row.pk))]

    shown = "".join(page.content.decode() for page in pages)
    assert {page.status_code for page in pages} == {200}
    assert "AB12" in shown
    assert [text for text in (row.sealed, KEY, SECRET, "field-sealed") if text in shown] == []


@pytest.mark.parametrize(
    "query", ["sealed__startswith=g", "sealed=x", "key__sealed__startswith=g", "doctor__key__sealed__startswith=g"]
)
def test_what_is_sealed_cannot_be_guessed_by_filters(query: str) -> None:
    model = {"s": ExchangeKey, "k": DoctorRun, "d": LiveApproval}[query[0]]
    client = client_of(is_superuser=True)

    assert client.get(f"{address(model, 'changelist')}?{query}").status_code == 400


def test_lists_say_what_matters() -> None:
    client = client_of(is_superuser=True)

    def text(model: type[models.Model]) -> str:
        return client.get(address(model, "changelist")).content.decode()

    assert "I-01" in text(InvariantRun)
    assert ">clock<" in text(DoctorRun)
    assert ">Julaba<" in text(StateChange)
    assert "timed out" in text(ReconcileRun)


def test_what_the_doctor_found_cannot_be_changed() -> None:
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
        DoctorRun.objects.update(passed=True)
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
        DoctorRun.objects.all()._raw_delete("default")

    assert not DoctorRun.objects.get().passed
