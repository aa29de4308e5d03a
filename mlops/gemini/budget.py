"""The day's budget in rows: booked at its most before a question leaves, so that no number of processes can overdraw it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import ROUND_CEILING, Decimal

from django.conf import settings
from django.db.models import F

from mlops.models import GeminiUsage


@dataclass(frozen=True, slots=True, kw_only=True)
class Booking:
    """What one question may take at most; `cost` is in millionths of a US dollar."""

    day: date
    tokens: int
    cost: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Spent:
    """Today's use against what is allowed; cost in US dollars."""

    tokens: int
    most_tokens: int
    cost: Decimal
    most_cost: Decimal
    calls: int
    failures: int


def cost_of(*, tokens_in: int, tokens_out: int) -> int:
    """Return the cost in millionths of a US dollar, rounded up; prices are dollars for a million tokens."""
    exact = tokens_in * settings.GEMINI_USD_PER_MILLION_IN + tokens_out * settings.GEMINI_USD_PER_MILLION_OUT
    return int(exact.to_integral_value(rounding=ROUND_CEILING))


def book(*, tokens_in: int, tokens_out: int, now: datetime, share: float = 1.0) -> Booking | None:
    """Set aside what a question may take at most; None where the day, or its share of the day, has no room for it."""
    day = now.astimezone(UTC).date()
    booking = Booking(day=day, tokens=tokens_in + tokens_out, cost=cost_of(tokens_in=tokens_in, tokens_out=tokens_out))
    GeminiUsage.objects.get_or_create(day=day)
    room = GeminiUsage.objects.filter(
        day=day,
        tokens__lte=int(share * settings.GEMINI_TOKENS_PER_DAY) - booking.tokens,
        cost_micro_usd__lte=int(share * int(settings.GEMINI_USD_PER_DAY * 1_000_000)) - booking.cost,
    )
    taken = room.update(
        tokens=F("tokens") + booking.tokens, cost_micro_usd=F("cost_micro_usd") + booking.cost, calls=F("calls") + 1
    )
    return booking if taken else None


def settle(booking: Booking, *, tokens: int, cost: int, failed: bool) -> None:
    """Put what a question really took in place of what was booked.

    The day may end a little above its budget where the model counts tokens otherwise than we estimate.
    """
    GeminiUsage.objects.filter(day=booking.day).update(
        tokens=F("tokens") + tokens - booking.tokens,
        cost_micro_usd=F("cost_micro_usd") + cost - booking.cost,
        failures=F("failures") + int(failed),  # PostgreSQL adds no booleans
    )


def spent(*, now: datetime) -> Spent:
    row = GeminiUsage.objects.filter(day=now.astimezone(UTC).date()).first()
    return Spent(
        tokens=row.tokens if row else 0,
        most_tokens=settings.GEMINI_TOKENS_PER_DAY,
        cost=row.cost if row else Decimal(0),
        most_cost=settings.GEMINI_USD_PER_DAY,
        calls=row.calls if row else 0,
        failures=row.failures if row else 0,
    )
