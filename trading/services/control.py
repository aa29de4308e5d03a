"""The trading state: software tightens it, people loosen it, and both say why."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction

from trading import events
from trading.core import redaction
from trading.models import STRICTNESS, Bot, Consent, ConsentAct, Event, StateChange, TradingState
from trading.services import audit, consents

REFUSED = "trading_refused"


class StateRefused(Exception):
    """A change of the trading state that may not be made; its text says what would be allowed."""


def tighten(to: TradingState, *, reason: str, now: datetime, by: str = "") -> bool:
    """Move to a stricter state; False where the account is as strict already. `by` is empty for software."""
    looser = STRICTNESS[: STRICTNESS.index(to)]
    return _change(looser, to, reason=reason, now=now, by=by)


def loosen(to: TradingState, *, reason: str, now: datetime, by: str, consent: Consent | None = None) -> bool:
    """Move to a looser state: a person does, with a reason; False where the account is as loose already.

    Raises StateRefused, also where another person has to consent first.
    """
    if not by.strip() or not reason.strip():
        raise StateRefused("only a person lifts a restriction, and with a reason: give both")
    stricter = STRICTNESS[STRICTNESS.index(to) + 1 :]
    if Bot.objects.filter(pk=1, trading_state__in=stricter).exists() and (
        asked := consents.missing(
            ConsentAct.LOOSEN, about=to.value, text=f"Trading is set to {to.label}.", arguments={"to": to},
            reason=reason, by=by, now=now, consent=consent,
        )
    ):  # fmt: skip
        raise StateRefused(asked)
    return _change(stricter, to, reason=reason, now=now, by=by)


def report_refusal(reason: str, *, now: datetime) -> bool:
    """Write down once that nothing can be traded; False where that was said already and no tick ran since."""
    said = Event.objects.filter(kind=REFUSED).order_by("-pk").first()
    ran_at = Bot.objects.filter(pk=1).values_list("last_tick_at", flat=True).first()
    if said is not None and said.text == _refusal(reason) and (ran_at is None or ran_at <= said.at):
        return False
    events.emit(REFUSED, at=now, text=_refusal(reason))
    return True


def _refusal(reason: str) -> str:
    return redaction.scrub(f"Nothing is traded: {reason}")


def _change(origins: tuple[TradingState, ...], to: TradingState, *, reason: str, now: datetime, by: str) -> bool:
    reason = redaction.scrub(reason)  # it may be what a venue said, and is on every page
    with transaction.atomic():
        for origin in origins:
            if Bot.objects.filter(pk=1, trading_state=origin).update(trading_state=to, state_reason=reason):
                StateChange.objects.create(at=now, from_state=origin, to_state=to, reason=reason, by=by)
                who = by or "Julaba"
                events.emit(
                    "trading_state",
                    at=now,
                    text=f"{who} set trading to {to.label}: {reason}",
                    payload={"from": origin, "to": to, "by": by},
                )
                audit.record(
                    "trading_state",
                    actor=who,
                    at=now,
                    about=to,
                    text=f"Trading went from {origin.label} to {to.label}: {reason}",
                    details={"from": origin, "to": to},
                )
                return True
    return False
