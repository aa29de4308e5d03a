"""Trades: positions as rows, from the plan to the last exit."""

from __future__ import annotations

from decimal import Decimal

from django.db import models
from django.db.models import F, FloatField, Func
from django.db.models.functions import Abs, Cast, NullIf

from trading.models.fields import Quantity
from trading.models.parameters import ParameterRevision
from trading.models.signals import SideChoice, Signal


class Mode(models.TextChoices):
    PAPER = "paper", "paper"
    LIVE = "live", "live"


class TradeStatus(models.TextChoices):
    OPENING = "opening", "opening"
    OPEN = "open", "open"
    CLOSED = "closed", "closed"
    CANCELED = "canceled", "canceled"


ACTIVE = (TradeStatus.OPENING, TradeStatus.OPEN)
NET = Cast(F("gross_pnl") - F("fees"), FloatField())
_RISK = Abs(Cast("entry_price", FloatField()) - F("first_stop")) * Cast("quantity", FloatField())
# A number in the text of the query: SQLite finds no index for an expression with a parameter.
R = NET / NullIf(_RISK, Func(template="0.0", output_field=FloatField()))
"""What a trade made after fees, in quote and in units of its first risk: as lists sort it, and as it is indexed."""


class Trade(models.Model):
    """One position. Prices and money in quote, quantities in base; levels are floats on the price grid."""

    signal = models.OneToOneField(Signal, on_delete=models.PROTECT, related_name="trade")
    revision = models.ForeignKey(ParameterRevision, on_delete=models.PROTECT, related_name="trades")
    mode = models.CharField(max_length=5, choices=Mode.choices)
    symbol = models.CharField(max_length=30)
    side = models.CharField(max_length=5, choices=SideChoice.choices)
    status = models.CharField(max_length=10, choices=TradeStatus.choices, default=TradeStatus.OPENING)
    created_at = models.DateTimeField()
    opened_at = models.DateTimeField(null=True, blank=True)
    closed_at = models.DateTimeField(null=True, blank=True)
    exit_reason = models.CharField(max_length=20, blank=True)

    planned_quantity = Quantity(help_text="Base.")
    planned_entry = Quantity(help_text="Quote per base, slippage included.")
    quantity = Quantity(default=Decimal(0), help_text="Base that was bought or sold short.")
    remaining = Quantity(default=Decimal(0), help_text="Base still open.")
    entry_price = Quantity(default=Decimal(0), help_text="Mean fill price, quote per base.")
    cost = Quantity(default=Decimal(0), help_text="Quote that the open quantity was entered for.")
    fees = Quantity(default=Decimal(0), help_text="Quote, all fills.")
    gross_pnl = Quantity(default=Decimal(0), help_text="Quote, realised, before fees.")
    equity_at_entry = Quantity(help_text="Quote.")
    risk_fraction = models.FloatField(help_text="Of equity, lost at the first stop.")
    risk_factors = models.JSONField()

    rules = models.JSONField(help_text="The exit rules fixed at entry; null: never.")
    first_stop = models.FloatField()
    stop = models.FloatField()
    stop_reason = models.PositiveSmallIntegerField(default=0, help_text="core.position.ExitReason of the stop.")
    remaining_fraction = models.FloatField(default=1.0)
    targets_hit = models.PositiveSmallIntegerField(default=0)
    best = models.FloatField(help_text="Best price since entry.")
    worst = models.FloatField(null=True, blank=True, help_text="Worst price since entry; null: it was not followed.")
    bars = models.PositiveIntegerField(default=0)
    unprotected_at = models.DateTimeField(
        null=True, blank=True, help_text="Since when no stop is sure to rest at the venue; null: one does."
    )
    last_bar_at = models.DateTimeField(help_text="Open time of the newest bar that the position has seen.")
    is_entering = models.BooleanField(
        default=False, help_text="Quoted by limit orders, and one of them rests or another entry order may follow."
    )

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["mode", "symbol"],
                condition=models.Q(status__in=ACTIVE),
                name="one_open_trade_per_symbol",
            ),
            models.CheckConstraint(condition=models.Q(planned_quantity__gt=0), name="trade_quantity_positive"),
            models.CheckConstraint(condition=models.Q(remaining__gte=0), name="trade_never_crosses_zero"),
        ]
        indexes = [
            models.Index(fields=["status", "-closed_at"], name="trade_closed_newest"),
            # One for each order and each filter of the lists, so that a million trades are none too many.
            models.Index(fields=["created_at", "id"], name="trade_by_created"),
            models.Index(fields=["closed_at", "id"], name="trade_by_closed"),
            models.Index(fields=["symbol", "id"], name="trade_by_symbol"),
            models.Index(fields=["fees", "id"], name="trade_by_fees"),
            models.Index(NET, "id", name="trade_by_net"),
            models.Index(R, "id", name="trade_by_r"),
            models.Index(fields=["side"], name="trade_of_side"),
            models.Index(fields=["exit_reason"], name="trade_of_exit"),
        ]

    def __str__(self) -> str:
        return f"{self.symbol} {self.side} {self.status}"

    @property
    def pnl(self) -> Decimal:
        """Return what the trade has made after fees, in quote."""
        return self.gross_pnl - self.fees

    @property
    def sign(self) -> int:
        return 1 if self.side == SideChoice.LONG else -1

    def worse(self, price: float) -> float | None:
        """Return the worse of a price and the worst one so far; None where that is not known."""
        return None if self.worst is None else self.sign * min(self.sign * self.worst, self.sign * price)
