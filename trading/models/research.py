"""Backtests that were asked for, and parameters that wait to be put in force."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q

from trading.models.jobs import Attempted, Job
from trading.models.parameters import ParameterRevision


class RunKind(models.TextChoices):
    BACKTEST = "backtest", "backtest"
    COMPARISON = "comparison", "comparison with the parameters in force"
    SWEEP = "sweep", "sweep"
    WALK = "walk", "walk-forward"
    MONTECARLO = "montecarlo", "Monte Carlo"
    PARITY = "parity", "parity with what was really decided"


class BacktestRun(Job):
    """One backtest or study, or one comparison of two sets of parameters on the same candles.

    Whoever works on it owns one attempt; a result is written only by the attempt that is the newest.
    """

    kind = models.CharField(max_length=10, choices=RunKind.choices, default=RunKind.BACKTEST)
    parameters = models.JSONField(help_text="Every parameter by name.")
    against = models.JSONField(null=True, blank=True, help_text="Those that a comparison compares with.")
    symbols = models.JSONField(help_text="List of symbols.")
    timeframe = models.CharField(max_length=5)
    start_at = models.DateTimeField(
        null=True, blank=True, help_text="First moment to trade; empty: the first there is."
    )
    end_at = models.DateTimeField(null=True, blank=True, help_text="Last moment to trade; empty: the last there is.")
    exchange = models.CharField(max_length=60, blank=True, help_text="Whose candles; empty: those that are traded on.")
    plan = models.JSONField(
        null=True, blank=True, help_text="What a study was asked besides: what to vary, windows, draws."
    )
    seed = models.PositiveBigIntegerField(null=True, blank=True, help_text="Draws slippage; empty: it is constant.")
    note = models.TextField(blank=True)
    requested_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    requested_by_name = models.CharField(max_length=150)
    requested_at = models.DateTimeField()

    data_hash = models.CharField(max_length=64, blank=True, help_text="SHA-256 of the candles it was made on.")
    code_version = models.CharField(max_length=40, blank=True)
    result = models.JSONField(null=True, blank=True, help_text="The report; money is text.")
    error = models.TextField(blank=True, help_text="One sentence: why there is no result.")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["requested_by_name"],
                condition=Q(status="queued") & ~Q(kind="comparison"),
                name="one_queued_run_each",
            ),
            models.CheckConstraint(condition=Q(progress__lte=100), name="run_progress_is_percent"),
            models.CheckConstraint(
                condition=~Q(status="done") | Q(result__isnull=False), name="run_that_is_done_has_result"
            ),
        ]
        indexes = [models.Index(fields=["-requested_at"], name="backtest_run_newest")]

    def __str__(self) -> str:
        return f"run {self.pk} ({self.status})"


class RunPart(Attempted):
    """A part of a study that several workers share: points of a sweep, or a window of a walk forward.

    Which part of the study it is follows from its number and the run's plan; it goes with its run's result.
    """

    run = models.ForeignKey(BacktestRun, on_delete=models.CASCADE, related_name="parts")
    number = models.PositiveIntegerField(help_text="From 0.")
    size = models.PositiveIntegerField(help_text="Points that it tries.")
    done = models.PositiveIntegerField(default=0, help_text="Of them.")
    found = models.BinaryField(null=True, help_text="Trials, as research.packing packs them.")
    error = models.TextField(blank=True, help_text="One sentence: why nothing was found.")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["run", "number"], name="run_part_once")]

    def __str__(self) -> str:
        return f"part {self.number} of run {self.run_id} ({self.status})"


class DraftStatus(models.TextChoices):
    WAITING = "waiting", "is being compared"
    HELD = "held", "held back: a person has to decide"
    ACTIVE = "active", "in force since"
    STALE = "stale", "overtaken by another revision"
    DISCARDED = "discarded", "discarded"


class ParameterDraft(models.Model):
    """Valid parameters that somebody wants in force, and what the gate found; it stays when it became a revision."""

    base = models.ForeignKey(ParameterRevision, on_delete=models.PROTECT, related_name="+")
    values = models.JSONField(help_text="Every parameter by name.")
    changes = models.JSONField(help_text="List of {name, old, new} against the base.")
    reason = models.TextField(help_text="Why it should be changed.")
    author = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    author_name = models.CharField(max_length=150)
    created_at = models.DateTimeField()

    status = models.CharField(max_length=10, choices=DraftStatus.choices, default=DraftStatus.WAITING)
    run = models.OneToOneField(BacktestRun, null=True, on_delete=models.SET_NULL, related_name="draft")
    finding = models.TextField(blank=True, help_text="What the comparison found, in one sentence.")
    comparison = models.JSONField(null=True, blank=True, help_text="Both sides' figures and each rule's verdict.")
    settled_at = models.DateTimeField(null=True, blank=True)
    settled_by = models.CharField(max_length=150, blank=True, help_text="Who overruled the gate or discarded it.")
    overrule_reason = models.TextField(blank=True)
    revision = models.OneToOneField(
        ParameterRevision, null=True, blank=True, on_delete=models.PROTECT, related_name="draft"
    )

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(status="active", revision__isnull=False) | (~Q(status="active") & Q(revision__isnull=True)),
                name="active_draft_has_revision",
            )
        ]
        indexes = [models.Index(fields=["-created_at"], name="parameter_draft_newest")]
        permissions = [("overrule_gate", "Can put parameters in force that the gate holds back")]

    def __str__(self) -> str:
        return f"draft {self.pk} ({self.status})"
