"""What became of refused setups, which advisers count for nothing at present, and the figures of the reports."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from trading.models import Signal
from trading.models.fields import Quantity


class ShadowState(models.TextChoices):
    OPEN = "open", "open"
    CLOSED = "closed", "closed"
    VOID = "void", "void"


class ShadowOutcome(models.Model):
    """The trade that a refused setup would have been: the same plan, followed over the bars that came, with costs.

    A void one could not have been traded; `reason` says why.
    """

    signal = models.OneToOneField(Signal, on_delete=models.PROTECT, related_name="shadow")
    refused_by = models.CharField(max_length=40)
    state = models.CharField(max_length=6, choices=ShadowState.choices, default=ShadowState.OPEN)
    reason = models.TextField(blank=True)
    due_at = models.DateTimeField(help_text="When its next bar has closed, or when it is looked at again.")
    next_bar_at = models.DateTimeField(help_text="Open time of the first bar that was not followed yet.")
    plan = models.JSONField(default=dict, help_text="Quantity, stop, exit rules, grid and costs; empty before entry.")
    position = models.JSONField(default=list, help_text="The state machine's value; empty before entry.")
    exits = models.JSONField(default=list, help_text="Each part that left: moment, price, quantity, reason and fee.")
    entry = Quantity(null=True, help_text="Quote per base, slippage included.")
    exit = Quantity(null=True, help_text="Mean price of all exits, quote per base.")
    pnl = Quantity(null=True, help_text="Quote, after fees.")
    r = models.FloatField(null=True, help_text="PnL over what the way from entry to first stop is worth.")
    won = models.BooleanField(null=True)
    bars = models.PositiveIntegerField(default=0, help_text="Bars that it was held for.")
    end_reason = models.CharField(max_length=20, blank=True)
    opened_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [
            models.Index(fields=["due_at"], name="shadow_due", condition=Q(state="open")),
            models.Index(fields=["-ended_at"], name="shadow_newest"),
        ]

    def __str__(self) -> str:
        return f"shadow of signal {self.signal_id}: {self.state}"


class Bypass(models.Model):
    """A time in which an adviser's opinion counts for nothing: it did harm over so many decisions."""

    source = models.CharField(max_length=40)
    began_at = models.DateTimeField()
    reason = models.TextField()
    figures = models.JSONField(help_text="Decisions, value in R and its interval, when it began.")
    ended_at = models.DateTimeField(null=True, blank=True)
    ended_reason = models.TextField(blank=True)
    ended_by = models.CharField(max_length=150, blank=True, help_text="Empty: by rule.")

    class Meta:
        verbose_name_plural = "bypasses"
        constraints = [
            models.UniqueConstraint(fields=["source"], condition=Q(ended_at=None), name="one_bypass_per_source")
        ]

    def __str__(self) -> str:
        return f"{self.source} since {self.began_at:%Y-%m-%d %H:%M}"


class Scorecard(models.Model):
    """The figures of all sources over a span, as they were at `at`: pages read them and compute nothing."""

    days = models.PositiveSmallIntegerField(unique=True, help_text="0: everything on record.")
    at = models.DateTimeField()
    figures = models.JSONField()

    def __str__(self) -> str:
        return f"scorecard of {self.days} days"
