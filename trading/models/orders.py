"""Orders, what became of each of them step by step, and their fills."""

from __future__ import annotations

from decimal import Decimal

from django.db import models

from trading.models.fields import Quantity
from trading.models.trades import Trade


class OrderRole(models.TextChoices):
    ENTRY = "entry", "entry"
    STOP = "stop", "protective stop"
    EXIT = "exit", "exit"


class OrderStatus(models.TextChoices):
    INTENT = "intent", "recorded"
    SUBMITTING = "submitting", "permitted"
    UNKNOWN = "unknown", "outcome unknown"
    OPEN = "open", "open"
    PARTIAL = "partial", "filled in part"
    CANCELING = "canceling", "being canceled"
    FILLED = "filled", "filled"
    CANCELED = "canceled", "canceled"
    REJECTED = "rejected", "rejected"
    DENIED = "denied", "denied by us"
    ABSENT = "absent", "never arrived"
    LOST = "lost", "given up unproved"
    EXPIRED = "expired", "expired"


_RESULTS = frozenset({OrderStatus.OPEN, OrderStatus.PARTIAL, OrderStatus.FILLED, OrderStatus.CANCELED})

TRANSITIONS: dict[OrderStatus, frozenset[OrderStatus]] = {
    OrderStatus.INTENT: frozenset({OrderStatus.SUBMITTING, OrderStatus.DENIED, OrderStatus.EXPIRED}),
    # Expired straight from the send: it is certain that the venue did not take it.
    OrderStatus.SUBMITTING: _RESULTS | {OrderStatus.REJECTED, OrderStatus.UNKNOWN, OrderStatus.EXPIRED},
    OrderStatus.UNKNOWN: _RESULTS | {OrderStatus.REJECTED, OrderStatus.ABSENT, OrderStatus.LOST},
    OrderStatus.OPEN: frozenset(
        {OrderStatus.PARTIAL, OrderStatus.FILLED, OrderStatus.CANCELING, OrderStatus.CANCELED, OrderStatus.REJECTED}
    ),
    OrderStatus.PARTIAL: frozenset({OrderStatus.FILLED, OrderStatus.CANCELING, OrderStatus.CANCELED}),
    # A cancel that the venue refused leaves the order where it was.
    OrderStatus.CANCELING: _RESULTS,
    # Found after all, against the proof: it is taken up, and people are told.
    OrderStatus.ABSENT: _RESULTS,
    OrderStatus.LOST: _RESULTS,
}
"""Every step an order may take; what is not here is final."""

IN_DOUBT = (OrderStatus.SUBMITTING, OrderStatus.UNKNOWN)
UNSETTLED = (OrderStatus.INTENT, *IN_DOUBT)
RESTING = (OrderStatus.OPEN, OrderStatus.PARTIAL, OrderStatus.CANCELING)
LIVE = (*UNSETTLED, *RESTING)
NEVER_FILLED = (
    OrderStatus.REJECTED,
    OrderStatus.DENIED,
    OrderStatus.ABSENT,
    OrderStatus.LOST,
    OrderStatus.EXPIRED,
)
WATCHED = (OrderStatus.ABSENT, OrderStatus.LOST)
"""Looked for during a day: a venue may bring them up late."""


class Order(models.Model):
    """One order as intended and as it went; quantity in base, prices in quote per base."""

    trade = models.ForeignKey(Trade, on_delete=models.PROTECT, related_name="orders")
    role = models.CharField(max_length=5, choices=OrderRole.choices)
    reason = models.CharField(max_length=20, help_text="Which level or act asked for it.")
    kind = models.CharField(max_length=6)
    side = models.CharField(max_length=4)
    quantity = Quantity()
    price = Quantity(
        null=True, blank=True, help_text="Limit of a limit order, or of a stop that the venue holds as one."
    )
    trigger = Quantity(null=True, blank=True)
    level = Quantity(null=True, blank=True, help_text="Where the fill model says the watched level was filled.")
    status = models.CharField(max_length=10, choices=OrderStatus.choices, default=OrderStatus.INTENT)
    number = models.PositiveIntegerField(help_text="Counts the orders of the trade.")
    client_id = models.CharField(max_length=32, unique=True)
    venue_order_id = models.CharField(max_length=64, blank=True)
    created_at = models.DateTimeField()
    permit_at = models.DateTimeField(null=True, blank=True)
    epoch = models.PositiveBigIntegerField(null=True, blank=True, help_text="Lease epoch of the permit.")
    asked_at = models.DateTimeField(null=True, blank=True, help_text="When the venue was last asked about it.")
    missing_at = models.DateTimeField(
        null=True, blank=True, help_text="First time the venue did not know it although it could no longer arrive."
    )
    filled = Quantity(default=Decimal(0))
    note = models.TextField(blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["trade", "number"], name="one_number_per_trade"),
            models.UniqueConstraint(
                fields=["trade"],
                # A canceled quote may be followed by another one, a filled one by none.
                condition=models.Q(role="entry") & ~models.Q(status__in=(*NEVER_FILLED, OrderStatus.CANCELED)),
                name="one_live_entry",
            ),
            models.UniqueConstraint(
                fields=["trade"],
                condition=models.Q(role="stop", status__in=LIVE),
                name="one_live_stop",
            ),
            models.UniqueConstraint(
                fields=["trade", "reason"],
                condition=models.Q(role="exit") & ~models.Q(status__in=NEVER_FILLED),
                name="one_exit_per_reason",
            ),
            models.CheckConstraint(condition=models.Q(quantity__gt=0), name="order_quantity_positive"),
            models.CheckConstraint(
                condition=models.Q(price__isnull=True) | models.Q(price__gt=0), name="order_price_positive"
            ),
        ]
        indexes = [
            models.Index(fields=["status"], condition=models.Q(status__in=LIVE), name="order_live"),
            models.Index(fields=["created_at", "id"], name="order_by_created"),
            models.Index(fields=["status"], name="order_of_status"),
            models.Index(fields=["role"], name="order_of_role"),
        ]

    def __str__(self) -> str:
        return f"{self.client_id} {self.role} {self.status}"


class OrderEvent(models.Model):
    """One step of an order; append-only, gap-free by `seq`."""

    order = models.ForeignKey(Order, on_delete=models.PROTECT, related_name="events")
    seq = models.PositiveIntegerField()
    from_status = models.CharField(max_length=10, blank=True)
    to_status = models.CharField(max_length=10)
    at = models.DateTimeField()
    epoch = models.PositiveBigIntegerField(null=True, help_text="Lease epoch of whoever wrote it.")
    note = models.TextField(blank=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["order", "seq"], name="one_event_per_seq")]

    def __str__(self) -> str:
        return f"{self.from_status} -> {self.to_status}"


class Fill(models.Model):
    """One execution as the venue reported it; append-only. Fee in quote."""

    order = models.ForeignKey(Order, on_delete=models.PROTECT, related_name="fills")
    venue_fill_id = models.CharField(max_length=64, unique=True)
    quantity = Quantity()
    price = Quantity()
    fee = Quantity()
    base_fee = Quantity(default=Decimal(0), help_text="Bought base coins that the venue kept; their worth is in fee.")
    at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.quantity} at {self.price}"
