"""What the bot must remember between two ticks, and who may tick."""

from __future__ import annotations

from decimal import Decimal

from django.db import models

from trading.models.fields import Quantity


class TradingState(models.TextChoices):
    ACTIVE = "active", "running"
    PAUSED = "paused", "paused"


class Bot(models.Model):
    """The one row of the account's state; money in quote."""

    trading_state = models.CharField(max_length=12, choices=TradingState.choices, default=TradingState.ACTIVE)
    state_reason = models.TextField(blank=True)
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
