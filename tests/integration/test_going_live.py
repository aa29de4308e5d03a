"""Real money needs a setting, a live key, a doctor's pass and a person's word; any one missing refuses."""

from __future__ import annotations

import builtins
import io
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography.fernet import Fernet
from django.core.management import CommandError, call_command
from django.db.models import ProtectedError
from django.utils import timezone
from pytest_django import Settings

from trading.models import Event
from trading.models.credentials import DoctorRun, ExchangeKey, LiveApproval
from trading.services import credentials, going_live
from trading.services.credentials import Credentials
from trading.services.going_live import LiveRefused

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
PHRASE = "trade real money on binance"
HOUR = timedelta(hours=1)


@pytest.fixture(autouse=True)
def live_process(settings: Settings) -> None:
    settings.CREDENTIALS_KEYS, settings.TRADING_MODE = [Fernet.generate_key().decode()], "live"


def store(environment: str = "live", exchange: str = "binance") -> ExchangeKey:
    given = Credentials("canary-key-AB12", "canary-secret")
    return credentials.store(exchange=exchange, environment=environment, credentials=given, by="ann", now=NOW)


def examined(key: ExchangeKey, *, at: datetime = NOW, passed: bool = True, **columns: Any) -> DoctorRun:
    checks = [{"name": "clock", "passed": True, "text": "20 ms"}, {"name": "balance", "passed": passed, "text": "250"}]
    values = {"exchange": "binance", "mode": "live", "key": key, "at": at, "passed": passed, "checks": checks}
    return DoctorRun.objects.create(**{**values, **columns})


def written(doctor: DoctorRun, *, at: datetime = NOW, **columns: Any) -> LiveApproval:
    """Write an approval past the service, as a hand in the database would."""
    values = {"exchange": "binance", "approved_by": "ann", "reason": "ready", "phrase": PHRASE}
    return LiveApproval.objects.create(doctor=doctor, at=at, **{**values, **columns})


def gate(mode: str = "live", exchange: str = "binance", now: datetime = NOW) -> None:
    going_live.gate(exchange=exchange, mode_setting=mode, now=now)


def approve(typed: str = PHRASE, *, now: datetime = NOW, by: str = "ann", reason: str = "ready") -> LiveApproval:
    return going_live.approve(exchange="binance", typed=typed, by=by, reason=reason, now=now)


def test_all_four_open_the_gate() -> None:
    examined(store())
    approve()

    gate()
    gate(now=NOW + timedelta(days=90))


@pytest.mark.parametrize("mode", ["paper", "sandbox", "", "LIVE", "live "])
def test_without_the_setting_the_gate_is_shut(mode: str) -> None:
    examined(store())
    approve()

    with pytest.raises(LiveRefused, match="set TRADING_MODE=live"):
        gate(mode)


def test_without_a_live_key_the_gate_is_shut() -> None:
    examined(store())
    approve()
    credentials.revoke(exchange="binance", environment="live", by="ann", now=NOW)
    store("sandbox")

    with pytest.raises(LiveRefused, match="no live key of binance is stored"):
        gate()


def test_without_an_approval_the_gate_is_shut() -> None:
    examined(store())

    with pytest.raises(LiveRefused, match="nobody has approved real money on binance"):
        gate()


@pytest.mark.parametrize(
    ("_case", "columns", "words"),
    [
        ("failed", {"passed": False}, r"found faults \(balance\)"),
        ("a day old", {"at": NOW - 24 * HOUR}, "was not of the 24 hours before"),
        ("after the approval", {"at": NOW + HOUR}, "was not of the 24 hours before"),
        ("sandbox", {"mode": "sandbox"}, "examined binance sandbox, not binance live"),
        ("another exchange", {"exchange": "kraken"}, "examined kraken live, not binance live"),
    ],
)
def test_without_the_doctors_pass_the_gate_is_shut(_case: str, columns: dict[str, Any], words: str) -> None:
    written(examined(store(), **columns))

    with pytest.raises(LiveRefused, match=words):
        gate(now=NOW + 2 * HOUR)


@pytest.mark.parametrize(
    ("_case", "columns"),
    [
        ("revoked", {"revoked_at": NOW}),
        ("for another exchange", {"exchange": "kraken"}),
        ("another phrase", {"phrase": "trade real money on kraken"}),
        ("from the future", {"at": NOW + HOUR}),
    ],
)
def test_an_approval_that_does_not_count_leaves_the_gate_shut(_case: str, columns: dict[str, Any]) -> None:
    written(examined(store()), **columns)

    with pytest.raises(LiveRefused, match="nobody has approved"):
        gate()


def test_another_key_needs_another_doctor_and_another_approval() -> None:
    examined(store())
    approve()
    second = store()

    with pytest.raises(LiveRefused, match="the doctor examined another key"):
        gate()
    with pytest.raises(LiveRefused, match="the doctor examined another key"):
        approve()

    examined(second)
    approve()
    gate()


def test_sealing_a_key_anew_leaves_the_gate_open() -> None:
    examined(store())
    approve()

    credentials.rotate(by="ann", now=NOW)

    gate()


def test_an_approval_is_a_row_and_an_event() -> None:
    doctor = examined(store(), at=NOW - 23 * HOUR)

    approval = approve()

    assert (approval.doctor, approval.approved_by, approval.reason, approval.phrase) == (doctor, "ann", "ready", PHRASE)
    event = Event.objects.get(kind="live_approved")
    assert event.text == "ann approved real money on binance: ready"
    assert event.payload["approval"] == approval.pk


@pytest.mark.parametrize("typed", ["", "yes", PHRASE.upper(), PHRASE + " ", "trade real money on kraken"])
def test_anything_but_the_phrase_approves_nothing(typed: str) -> None:
    examined(store())

    with pytest.raises(LiveRefused, match=f"type exactly '{PHRASE}'"):
        approve(typed)

    assert not LiveApproval.objects.exists()


@pytest.mark.parametrize(("by", "reason"), [("", "ready"), ("ann", " ")])
def test_an_approval_names_a_person_and_a_reason(by: str, reason: str) -> None:
    examined(store())

    with pytest.raises(LiveRefused, match="give both"):
        approve(by=by, reason=reason)


def test_a_pass_before_a_failure_approves_nothing() -> None:
    key = store()
    examined(key, at=NOW - 2 * HOUR)
    examined(key, at=NOW - HOUR, passed=False)

    with pytest.raises(LiveRefused, match="found faults"):
        approve()


def test_a_doctor_who_never_came_approves_nothing() -> None:
    store()

    with pytest.raises(LiveRefused, match="the doctor never examined binance"):
        approve()

    assert not Event.objects.filter(kind="live_approved").exists()


def test_a_revoked_approval_shuts_the_gate_and_is_kept() -> None:
    examined(store())
    approve()
    approve(reason="again")

    assert going_live.revoke(exchange="binance", by="bob", reason="odd fills", now=NOW + HOUR) == 2
    assert going_live.revoke(exchange="binance", by="bob", reason="odd fills", now=NOW + HOUR) == 0

    with pytest.raises(LiveRefused, match="nobody has approved"):
        gate(now=NOW + HOUR)
    assert list(LiveApproval.objects.values_list("revoked_at", flat=True)) == [NOW + HOUR] * 2
    assert Event.objects.get(kind="live_revoked").text == "bob revoked real money on binance: odd fills"


def test_what_an_approval_rests_on_cannot_be_deleted() -> None:
    doctor = examined(store())
    approve()

    with pytest.raises(ProtectedError):
        doctor.delete()


# --- manage.py live -----------------------------------------------------------------------------------


def command(*words: str) -> str:
    out = io.StringIO()
    try:
        call_command("live", *words, stdout=out, stderr=out)
    except CommandError as error:
        return f"{out.getvalue()}{error}\n"
    return out.getvalue()


def test_the_command_approves_shows_and_revokes(monkeypatch: pytest.MonkeyPatch) -> None:
    doctor = examined(store(), at=timezone.now() - HOUR)
    answers = {f"Type '{PHRASE}' to approve: ": PHRASE}
    monkeypatch.setattr(builtins, "input", answers.__getitem__)

    approved = command("approve", "binance", "--reason=ready", "--by=ann")
    shown = command("status", "binance").splitlines()
    revoked = command("revoke", "binance", "--reason=enough", "--by=ann")

    assert approved == f"Approved on the doctor's pass of {doctor.at:%Y-%m-%d %H:%M} UTC.\n"
    assert shown[:2] == ["TRADING_MODE: live", "Key: binance live key …AB12"]
    assert shown[-2:] == ["Approval: live approval binance by ann", "Real money may be traded on binance."]
    assert revoked == "Revoked 1 approvals.\n"
    assert command("status", "binance").splitlines()[-1].startswith("nobody has approved real money on binance")


def test_the_command_approves_nothing_where_nothing_is_typed(monkeypatch: pytest.MonkeyPatch) -> None:
    examined(store(), at=timezone.now())
    monkeypatch.setattr("sys.stdin", io.StringIO(""))

    said = command("approve", "binance", "--reason=ready")

    assert said.endswith("nothing was typed, nothing was approved: run it in a terminal\n")
    assert not LiveApproval.objects.exists()


def test_status_of_an_exchange_without_anything_says_the_first_step(settings: Settings) -> None:
    settings.TRADING_MODE = "paper"

    assert command("status", "binance").splitlines() == [
        "TRADING_MODE: paper",
        "Key: none",
        "Doctor: never ran",
        "Approval: none",
        "TRADING_MODE is 'paper': set TRADING_MODE=live to trade real money",
    ]
