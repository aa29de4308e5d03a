"""What one person asked for and another has to consent to before it is done."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import F, Q


class ConsentAct(models.TextChoices):
    """What needs two people, where SECOND_PERSON says so."""

    LOOSEN = "loosen", "lift a restriction of trading"
    OVERRULE = "overrule", "put a draft in force"
    ROLL_BACK = "roll_back", "put an earlier revision in force"
    LIVE = "live", "trade real money"


class ConsentAnswer(models.TextChoices):
    OPEN = "", "waits"
    GIVEN = "given", "given"
    REFUSED = "refused", "refused"


class Consent(models.Model):
    """One request. The deed is done in the very transaction in which consent is given, in the name of who asked."""

    act = models.CharField(max_length=9, choices=ConsentAct)
    about = models.CharField(max_length=100, help_text="What exactly, such as draft 12.")
    text = models.CharField(max_length=500, help_text="What will happen, in a sentence.")
    arguments = models.JSONField(default=dict)
    reason = models.CharField(max_length=500)
    asked_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    asked_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    answer = models.CharField(max_length=7, choices=ConsentAnswer, default=ConsentAnswer.OPEN, blank=True)
    answered_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", null=True, blank=True
    )
    answered_at = models.DateTimeField(null=True, blank=True)
    outcome = models.CharField(max_length=500, blank=True)

    class Meta:
        indexes = (models.Index(fields=["answer", "expires_at"], name="consent_open"),)
        constraints = (
            models.CheckConstraint(
                name="consent_is_given_by_another",
                condition=~Q(answer=ConsentAnswer.GIVEN) | ~Q(answered_by=F("asked_by")),
            ),
            models.CheckConstraint(
                name="consent_answer_has_a_name",
                condition=Q(answer="", answered_by__isnull=True, answered_at__isnull=True)
                | ~Q(answer="") & Q(answered_by__isnull=False, answered_at__isnull=False),
            ),
        )

    def __str__(self) -> str:
        return f"request {self.pk}: {self.text}"
