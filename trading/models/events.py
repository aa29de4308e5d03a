"""The journal: what happened, in order, for people and listeners."""

from __future__ import annotations

from django.db import models


class Event(models.Model):
    """One fact; append-only. `payload` holds only JSON values, money as text."""

    at = models.DateTimeField()
    kind = models.CharField(max_length=40)
    symbol = models.CharField(max_length=30, blank=True)
    text = models.TextField()
    payload = models.JSONField(default=dict)

    class Meta:
        indexes = [
            models.Index(fields=["-at"], name="event_newest"),
            models.Index(fields=["kind"], name="event_of_kind"),
            models.Index(fields=["symbol"], name="event_of_symbol"),
        ]

    def __str__(self) -> str:
        return f"{self.kind}: {self.text}"
