"""What people ask of open trades by hand: a part to be closed, another stop; the tick does it, or says why not."""

from __future__ import annotations

from django.db import models

from trading.models.fields import Quantity
from trading.models.orders import Order
from trading.models.trades import Trade


class InstructedAct(models.TextChoices):
    PART = "part", "close a part"
    STOP = "stop", "move the stop"
    BREAK_EVEN = "break_even", "stop to break-even"


class InstructionStatus(models.TextChoices):
    WAITING = "waiting", "waits for the next tick"
    SENT = "sent", "sent"
    DONE = "done", "done"
    REFUSED = "refused", "not done"


OPEN_INSTRUCTIONS = (InstructionStatus.WAITING, InstructionStatus.SENT)


class Instruction(models.Model):
    """One act by hand and what became of it. Quantity in base, the stop in quote per base."""

    trade = models.ForeignKey(Trade, on_delete=models.PROTECT, related_name="instructions")
    act = models.CharField(max_length=10, choices=InstructedAct.choices)
    fraction = models.FloatField(null=True, blank=True, help_text="Of what is open when it is done.")
    quantity = Quantity(null=True, blank=True)
    stop = models.FloatField(null=True, blank=True, help_text="As asked; of break-even, as it was set.")
    stop_before = models.FloatField(null=True, blank=True)
    share = models.FloatField(default=0.0, help_text="Of the first quantity, taken off the position when it was sent.")
    order = models.OneToOneField(Order, on_delete=models.PROTECT, null=True, blank=True, related_name="instruction")
    reason = models.CharField(max_length=200, blank=True)
    by = models.CharField(max_length=150)
    key = models.CharField(max_length=64, unique=True, help_text="The same press of a button, however often it comes.")
    status = models.CharField(max_length=8, choices=InstructionStatus.choices, default=InstructionStatus.WAITING)
    asked_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)
    text = models.CharField(max_length=500, blank=True, help_text="What became of it, in a sentence.")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["trade"],
                condition=models.Q(status__in=OPEN_INSTRUCTIONS),
                name="one_open_instruction_per_trade",
            ),
        ]
        indexes = [
            models.Index(fields=["status"], condition=models.Q(status__in=OPEN_INSTRUCTIONS), name="instruction_open"),
        ]

    def __str__(self) -> str:
        return f"{self.act} of trade {self.trade_id}: {self.status}"
