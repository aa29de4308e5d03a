"""What models learn from, the models themselves, the runs that make them, and how far the market has moved away."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from trading.models import Job, RunStatus, SideChoice, Signal


class SampleSource(models.TextChoices):
    BACKTEST = "backtest", "backtest"
    SHADOW = "shadow", "refused setup, followed"
    LIVE = "live", "closed trade"


class ModelKind(models.TextChoices):
    PREDICTOR = "predictor", "probability that a setup wins"
    REGIME = "regime", "favourable market state"


class ModelStatus(models.TextChoices):
    CANDIDATE = "candidate", "candidate"
    CHAMPION = "champion", "champion"
    RETIRED = "retired", "retired"
    REFUSED = "refused", "refused"


class Sample(models.Model):
    """One setup with what was known at its bar and what became of it."""

    source = models.CharField(max_length=8, choices=SampleSource.choices)
    venue = models.CharField(max_length=60, help_text="Whose candles.")
    mode = models.CharField(max_length=5, blank=True, help_text="Paper or live; empty where it is a backtest's.")
    weight = models.FloatField()
    symbol = models.CharField(max_length=30)
    timeframe = models.CharField(max_length=5)
    bar_at = models.DateTimeField(help_text="Open time of the bar that closed with the setup.")
    ended_at = models.DateTimeField(help_text="When it was known what became of it.")
    side = models.CharField(max_length=5, choices=SideChoice.choices)
    features = models.BinaryField(help_text="Little-endian float64, one by name of the schema; NaN where missing.")
    schema_hash = models.CharField(max_length=64)
    passed = models.BooleanField(help_text="Every filter let it pass.")
    won = models.BooleanField(help_text="It made money after costs.")
    r = models.FloatField(help_text="What it made after costs, over what was lost at the first stop.")
    at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["source", "venue", "symbol", "timeframe", "bar_at"], name="one_sample_per_bar"
            ),
            models.CheckConstraint(condition=Q(weight__gt=0), name="sample_weight_positive"),
        ]
        indexes = [models.Index(fields=["venue", "schema_hash"], name="sample_by_venue")]

    def __str__(self) -> str:
        return f"{self.source} {self.symbol} {self.timeframe} {self.bar_at:%Y-%m-%d %H:%M}"


class ModelVersion(models.Model):
    """One trained model. Its file lies in the data directory and counts only with the right SHA-256."""

    kind = models.CharField(max_length=9, choices=ModelKind.choices)
    number = models.PositiveIntegerField()
    status = models.CharField(max_length=9, choices=ModelStatus.choices)
    reason = models.TextField(help_text="Why it has this status.")
    decided_by_name = models.CharField(max_length=150)
    decided_at = models.DateTimeField()
    created_by_name = models.CharField(max_length=150)
    created_at = models.DateTimeField()
    promoted_at = models.DateTimeField(null=True, blank=True, help_text="When it last became the champion.")

    venue = models.CharField(max_length=60, help_text="Whose candles it was trained on.")
    timeframe = models.CharField(max_length=5)
    trained_until = models.DateTimeField(null=True, blank=True, help_text="End of the newest sample it has seen.")
    samples = models.PositiveIntegerField()
    data_hash = models.CharField(max_length=64)
    schema_hash = models.CharField(max_length=64)
    code_version = models.CharField(max_length=40)
    settings = models.JSONField(default=dict, help_text="How it was trained.")
    metrics = models.JSONField(default=dict, help_text="Out of sample.")
    importance = models.JSONField(default=dict, help_text="Share of each feature, by name.")
    calibration = models.JSONField(default=dict, help_text="Plain numbers: slope and intercept.")
    profile = models.JSONField(default=dict, help_text="By feature: edges of the bins, and the share in each.")

    path = models.CharField(max_length=200, blank=True, help_text="File in the folder of models; empty: none was made.")
    sha256 = models.CharField(max_length=64, blank=True)

    influence = models.FloatField(default=0.0, help_text="How much it may move a decision, 0 to 1, as earned.")
    influence_reason = models.TextField(blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["kind", "number"], name="one_model_per_number"),
            models.UniqueConstraint(
                fields=["kind"], condition=Q(status=ModelStatus.CHAMPION), name="one_champion_per_kind"
            ),
            models.CheckConstraint(condition=Q(influence__gte=0, influence__lte=1), name="influence_is_a_fraction"),
        ]
        permissions = [("promote_model", "Can promote, retire and roll back models")]

    def __str__(self) -> str:
        return f"{self.kind} {self.number}"


class ChallengerAnswer(models.Model):
    """What a candidate would have said of a signal; it moved nothing."""

    version = models.ForeignKey(ModelVersion, on_delete=models.CASCADE, related_name="answers")
    signal = models.ForeignKey(Signal, on_delete=models.PROTECT, related_name="+")
    confidence = models.FloatField(help_text="0 to 1.")
    at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["version", "signal"], name="one_answer_per_challenger")]

    def __str__(self) -> str:
        return f"{self.version_id} of {self.signal_id}: {self.confidence:.3f}"


class TrainingRun(Job):
    """One training that was asked for. Its worker owns one attempt; only the newest attempt writes."""

    kind = models.CharField(max_length=9, choices=ModelKind.choices)
    options = models.JSONField(default=dict, help_text="Whose candles, which symbols, how samples are made.")
    requested_by_name = models.CharField(max_length=150)
    requested_at = models.DateTimeField()

    error = models.TextField(blank=True, help_text="One sentence: why there is no model.")
    version = models.ForeignKey(ModelVersion, null=True, blank=True, on_delete=models.PROTECT, related_name="runs")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["kind"], condition=Q(status=RunStatus.QUEUED), name="one_training_waits_per_kind"
            )
        ]
        indexes = [models.Index(fields=["status", "-requested_at"], name="training_newest")]

    def __str__(self) -> str:
        return f"training of {self.kind}, {self.status}"


class DriftReport(models.Model):
    """How far what a model is asked has moved from what it was trained on, and how right it was of late."""

    version = models.ForeignKey(ModelVersion, on_delete=models.PROTECT, related_name="drift_reports")
    at = models.DateTimeField()
    asked = models.PositiveIntegerField(help_text="Newest questions that were compared.")
    features = models.JSONField(help_text="Population stability index by feature; null: too little to compare.")
    worst = models.FloatField(null=True, help_text="The largest of them.")
    judged = models.PositiveIntegerField(help_text="Newest answers whose outcome is known.")
    calibration = models.FloatField(null=True, help_text="Mean probability less the share that won.")
    accuracy = models.FloatField(null=True, help_text="Share of the answers that were right.")
    alerts = models.JSONField(default=list, help_text="Sentences; none: nothing is wrong.")

    class Meta:
        indexes = [models.Index(fields=["version", "-at"], name="drift_newest")]

    def __str__(self) -> str:
        return f"drift of {self.version_id} at {self.at:%Y-%m-%d %H:%M}"
