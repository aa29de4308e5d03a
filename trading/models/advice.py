"""What advisers said about signals, and the trades that the AI proposes."""

from __future__ import annotations

from django.db import models

from trading.models.signals import SideChoice, Signal


class Advice(models.Model):
    """One adviser's answer to a signal; `approve` null is no opinion. Rows are never changed."""

    signal = models.ForeignKey(Signal, on_delete=models.PROTECT, related_name="advices")
    source = models.CharField(max_length=20, help_text="Name of the adviser, and of its verdict.")
    approve = models.BooleanField(null=True)
    confidence = models.FloatField(null=True, help_text="0 to 1; a predictor's is the probability of a win.")
    influence = models.FloatField(default=1.0, help_text="How much it might move the decision, 0 to 1.")
    reason = models.TextField(blank=True)
    risk = models.CharField(max_length=10, blank=True)
    against = models.JSONField(default=list, help_text="Reasons against, as a list of texts.")
    model = models.CharField(max_length=80, blank=True)
    prompt = models.CharField(max_length=80, blank=True, help_text="Version and hash.")
    tokens = models.PositiveIntegerField(default=0)
    cost_usd = models.FloatField(default=0.0)
    latency_ms = models.FloatField(default=0.0)
    features = models.JSONField(null=True, help_text="What the answer rests on, by name.")
    at = models.DateTimeField()
    is_late = models.BooleanField(default=False, help_text="It came after the decision and changed nothing.")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["signal", "source"], name="one_advice_per_source")]
        indexes = [models.Index(fields=["source", "-at"], name="advice_newest")]

    def __str__(self) -> str:
        said = "no opinion" if self.approve is None else "approves" if self.approve else "rejects"
        return f"{self.source}: {said}"


class ProposalStatus(models.TextChoices):
    PENDING = "pending", "waits for a person"
    CONFIRMED = "confirmed", "confirmed, waits for a bar"
    REJECTED = "rejected", "rejected"
    EXPIRED = "expired", "expired"
    TAKEN = "taken", "taken"
    REFUSED = "refused", "refused"


UNDECIDED = (ProposalStatus.PENDING, ProposalStatus.CONFIRMED)


class Proposal(models.Model):
    """A trade that the AI would make. Confirmed, it passes filters, guards and permit like every other entry."""

    symbol = models.CharField(max_length=30)
    side = models.CharField(max_length=5, choices=SideChoice.choices)
    price = models.FloatField(help_text="When it was proposed, quote per base.")
    mode = models.CharField(max_length=10, help_text="ai_mode when it was proposed.")
    status = models.CharField(max_length=10, choices=ProposalStatus.choices, default=ProposalStatus.PENDING)
    confidence = models.FloatField(help_text="0 to 1.")
    reason = models.TextField(blank=True)
    risk = models.CharField(max_length=10, blank=True)
    against = models.JSONField(default=list, help_text="Reasons against, as a list of texts.")
    model = models.CharField(max_length=80, blank=True)
    prompt = models.CharField(max_length=80, blank=True, help_text="Version and hash.")
    tokens = models.PositiveIntegerField(default=0)
    cost_usd = models.FloatField(default=0.0)
    latency_ms = models.FloatField(default=0.0)
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    decided_at = models.DateTimeField(null=True, blank=True)
    decided_by = models.CharField(max_length=150, blank=True, help_text="Empty: Julaba itself, in autonomous mode.")
    outcome = models.TextField(blank=True, help_text="What became of it, in words.")
    signal = models.OneToOneField(Signal, on_delete=models.PROTECT, null=True, blank=True, related_name="proposal")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["symbol"], condition=models.Q(status__in=UNDECIDED), name="one_open_proposal_per_symbol"
            )
        ]
        indexes = [models.Index(fields=["-created_at"], name="proposal_newest")]

    def __str__(self) -> str:
        return f"{self.symbol} {self.side} {self.status}"
