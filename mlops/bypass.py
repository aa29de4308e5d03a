"""Takes an adviser's word away when it did harm over many decisions, and gives it back: by rule, or by a person.

A bypassed adviser is asked all the same, so its decisions go on being counted; its opinion is no opinion.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.db import transaction

from mlops.models import Bypass
from trading import events

if TYPE_CHECKING:
    from mlops.opinions import Source
    from mlops.scorecard import Value

LONGEST_REASON = 200


class NotBypassed(ValueError):
    """There is nothing to lift, or the reason is missing; one sentence."""


def bypassed() -> frozenset[str]:
    """Return the sources whose opinion counts for nothing at present."""
    return frozenset(Bypass.objects.filter(ended_at=None).values_list("source", flat=True))


def judge(sources: Mapping[str, Source], *, now: datetime) -> None:
    """Bypass each adviser whose value's interval lies below zero, and give back the word of those where it does not.

    Only the newest decisions count, BYPASS_DECISIONS of them, and after a person's word only those made since.
    """
    standing = bypassed()
    for name, source in sources.items():
        if source.kind != "adviser":
            continue
        value = _value(source)
        does_harm = value is not None and value.r.high is not None and value.r.high < 0
        if value is not None and does_harm and name not in standing:
            _begin(name, value, now)
        elif name in standing and not does_harm:
            _end(name, reason="its interval no longer lies below zero", by="", now=now)


def lift(source: str, *, reason: str, by: str, now: datetime) -> Bypass:
    """Give an adviser its word back at a person's request; raises NotBypassed."""
    why = reason.strip()
    if not why:
        raise NotBypassed("the reason is missing: say why, it is kept and shown")
    if len(why) > LONGEST_REASON:
        raise NotBypassed(f"the reason has more than {LONGEST_REASON} characters: say it shorter")
    row = _end(source, reason=why, by=by, now=now)
    if row is None:
        raise NotBypassed(f"{source} is not bypassed")
    return row


def _value(source: Source) -> Value | None:
    """Return what the newest decisions were worth; None where there are too few."""
    from mlops import scorecard

    lifted = Bypass.objects.filter(source=source.name).exclude(ended_by="").order_by("-ended_at").first()
    if lifted is not None and lifted.ended_at is not None:
        source = source.since(lifted.ended_at)
    count = settings.BYPASS_DECISIONS
    return scorecard.value(source.decisions.tail(count)) if len(source.decisions) >= count else None


def _begin(source: str, value: Value, now: datetime) -> None:
    low, high, made = value.r.low, value.r.high, value.r.actual
    reason = (
        f"over its last {settings.BYPASS_DECISIONS} decisions it was worth {made:+.2f} R, "
        f"with 95 % certainty between {low:+.2f} and {high:+.2f} R"
    )
    figures: dict[str, Any] = {
        "decisions": settings.BYPASS_DECISIONS,
        "stopped": value.stopped,
        "value": made,
        "low": low,
        "high": high,
    }
    with transaction.atomic():
        _, is_new = Bypass.objects.get_or_create(
            source=source, ended_at=None, defaults={"began_at": now, "reason": reason, "figures": figures}
        )
        if is_new:
            text = f"The opinion of {source} counts for nothing from now on: {reason}"
            events.emit("bypass", at=now, text=text, payload={"source": source, **figures})


def _end(source: str, *, reason: str, by: str, now: datetime) -> Bypass | None:
    with transaction.atomic():
        standing = Bypass.objects.filter(source=source, ended_at=None)
        row = standing.first()
        if row is None or not standing.filter(pk=row.pk).update(ended_at=now, ended_reason=reason, ended_by=by):
            return None
        text = f"The opinion of {source} counts again{f', by {by}' if by else ''}: {reason}"
        events.emit("bypass_lifted", at=now, text=text, payload={"source": source, "by": by})
        row.refresh_from_db()
        return row
