"""Trades that the AI proposes: made here, confirmed or rejected by people, entered by the tick (services/proposed.py).

The web process imports this, so nothing here analyses candles.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import datetime, timedelta

from django.db import IntegrityError, transaction

from trading import events
from trading.core import advising
from trading.core.advice import Advice
from trading.core.params import Params
from trading.core.types import Side
from trading.models import ACTIVE, UNDECIDED, Bot, Proposal, ProposalStatus, Trade
from trading.services import audit, parameters, watching

MADE, DECIDED = "proposal", "proposal_decided"
AUTONOMOUS = "autonomous"
_OVERDUE = {
    ProposalStatus.PENDING: "nobody decided in time",
    ProposalStatus.CONFIRMED: "no bar came in time to enter on",
}


class NotOpen(Exception):
    """A proposal that can be neither confirmed nor rejected any more; one sentence that says why."""


def may_propose(*, params: Params) -> bool:
    """Return whether the AI may propose trades at all: ask before a scan is paid for."""
    return params.ai_mode in advising.PROPOSING


def propose(*, symbol: str, side: Side, advice: Advice, price: float, now: datetime) -> Proposal | None:
    """Write a proposal down, `price` being the market's; None where none may be made.

    That is: in other modes, for symbols that are not watched, where one is open or a trade is, without an approval, and
    with less confidence than losses in a row ask for. In autonomous mode it is confirmed at once.
    """
    _, in_force = parameters.in_force(now=now)
    params = watching.applied(in_force)
    bot = Bot.objects.filter(pk=1).first()
    if bot is None or not may_propose(params=params) or symbol not in params.pairs:
        return None
    given = advising.checked(advice, source=advising.AI)
    needed = advising.threshold(params, bot.losses_in_row)
    if not given.approve or given.confidence is None or given.confidence < needed or given.influence <= 0.0:
        return None
    if not (math.isfinite(price) and price > 0) or Trade.objects.filter(symbol=symbol, status__in=ACTIVE).exists():
        return None
    try:
        with transaction.atomic():
            return _write(symbol, side, given, given.confidence, price=price, params=params, now=now)
    except IntegrityError:
        if not Proposal.objects.filter(symbol=symbol, status__in=UNDECIDED).exists():
            raise
        return None


def confirm(proposal_id: int, *, who: str, now: datetime) -> Proposal:
    """Let a proposal be entered by the next tick that may; confirming it twice is once. Raises NotOpen."""
    name = _name(who)
    _expire_one(proposal_id, now)
    pending = (ProposalStatus.PENDING,)
    _decide(proposal_id, pending, ProposalStatus.CONFIRMED, name, f"{name} confirmed it", now=now)
    proposal = _get(proposal_id)
    if proposal.status not in (ProposalStatus.CONFIRMED, ProposalStatus.TAKEN):
        raise NotOpen(_told(proposal))
    return proposal


def reject(proposal_id: int, *, who: str, now: datetime, reason: str = "") -> Proposal:
    """End a proposal that was not entered yet; rejecting it twice is once. Raises NotOpen."""
    name = _name(who)
    _expire_one(proposal_id, now)
    text = f"{name} rejected it{f': {reason[:500]}' if reason else ''}"
    _decide(proposal_id, UNDECIDED, ProposalStatus.REJECTED, name, text, now=now)
    proposal = _get(proposal_id)
    if proposal.status != ProposalStatus.REJECTED:
        raise NotOpen(_told(proposal))
    return proposal


def expire(*, now: datetime) -> int:
    """End every proposal whose time is over, and return how many there were."""
    overdue = Proposal.objects.filter(status__in=UNDECIDED, expires_at__lte=now).order_by("pk")
    return sum(_expire_one(pk, now) for pk in list(overdue.values_list("pk", flat=True)))


def close(proposal: Proposal, status: ProposalStatus, outcome: str, *, now: datetime) -> None:
    """Write what became of a confirmed proposal; call it inside the transaction that holds its row, if any."""
    with transaction.atomic():
        if Proposal.objects.filter(pk=proposal.pk, status=ProposalStatus.CONFIRMED).update(
            status=status, outcome=outcome, signal=proposal.signal
        ):
            proposal.refresh_from_db()
            _tell(proposal, outcome, now)


def _write(
    symbol: str, side: Side, given: Advice, confidence: float, *, price: float, params: Params, now: datetime
) -> Proposal:
    is_free = params.ai_mode == AUTONOMOUS
    proposal = Proposal.objects.create(
        symbol=symbol,
        side=side,
        price=price,
        mode=params.ai_mode,
        status=ProposalStatus.CONFIRMED if is_free else ProposalStatus.PENDING,
        confidence=confidence,
        reason=given.reason,
        risk=given.risk,
        against=list(given.against),
        model=given.model,
        prompt=given.prompt,
        tokens=given.tokens,
        cost_usd=given.cost_usd,
        latency_ms=given.latency_ms,
        created_at=now,
        expires_at=now + timedelta(minutes=params.proposal_minutes),
        decided_at=now if is_free else None,
    )
    wanted = "it enters by itself" if is_free else f"confirm or reject it until {proposal.expires_at:%H:%M} UTC"
    events.emit(
        MADE,
        at=now,
        symbol=symbol,
        text=f"The AI proposes {side} {symbol} at {price:g} with a confidence of {confidence:.2f}, "
        f"proposal {proposal.pk}: {wanted}",
        payload={"proposal": proposal.pk, "status": proposal.status, "confidence": confidence},
    )
    return proposal


def _decide(
    proposal_id: int, origins: Sequence[str], to: ProposalStatus, name: str, text: str, *, now: datetime
) -> None:
    """Write what a person decided, unless somebody decided before."""
    outcome = text if to == ProposalStatus.REJECTED else ""
    with transaction.atomic():
        if Proposal.objects.filter(pk=proposal_id, status__in=origins).update(
            status=to, decided_at=now, decided_by=name, outcome=outcome
        ):
            proposal = _get(proposal_id)
            _tell(proposal, text, now)
            audit.record(
                f"proposal_{to}",
                actor=name,
                at=now,
                about=f"proposal {proposal_id}",
                text=f"The AI's proposal of {proposal.side} {proposal.symbol}: {text}",
            )


def _expire_one(proposal_id: int, now: datetime) -> bool:
    with transaction.atomic():
        for status, text in _OVERDUE.items():
            if Proposal.objects.filter(pk=proposal_id, status=status, expires_at__lte=now).update(
                status=ProposalStatus.EXPIRED, outcome=text
            ):
                _tell(_get(proposal_id), text, now)
                return True
    return False


def _get(proposal_id: int) -> Proposal:
    proposal = Proposal.objects.filter(pk=proposal_id).first()
    if proposal is None:
        raise NotOpen(f"there is no proposal {proposal_id}")
    return proposal


def _told(proposal: Proposal) -> str:
    return f"proposal {proposal.pk} is {proposal.get_status_display()}: {proposal.outcome or 'nothing can be changed'}"


def _tell(proposal: Proposal, what: str, now: datetime) -> None:
    events.emit(
        DECIDED,
        at=now,
        symbol=proposal.symbol,
        text=f"The AI's proposal {proposal.pk}, {proposal.side} {proposal.symbol}: {what}",
        payload={"proposal": proposal.pk, "status": proposal.status, "by": proposal.decided_by},
    )


def _name(who: str) -> str:
    name = who.strip()[:150]
    if not name:
        raise NotOpen("a person has to decide it: give a name")
    return name
