"""The admin: who is allowed, how they hear of what, thresholds of alerts; what was sent and received is read only."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.http import HttpRequest
from django.utils import timezone

from notifications.kinds import CHOICES, KINDS, RULED
from notifications.models import Alert, AlertRule, Confirmation, Contact, Delivery, Preference, Update
from trading.admin_readonly import ReadOnly
from trading.services import audit


class PreferenceForm(forms.ModelForm):  # type: ignore[type-arg]
    kind = forms.ChoiceField(choices=CHOICES)

    class Meta:
        model = Preference
        fields = ("kind", "voice")


class PreferenceInline(admin.TabularInline):  # type: ignore[type-arg]
    model = Preference
    form = PreferenceForm
    extra = 0


def _tell(request: HttpRequest, contact: Contact, text: str) -> None:
    details = {"telegram_user": contact.telegram_user_id, "chat": contact.chat_id}
    name = request.user.get_username()
    audit.record("contact", actor=name, at=timezone.now(), about=str(contact.user), text=text, details=details)


@admin.register(Contact)
class ContactAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    list_display = ("user", "telegram_user_id", "chat_id", "receives")
    list_select_related = ("user",)
    inlines = (PreferenceInline,)
    actions = None

    def log_addition(self, request: HttpRequest, obj: Contact, message: Any) -> LogEntry:
        _tell(request, obj, "Let somebody in by Telegram")
        return super().log_addition(request, obj, message)

    def log_change(self, request: HttpRequest, obj: Contact, message: Any) -> LogEntry:
        _tell(request, obj, "Changed who comes in by Telegram")
        return super().log_change(request, obj, message)

    def delete_model(self, request: HttpRequest, obj: Contact) -> None:
        super().delete_model(request, obj)
        _tell(request, obj, "Let somebody in by Telegram no more")


def _tell_rule(request: HttpRequest, rule: AlertRule, text: str) -> None:
    """Write down how loud an alert is from now on: who silences one covers what comes after."""
    details = {name: getattr(rule, name) for name in AlertRuleForm.Meta.fields if name != "kind"}
    name = request.user.get_username()
    audit.record("alert_rule", actor=name, at=timezone.now(), about=rule.kind, text=text, details=details)


class AlertRuleForm(forms.ModelForm):  # type: ignore[type-arg]
    kind = forms.ChoiceField(choices=[(name, KINDS[name].text) for name in RULED])

    class Meta:
        model = AlertRule
        fields = ("kind", "is_on", "threshold", "cool_down_s", "escalation_minutes")

    def clean(self) -> dict[str, Any]:
        cleaned = dict(super().clean() or {})
        chosen = KINDS.get(str(cleaned.get("kind")))
        value = cleaned.get("threshold")
        if chosen is not None and value is not None:
            if chosen.threshold is None:
                self.add_error("threshold", "This alert is of a fact and has no threshold: leave it empty.")
            elif not 0 < value < float("inf"):
                self.add_error("threshold", "Give a positive number.")
        return cleaned


@admin.register(AlertRule)
class AlertRuleAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    form = AlertRuleForm
    list_display = ("about", "is_on", "threshold", "default", "unit", "cool_down_s", "escalation_minutes")
    actions = None

    @admin.display(description="alert", ordering="kind")
    def about(self, rule: AlertRule) -> str:
        return KINDS[rule.kind].text if rule.kind in KINDS else rule.kind

    def log_addition(self, request: HttpRequest, obj: AlertRule, message: Any) -> LogEntry:
        _tell_rule(request, obj, "Made a rule of alerts")
        return super().log_addition(request, obj, message)

    def log_change(self, request: HttpRequest, obj: AlertRule, message: Any) -> LogEntry:
        _tell_rule(request, obj, "Changed a rule of alerts")
        return super().log_change(request, obj, message)

    def delete_model(self, request: HttpRequest, obj: AlertRule) -> None:
        super().delete_model(request, obj)
        _tell_rule(request, obj, "Went back to the usual rule of an alert")

    @admin.display
    def default(self, rule: AlertRule) -> str:
        known = KINDS.get(rule.kind)
        return "" if known is None or known.threshold is None else f"{known.threshold:g}"

    @admin.display
    def unit(self, rule: AlertRule) -> str:
        return KINDS[rule.kind].unit if rule.kind in KINDS else ""


@admin.register(Alert)
class AlertAdmin(ReadOnly):
    list_display = ("raised_at", "severity", "kind", "text", "cleared_at", "acknowledged_at", "acknowledged_by")
    list_filter = ("severity", "kind", ("cleared_at", admin.EmptyFieldListFilter))
    ordering = ("-raised_at", "-pk")


@admin.register(Delivery)
class DeliveryAdmin(ReadOnly):
    list_display = ("created_at", "channel", "kind", "severity", "status", "attempts", "sent_at", "error")
    list_filter = ("status", "severity", "kind")
    exclude = ("buttons",)  # they hold the tokens of confirmations
    ordering = ("-pk",)

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest) -> bool:
        return not lookup.startswith("buttons") and super().lookup_allowed(lookup, value, request)


@admin.register(Update)
class UpdateAdmin(ReadOnly):
    list_display = ("received_at", "sender_id", "chat_id", "is_press", "text", "outcome")
    list_filter = ("is_press",)
    ordering = ("-received_at",)
    exclude = ("press_id",)


@admin.register(Confirmation)
class ConfirmationAdmin(ReadOnly):
    list_display = ("created_at", "contact", "action", "arguments", "decided_at", "outcome")
    list_filter = ("action",)
    list_select_related = ("contact__user",)
    list_display_links = None  # its address would be the token
    ordering = ("-created_at",)
