"""What Gemini costs, whether it is left alone, and what people asked and were told."""

from __future__ import annotations

from decimal import Decimal

from django.conf import settings
from django.db import models
from django.db.models import Q


class GeminiUsage(models.Model):
    """One UTC day of questions to Gemini. A question is booked at its most before it is asked, then at what it took."""

    day = models.DateField(unique=True)
    tokens = models.PositiveBigIntegerField(default=0)
    cost_micro_usd = models.PositiveBigIntegerField(default=0, help_text="Millionths of a US dollar.")
    calls = models.PositiveIntegerField(default=0)
    failures = models.PositiveIntegerField(default=0, help_text="Calls without an answer that could be used.")

    def __str__(self) -> str:
        return f"{self.day}: {self.calls} calls, {self.tokens} tokens"

    @property
    def cost(self) -> Decimal:
        """Return the cost in US dollars."""
        return Decimal(self.cost_micro_usd) / 1_000_000


class GeminiState(models.Model):
    """One row. The breaker: after some failures in a row Gemini is left alone for a while, then one question tries it.

    And how far the search for proposals has come.
    """

    failures_in_row = models.PositiveIntegerField(default=0)
    open_until = models.DateTimeField(null=True, help_text="Nobody asks before; empty: it is asked.")
    last_error = models.CharField(max_length=200, blank=True)
    last_error_at = models.DateTimeField(null=True)
    answered_at = models.DateTimeField(null=True, help_text="When an answer came that could be used.")
    searched_bar_at = models.DateTimeField(null=True, help_text="Newest bar that was searched for a proposal.")

    class Meta:
        constraints = [models.CheckConstraint(condition=Q(pk=1), name="one_gemini_state")]

    def __str__(self) -> str:
        return f"{self.failures_in_row} failures in a row"


class ChatKind(models.TextChoices):
    EXPLAIN = "explain", "explanation of a panel"
    COMMENTARY = "commentary", "market commentary"
    ANALYSIS = "analysis", "analysis of a symbol"
    CHAT = "chat", "question"


class ChatSource(models.TextChoices):
    GEMINI = "gemini", "Gemini"
    RULES = "rules", "rules"


class ChatMessage(models.Model):
    """One question and its answer. An answer is text to read; nothing in it is ever carried out."""

    kind = models.CharField(max_length=10, choices=ChatKind.choices)
    topic = models.CharField(max_length=40, blank=True, help_text="The panel or the symbol.")
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    user_name = models.CharField(max_length=150)
    reply_to = models.CharField(
        max_length=60, blank=True, help_text="Where the answer is sent besides; empty: nowhere."
    )
    question = models.TextField(blank=True)
    asked_at = models.DateTimeField()
    is_waiting = models.BooleanField(default=False, help_text="Gemini was asked and has not answered yet.")
    answer = models.TextField(help_text="While Gemini is asked: what the rules say.")
    source = models.CharField(max_length=10, choices=ChatSource.choices, default=ChatSource.RULES)
    note = models.CharField(max_length=200, blank=True, help_text="Why it is not Gemini that answered.")
    answered_at = models.DateTimeField(null=True)
    model = models.CharField(max_length=60, blank=True)
    prompt = models.CharField(max_length=60, blank=True, help_text="Version and hash.")
    tokens = models.PositiveIntegerField(default=0)
    cost_micro_usd = models.PositiveBigIntegerField(default=0, help_text="Millionths of a US dollar.")
    latency_ms = models.FloatField(default=0.0)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["user"], condition=Q(is_waiting=True), name="one_question_at_a_time"),
        ]
        indexes = [
            models.Index(fields=["-asked_at"], name="chat_newest"),
            models.Index(fields=["user", "-asked_at"], name="chat_of_user"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.topic}".rstrip()
