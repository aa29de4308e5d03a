"""Giving and refusing consent: never by who asked, only by who might do it as well, and only in time."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime

from django.contrib.auth.models import User
from django.db import transaction

from trading import events
from trading.core.param_spec import ParamsError
from trading.models import Consent, ConsentAct, ConsentAnswer, TradingState
from trading.services import audit, consents, control, gate, going_live, parameters

NEEDS: Mapping[str, str] = {
    ConsentAct.LOOSEN: "trading.change_trading_state",
    ConsentAct.OVERRULE: "trading.overrule_gate",
    ConsentAct.ROLL_BACK: "trading.add_parameterrevision",
    ConsentAct.LIVE: "auth.change_user",
}
"""The permission that who consents must have; real money is consented to by an administrator."""
FAILURES = (
    *(control.StateRefused, gate.GateRefused, going_live.LiveRefused),
    *(parameters.RevisionConflict, parameters.NothingToRollBack, ParamsError),
)


class ConsentRefused(Exception):
    """Nothing was done; one sentence that says why."""


class NotYours(ConsentRefused):
    """Another person may answer this request, this one may not."""


def give(pk: int, *, by: User, now: datetime) -> Consent:
    """Consent, and do at once what was asked for; raises ConsentRefused, with nothing done and the request as it was."""
    row = _open(pk, now)
    if row.asked_by_id == by.pk:
        raise NotYours("who asks cannot consent: another person has to")
    if by.date_joined >= row.asked_at:
        raise NotYours("an account that was made after the request cannot consent to it")
    _check_right(row, by)
    if not (row.asked_by.is_active and row.asked_by.has_perm(NEEDS.get(row.act, ""))) and row.act != ConsentAct.LIVE:
        raise ConsentRefused(f"{row.asked_by.get_username()} may no longer do this: ask for it anew")
    try:
        with transaction.atomic():
            _answer(row, ConsentAnswer.GIVEN, by, now)
            row.outcome = DEEDS[ConsentAct(row.act)](row, now)[:500]
            row.save(update_fields=["outcome"])
            _tell(row, by, now)
    except FAILURES as failure:
        raise ConsentRefused(str(failure)) from failure
    return row


def refuse(pk: int, *, by: User, now: datetime) -> Consent:
    """End a request without doing anything; who asked may take it back so."""
    row = _open(pk, now)
    if row.asked_by_id != by.pk:
        _check_right(row, by)
    with transaction.atomic():
        _answer(row, ConsentAnswer.REFUSED, by, now)
        row.outcome = "Nothing was done."
        row.save(update_fields=["outcome"])
        _tell(row, by, now)
    return row


def may_answer(row: Consent, user: User) -> bool:
    """Return whether somebody could consent to an open request."""
    return row.asked_by_id != user.pk and user.date_joined < row.asked_at and user.has_perm(NEEDS[row.act])


def _open(pk: int, now: datetime) -> Consent:
    row = Consent.objects.select_related("asked_by").filter(pk=pk).first()
    if row is None:
        raise ConsentRefused(f"there is no request {pk}")
    if row.answer:
        raise ConsentRefused(f"consent to request {pk} is {row.answer} already")
    if now >= row.expires_at:
        raise ConsentRefused(f"request {pk} was open until {row.expires_at:%Y-%m-%d %H:%M} UTC: ask anew")
    return row


def _check_right(row: Consent, by: User) -> None:
    if not by.has_perm(NEEDS[row.act]):
        raise NotYours(f"this needs the permission {NEEDS[row.act]}")


def _answer(row: Consent, answer: ConsentAnswer, by: User, now: datetime) -> None:
    open_still = Consent.objects.filter(pk=row.pk, answer="", expires_at__gt=now)
    if not open_still.update(answer=answer, answered_by=by, answered_at=now):
        raise ConsentRefused(f"request {row.pk} was answered meanwhile: look at it again")
    row.refresh_from_db()


def _tell(row: Consent, by: User, now: datetime) -> None:
    name = by.get_username()
    said = f"{name} {'consented to' if row.answer == ConsentAnswer.GIVEN else 'refused'} request {row.pk} of {row.asked_by.get_username()}"
    events.emit(
        consents.EVENT,
        at=now,
        text=f"{said}: {row.text} {row.outcome}",
        payload={"consent": row.pk, "answer": row.answer},
    )
    audit.record(
        f"consent_{row.answer}", actor=name, at=now, about=f"consent {row.pk}", text=f"{row.text} {row.outcome}"
    )


def _loosen(row: Consent, now: datetime) -> str:
    to = TradingState(row.arguments["to"])
    if not control.loosen(to, reason=row.reason, now=now, by=row.asked_by.get_username(), consent=row):
        raise control.StateRefused("trading is as loose already")
    return f"Trading is set to {to.label}."


def _overrule(row: Consent, now: datetime) -> str:
    made = gate.overrule(row.arguments["draft"], reason=row.reason, author=row.asked_by, now=now, consent=row)
    return f"Revision {made.number} is in force."


def _roll_back(row: Consent, now: datetime) -> str:
    number, expected = row.arguments["revision"], row.arguments["expected"]
    made = parameters.roll_back(
        number=number, reason=row.reason, author=row.asked_by, expected_number=expected, now=now, consent=row
    )
    return f"Revision {made.number} is in force."


def _live(row: Consent, now: datetime) -> str:
    exchange, name = row.arguments["exchange"], row.asked_by.get_username()
    phrase = going_live.phrase(exchange)
    going_live.approve(exchange=exchange, typed=phrase, by=name, reason=row.reason, now=now, consent=row)
    return f"Real money is approved on {exchange}."


DEEDS: Mapping[ConsentAct, Callable[[Consent, datetime], str]] = {
    ConsentAct.LOOSEN: _loosen,
    ConsentAct.OVERRULE: _overrule,
    ConsentAct.ROLL_BACK: _roll_back,
    ConsentAct.LIVE: _live,
}
