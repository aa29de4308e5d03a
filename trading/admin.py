"""The admin: parameters are edited as new revisions, everything else is read only."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.db import models
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html_join

from trading.forms import RevisionForm
from trading.models import (
    Bot,
    Event,
    Fill,
    LedgerEntry,
    Order,
    OrderEvent,
    ParameterRevision,
    Scan,
    ScanRow,
    Signal,
    SignalVerdict,
    Trade,
)
from trading.services import parameters


class ReadOnly(admin.ModelAdmin):  # type: ignore[type-arg]  # generic in the stubs only
    """Rows that only the engine writes: they can be looked at, by those who may view them."""

    actions = None
    list_per_page = 50

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: models.Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: models.Model | None = None) -> bool:
        return False


class ReadOnlyInline(admin.TabularInline):  # type: ignore[type-arg]  # generic in the stubs only
    extra = 0
    can_delete = False

    def has_add_permission(self, request: HttpRequest, obj: models.Model | None = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: models.Model | None = None) -> bool:
        return False


@admin.register(ParameterRevision)
class ParameterRevisionAdmin(ReadOnly):
    """The history of the parameters; "add" edits what is in force and needs a reason."""

    list_display = ("number", "created_at", "author_name", "what_changed", "reason")
    list_display_links = ("number",)
    search_fields = ("reason", "author_name")
    ordering = ("-number",)
    fields = ("number", "created_at", "author_name", "reason", "what_changed", "values")

    @admin.display(description="changed")
    def what_changed(self, revision: ParameterRevision) -> str:
        rows = ((c["name"], _shown(c["old"]), _shown(c["new"])) for c in revision.changes)
        return format_html_join("\n", "<div>{}: {} → {}</div>", rows) or "—"

    def has_add_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("trading.add_parameterrevision")

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        if not self.has_add_permission(request):
            raise PermissionDenied
        now = timezone.now()
        if request.method == "POST":
            form = RevisionForm(request.POST)
            if form.is_valid() and (response := self._revise(request, form)):
                return response
        else:
            revision = parameters.current(now=now)
            params = parameters.params_of(revision)
            form = RevisionForm(initial={**params.as_json(), "expected_number": revision.number})
        context = {
            **self.admin_site.each_context(request),
            "title": "Change parameters",
            "opts": self.opts,
            "form": form,
            "in_force": parameters.current(now=now),
        }
        return TemplateResponse(request, "admin/trading/parameterrevision/edit.html", context)

    def _revise(self, request: HttpRequest, form: RevisionForm) -> HttpResponse | None:
        assert isinstance(request.user, User)
        expected = form.cleaned_data["expected_number"]
        try:
            revision = parameters.revise(
                values=form.values(),
                reason=form.cleaned_data["reason"],
                author=request.user,
                expected_number=expected,
                now=timezone.now(),
            )
        except parameters.RevisionConflict as conflict:
            form.add_error(None, str(conflict))
            return None
        if revision.number == expected:
            form.add_error(None, "Nothing was changed: these are the values in force.")
            return None
        self.message_user(request, f"Revision {revision.number} is in force from the next tick on.", messages.SUCCESS)
        return HttpResponseRedirect(reverse("admin:trading_parameterrevision_changelist"))


class VerdictInline(ReadOnlyInline):
    model = SignalVerdict
    fields = ("position", "name", "passed", "value", "limit", "reason")


@admin.register(Signal)
class SignalAdmin(ReadOnly):
    list_display = ("decided_at", "symbol", "side", "strategy", "regime", "score", "status", "reason")
    list_filter = ("status", "refused_by", "strategy", "regime", "symbol")
    date_hierarchy = "decided_at"
    ordering = ("-decided_at", "-pk")
    inlines = (VerdictInline,)


class OrderInline(ReadOnlyInline):
    model = Order
    fields = ("number", "role", "reason", "side", "quantity", "trigger", "level", "status", "filled", "client_id")


@admin.register(Trade)
class TradeAdmin(ReadOnly):
    list_display = ("opened_at", "symbol", "side", "status", "quantity", "entry_price", "exit_reason", "pnl", "mode")
    list_filter = ("status", "symbol", "side", "exit_reason", "mode")
    ordering = ("-pk",)
    inlines = (OrderInline,)


class OrderEventInline(ReadOnlyInline):
    model = OrderEvent
    fields = ("seq", "from_status", "to_status", "at", "note")


class FillInline(ReadOnlyInline):
    model = Fill
    fields = ("at", "quantity", "price", "fee", "venue_fill_id")


@admin.register(Order)
class OrderAdmin(ReadOnly):
    list_display = ("created_at", "trade", "role", "reason", "side", "quantity", "status", "client_id")
    list_filter = ("status", "role")
    list_select_related = ("trade",)
    ordering = ("-pk",)
    inlines = (OrderEventInline, FillInline)


@admin.register(Event)
class EventAdmin(ReadOnly):
    list_display = ("at", "kind", "symbol", "text")
    list_filter = ("kind", "symbol")
    ordering = ("-pk",)


@admin.register(LedgerEntry)
class LedgerAdmin(ReadOnly):
    list_display = ("at", "kind", "amount", "fill")
    list_filter = ("kind",)
    ordering = ("-pk",)


class ScanRowInline(ReadOnlyInline):
    model = ScanRow
    fields = ("rank", "symbol", "score", "price", "regime", "parts")


@admin.register(Scan)
class ScanAdmin(ReadOnly):
    list_display = ("at", "timeframe")
    ordering = ("-at",)
    inlines = (ScanRowInline,)


@admin.register(Bot)
class BotAdmin(ReadOnly):
    list_display = ("trading_state", "balance", "equity", "peak_equity", "last_tick_at")


def _shown(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
