"""The gate before real money: a setting, a live key, a doctor's pass and a person's word, all four or nothing."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db import transaction

from trading import events
from trading.models import Consent, ConsentAct
from trading.models.credentials import DoctorRun, Environment, ExchangeKey, LiveApproval
from trading.services import audit, consents, credentials

FRESH = timedelta(hours=24)
"""So old a doctor's pass may be when somebody approves on it."""


class LiveRefused(Exception):
    """Real money may not be traded; the text says what is missing and how to get it."""


def phrase(exchange: str) -> str:
    """Return what a person must type to approve."""
    return f"trade real money on {exchange}"


def gate(*, exchange: str, mode_setting: str, now: datetime) -> None:
    """Return where real money may be traded with the exchange's active key, else raise LiveRefused.

    An approval holds for the key that its doctor run examined: another key needs another run and another approval.
    """
    if mode_setting != "live":
        raise LiveRefused(f"TRADING_MODE is {mode_setting!r}: set TRADING_MODE=live to trade real money")
    key = _live_key(exchange)
    approval = standing(exchange=exchange, now=now)
    if approval is None:
        raise LiveRefused(f"nobody has approved real money on {exchange}: manage.py live approve {exchange}")
    _examined(approval.doctor, exchange=exchange, key=key, at=approval.at)


def standing(*, exchange: str, now: datetime) -> LiveApproval | None:
    """Return the newest approval that was typed in full and not revoked."""
    approvals = LiveApproval.objects.filter(
        exchange=exchange, phrase=phrase(exchange), revoked_at__isnull=True, at__lte=now
    )
    return approvals.select_related("doctor").order_by("-at", "-pk").first()


def newest_doctor(*, exchange: str) -> DoctorRun | None:
    """Return the last examination for real money: a pass before it counts for nothing."""
    return DoctorRun.objects.filter(exchange=exchange, mode=Environment.LIVE).order_by("-at", "-pk").first()


def approve(
    *, exchange: str, typed: str, by: str, reason: str, now: datetime, consent: Consent | None = None
) -> LiveApproval:
    """Write down a person's word on the newest doctor run; LiveRefused says what is missing, be it another's consent."""
    if typed != phrase(exchange):
        raise LiveRefused(f"what was typed is not the phrase: type exactly {phrase(exchange)!r}")
    if not by.strip() or not reason.strip():
        raise LiveRefused("only a person approves real money, and with a reason: give both")
    key = _live_key(exchange)
    doctor = newest_doctor(exchange=exchange)
    if doctor is None:
        raise LiveRefused(f"the doctor never examined {exchange} for real money: run the doctor first")
    _examined(doctor, exchange=exchange, key=key, at=now)
    if asked := consents.missing(
        ConsentAct.LIVE, about=exchange, text=f"Real money is traded on {exchange}.", arguments={"exchange": exchange},
        reason=reason.strip(), by=by, now=now, consent=consent,
    ):  # fmt: skip
        raise LiveRefused(asked)
    with transaction.atomic():
        approval = LiveApproval.objects.create(
            exchange=exchange, at=now, approved_by=by, reason=reason.strip(), phrase=typed, doctor=doctor
        )
        events.emit(
            "live_approved",
            at=now,
            text=f"{by} approved real money on {exchange}: {reason.strip()}",
            payload={"approval": approval.pk, "doctor": doctor.pk, "exchange": exchange, "key": key.pk, "by": by},
        )
        text = f"Approved real money: {reason.strip()}"
        audit.record("live_approved", actor=by, at=now, about=exchange, text=text, details={"doctor": doctor.pk})
    return approval


def revoke(*, exchange: str, by: str, reason: str, now: datetime) -> int:
    """Take back every standing approval and return how many there were."""
    if not by.strip() or not reason.strip():
        raise LiveRefused("an approval is revoked by a person and with a reason: give both")
    with transaction.atomic():
        count = LiveApproval.objects.filter(exchange=exchange, revoked_at__isnull=True).update(revoked_at=now)
        if count:
            events.emit(
                "live_revoked",
                at=now,
                text=f"{by} revoked real money on {exchange}: {reason.strip()}",
                payload={"exchange": exchange, "count": count, "by": by},
            )
            text = f"Revoked real money: {reason.strip()}"
            audit.record("live_revoked", actor=by, at=now, about=exchange, text=text)
    return count


def _live_key(exchange: str) -> ExchangeKey:
    key = credentials.active_key(exchange=exchange, environment=Environment.LIVE)
    if key is None:
        raise LiveRefused(
            f"no live key of {exchange} is stored: manage.py exchange_key add {exchange} --environment live"
        )
    return key


def _examined(doctor: DoctorRun, *, exchange: str, key: ExchangeKey, at: datetime) -> None:
    again = "run the doctor again and approve on that"
    if (doctor.exchange, doctor.mode) != (exchange, Environment.LIVE):
        raise LiveRefused(f"the doctor examined {doctor.exchange} {doctor.mode}, not {exchange} live: {again}")
    if not doctor.passed:
        failed = ", ".join(check["name"] for check in doctor.checks if not check["passed"])
        raise LiveRefused(f"the doctor found faults ({failed}): mend them, {again}")
    if not timedelta(0) <= at - doctor.at < FRESH:
        raise LiveRefused(
            f"the doctor's pass of {doctor.at:%Y-%m-%d %H:%M} UTC was not of the 24 hours before: {again}"
        )
    if doctor.key_id != key.pk:
        raise LiveRefused(f"the doctor examined another key than the {key}: {again}")
