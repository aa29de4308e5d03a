"""Signals: setups that were judged, with every verdict."""

from __future__ import annotations

from django.db import models

from trading.models.parameters import ParameterRevision


class SignalStatus(models.TextChoices):
    TAKEN = "taken", "taken"
    REFUSED = "refused", "refused"
    EXPIRED = "expired", "expired"
    AWAITING = "awaiting", "awaiting advice"


class SideChoice(models.TextChoices):
    LONG = "long", "long"
    SHORT = "short", "short"


class Signal(models.Model):
    """A setup as a row. The unique key makes a bar of a series be decided once, by whoever comes first."""

    symbol = models.CharField(max_length=30)
    timeframe = models.CharField(max_length=5)
    bar_at = models.DateTimeField(help_text="Open time of the bar that closed with the setup.")
    strategy = models.CharField(max_length=50)
    side = models.CharField(max_length=5, choices=SideChoice.choices)
    status = models.CharField(max_length=10, choices=SignalStatus.choices)
    refused_by = models.CharField(max_length=40, blank=True)
    reason = models.TextField(blank=True)
    price = models.FloatField(help_text="Close of the bar, quote per base.")
    atr = models.FloatField(help_text="Average true range, quote per base.")
    regime = models.CharField(max_length=12)
    score = models.FloatField(null=True, help_text="Technical score, 0 to 100; null where an indicator had no value.")
    indicators = models.JSONField(help_text="Each indicator at the bar; null where it had no value.")
    decided_at = models.DateTimeField(help_text="While it awaits advice: since when.")
    advice_due_at = models.DateTimeField(
        null=True, blank=True, help_text="Until when advisers outside the tick could answer; null: none was asked."
    )
    revision = models.ForeignKey(ParameterRevision, on_delete=models.PROTECT, related_name="signals")
    code_version = models.CharField(max_length=20)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["symbol", "timeframe", "bar_at"], name="one_decision_per_bar")]
        indexes = [
            models.Index(fields=["-decided_at"], name="signal_newest"),
            models.Index(fields=["symbol", "id"], name="signal_by_symbol"),
            models.Index(fields=["score", "id"], name="signal_by_score"),
            models.Index(fields=["side"], name="signal_of_side"),
            models.Index(fields=["status", "-decided_at"], name="signal_of_status"),
            models.Index(fields=["refused_by"], name="signal_of_refusal"),
            models.Index(fields=["strategy"], name="signal_of_strategy"),
            models.Index(
                fields=["advice_due_at"], condition=models.Q(status=SignalStatus.AWAITING), name="signal_awaiting"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.symbol} {self.timeframe} {self.bar_at:%Y-%m-%d %H:%M} {self.side}"


class SignalVerdict(models.Model):
    """One filter's or guard's answer to a signal, in the order asked."""

    signal = models.ForeignKey(Signal, on_delete=models.PROTECT, related_name="verdicts")
    position = models.PositiveSmallIntegerField()
    name = models.CharField(max_length=40)
    passed = models.BooleanField()
    value = models.FloatField(null=True)
    limit = models.FloatField(null=True)
    reason = models.TextField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["signal", "position"], name="one_verdict_per_position")]

    def __str__(self) -> str:
        return f"{self.name}: {'pass' if self.passed else 'refuse'}"
