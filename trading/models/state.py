"""What the bot must remember between two ticks, and who may tick."""

from __future__ import annotations

from decimal import Decimal

from django.db import models

from trading.models.fields import Quantity


class TradingState(models.TextChoices):
    """What the account may do; exits and stops are free in every state."""

    ACTIVE = "active", "running"
    CLOSE_ONLY = "close_only", "exits only"
    HALTED = "halted", "halted"


STRICTNESS = (TradingState.ACTIVE, TradingState.CLOSE_ONLY, TradingState.HALTED)
"""From the loosest to the tightest: software moves right alone, left only people."""


class Bot(models.Model):
    """The one row of the account's state; money in quote. A database belongs to one mode and venue for good."""

    mode = models.CharField(max_length=5, default="paper")
    venue = models.CharField(max_length=40, default="simulated", help_text="Whose prices and orders these are.")

    trading_state = models.CharField(max_length=12, choices=TradingState.choices, default=TradingState.ACTIVE)
    state_reason = models.TextField(blank=True)
    reconciled_epoch = models.PositiveBigIntegerField(
        default=0, help_text="Lease epoch whose holder has compared everything with the venue; others enter nothing."
    )
    is_replaying = models.BooleanField(default=False, help_text="The simulated past is being replayed.")
    initial_balance = Quantity(default=Decimal(0))
    balance = Quantity(default=Decimal(0), help_text="Initial balance plus realised PnL less fees.")
    equity = Quantity(default=Decimal(0), help_text="Balance plus unrealised PnL.")
    peak_equity = Quantity(default=Decimal(0))
    losses_in_row = models.PositiveIntegerField(default=0)
    wins_in_row = models.PositiveIntegerField(default=0)
    last_loss_at = models.DateTimeField(null=True, blank=True)
    last_tick_at = models.DateTimeField(null=True, blank=True)
    data_at = models.DateTimeField(null=True, blank=True, help_text="Time of the newest price.")

    class Meta:
        constraints = [models.CheckConstraint(condition=models.Q(pk=1), name="one_bot")]
        permissions = [("change_trading_state", "Can halt trading and let it go on")]

    def __str__(self) -> str:
        return f"bot ({self.trading_state})"


class Lease(models.Model):
    """Who may trade until when; `epoch` grows with each new holder and is checked inside every permit."""

    name = models.CharField(max_length=20, primary_key=True)
    owner = models.CharField(max_length=100)
    epoch = models.PositiveBigIntegerField(default=0)
    expires_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.name}: {self.owner} (epoch {self.epoch})"


class StateChange(models.Model):
    """One change of the trading state; append-only. `by` is empty where the software tightened it."""

    at = models.DateTimeField()
    from_state = models.CharField(max_length=12)
    to_state = models.CharField(max_length=12)
    reason = models.TextField()
    by = models.CharField(max_length=150, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=~models.Q(reason=""), name="state_change_has_reason"),
        ]

    def __str__(self) -> str:
        return f"{self.from_state} -> {self.to_state}: {self.reason}"


class VenuePause(models.Model):
    """One pause that a venue asked for; the latest `until` of a venue counts, for every process."""

    venue = models.CharField(max_length=40)
    until = models.DateTimeField()

    class Meta:
        indexes = [models.Index(fields=["venue", "-until"], name="venue_pause_latest")]

    def __str__(self) -> str:
        return f"{self.venue} until {self.until:%Y-%m-%d %H:%M:%S}"


class TickRun(models.Model):
    """One slot of one periodic job; the unique key lets exactly one process run it."""

    job = models.CharField(max_length=20)
    slot = models.DateTimeField()
    owner = models.CharField(max_length=100)
    started_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["job", "slot"], name="one_run_per_slot")]

    def __str__(self) -> str:
        return f"{self.job} {self.slot:%Y-%m-%d %H:%M:%S}"


class Watermark(models.Model):
    """The newest bar of a series that was decided; bars without a setup leave no other trace."""

    symbol = models.CharField(max_length=30)
    timeframe = models.CharField(max_length=5)
    bar_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["symbol", "timeframe"], name="one_watermark")]

    def __str__(self) -> str:
        return f"{self.symbol} {self.timeframe} decided up to {self.bar_at}"


class DayOpening(models.Model):
    """The equity with which a UTC day began; daily and weekly loss limits are measured from it."""

    date = models.DateField(unique=True)
    equity = Quantity()

    def __str__(self) -> str:
        return f"{self.date}: {self.equity}"


class EquityPoint(models.Model):
    """Equity and balance at the start of a minute, for the curve."""

    at = models.DateTimeField(unique=True)
    equity = Quantity()
    balance = Quantity()

    def __str__(self) -> str:
        return f"{self.at}: {self.equity}"


class LastPrice(models.Model):
    """The newest price the tick saw of a symbol, for screens; decisions read the market data itself."""

    symbol = models.CharField(max_length=30, unique=True)
    price = models.FloatField(help_text="Quote per base.")
    at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.symbol} {self.price}"


class SeriesQuality(models.Model):
    """How far one series of a venue is trusted, as last judged; an empty symbol means all that its stream tells."""

    venue = models.CharField(max_length=40)
    symbol = models.CharField(max_length=30, blank=True)
    timeframe = models.CharField(max_length=5, blank=True)
    state = models.CharField(max_length=8, help_text="ok, suspect or refused.")
    reason = models.CharField(max_length=200, blank=True)
    dropped = models.PositiveBigIntegerField(default=0, help_text="Messages and rows that were not believed so far.")
    suspect_until = models.DateTimeField(
        null=True, blank=True, help_text="Nothing is entered before, for what was dropped."
    )
    at = models.DateTimeField(help_text="When it was last judged.")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["venue", "symbol", "timeframe"], name="one_series_quality")]

    def __str__(self) -> str:
        return f"{self.venue} {self.symbol or 'stream'} {self.timeframe}: {self.state}"
