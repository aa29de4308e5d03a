"""The admin: parameters are proposed, everything else is read only."""

from __future__ import annotations

from django.contrib import admin
from django.db import models
from django.http import HttpRequest

from trading.admin_pairs import (
    BlacklistEntryAdmin,
    PairLockAdmin,
    PairSwitchAdmin,
    SeriesQualityAdmin,
    WatchedPairAdmin,
)
from trading.admin_parameters import BacktestRunAdmin, ParameterDraftAdmin, ParameterRevisionAdmin
from trading.admin_readonly import ReadOnly, ReadOnlyInline
from trading.models import (
    Advice,
    BacktestRun,
    BackupRun,
    BlacklistEntry,
    Bot,
    DoctorRun,
    Event,
    ExchangeKey,
    ExternalHolding,
    ExternalOrder,
    Fill,
    InvariantRun,
    LedgerEntry,
    LegacyRecord,
    LiveApproval,
    Order,
    OrderEvent,
    PairLock,
    PairSwitch,
    ParameterDraft,
    ParameterRevision,
    Proposal,
    ReconcileRun,
    Scan,
    ScanRow,
    SeriesQuality,
    Signal,
    SignalVerdict,
    StateChange,
    Trade,
    WatchedPair,
)

admin.site.register(ParameterRevision, ParameterRevisionAdmin)
admin.site.register(ParameterDraft, ParameterDraftAdmin)
admin.site.register(BacktestRun, BacktestRunAdmin)
admin.site.register(WatchedPair, WatchedPairAdmin)
admin.site.register(PairSwitch, PairSwitchAdmin)
admin.site.register(BlacklistEntry, BlacklistEntryAdmin)
admin.site.register(PairLock, PairLockAdmin)
admin.site.register(SeriesQuality, SeriesQualityAdmin)


class VerdictInline(ReadOnlyInline):
    model = SignalVerdict
    fields = ("position", "name", "passed", "value", "limit", "reason")


class AdviceInline(ReadOnlyInline):
    model = Advice
    fields = ("source", "approve", "confidence", "influence", "reason", "model", "is_late")


@admin.register(Advice)
class AdviceAdmin(ReadOnly):
    list_display = ("at", "signal", "source", "approve", "confidence", "influence", "model", "tokens", "is_late")
    list_filter = ("source", "approve", "is_late", "model")
    list_select_related = ("signal",)
    ordering = ("-pk",)


@admin.register(Proposal)
class ProposalAdmin(ReadOnly):
    list_display = ("created_at", "symbol", "side", "confidence", "status", "decided_by", "outcome")
    list_filter = ("status", "symbol", "side", "mode")
    ordering = ("-pk",)


@admin.register(Signal)
class SignalAdmin(ReadOnly):
    list_display = ("decided_at", "symbol", "side", "strategy", "regime", "score", "status", "reason")
    list_filter = ("status", "refused_by", "strategy", "regime", "symbol")
    date_hierarchy = "decided_at"
    ordering = ("-decided_at", "-pk")
    inlines = (VerdictInline, AdviceInline)


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


@admin.register(StateChange)
class StateChangeAdmin(ReadOnly):
    list_display = ("at", "from_state", "to_state", "reason", "who")
    list_filter = ("to_state", "by")
    search_fields = ("reason", "by")
    ordering = ("-pk",)

    @admin.display(description="by", ordering="by")
    def who(self, change: StateChange) -> str:
        return change.by or "Julaba"


@admin.register(ReconcileRun)
class ReconcileRunAdmin(ReadOnly):
    list_display = ("at", "kind", "passed", "orders", "fills", "positions", "found", "problem")
    list_filter = ("passed", "kind")
    ordering = ("-at", "-pk")

    @admin.display(description="differences")
    def found(self, run: ReconcileRun) -> int:
        return len(run.differences)


@admin.register(InvariantRun)
class InvariantRunAdmin(ReadOnly):
    list_display = ("at", "checked", "broken")
    ordering = ("-at", "-pk")

    @admin.display(description="violations")
    def broken(self, run: InvariantRun) -> str:
        return ", ".join(str(violation.get("id", "?")) for violation in run.violations) or "—"


@admin.register(ExternalOrder)
class ExternalOrderAdmin(ReadOnly):
    list_display = ("symbol", "side", "quantity", "venue_order_id", "first_seen_at", "last_seen_at")
    list_filter = ("symbol", "side")
    ordering = ("-last_seen_at",)


@admin.register(ExternalHolding)
class ExternalHoldingAdmin(ReadOnly):
    list_display = ("symbol", "quantity", "at")
    ordering = ("symbol",)


@admin.register(DoctorRun)
class DoctorRunAdmin(ReadOnly):
    list_display = ("at", "exchange", "mode", "key", "passed", "failed")
    list_filter = ("passed", "exchange", "mode")
    ordering = ("-at", "-pk")

    def get_queryset(self, request: HttpRequest) -> models.QuerySet[DoctorRun]:
        # The pages may read everything of a key but what is sealed.
        return super().get_queryset(request).select_related("key").defer("key__sealed")

    @admin.display(description="failed checks")
    def failed(self, run: DoctorRun) -> str:
        return ", ".join(check["name"] for check in run.checks if not check["passed"]) or "—"


@admin.register(LiveApproval)
class LiveApprovalAdmin(ReadOnly):
    list_display = ("at", "exchange", "approved_by", "reason", "doctor", "revoked_at")
    list_filter = ("exchange", ("revoked_at", admin.EmptyFieldListFilter))
    list_select_related = ("doctor",)
    ordering = ("-at", "-pk")


@admin.register(ExchangeKey)
class ExchangeKeyAdmin(ReadOnly):
    """The keys of exchanges; what is sealed is shown to nobody, not even sealed."""

    list_display = ("exchange", "environment", "label", "hint", "is_active", "created_at", "created_by")
    list_filter = ("is_active", "exchange", "environment")
    exclude = ("sealed",)
    ordering = ("-is_active", "exchange", "environment", "-pk")

    def get_queryset(self, request: HttpRequest) -> models.QuerySet[ExchangeKey]:
        return super().get_queryset(request).defer("sealed")

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest) -> bool:
        # ?sealed__startswith= would tell it character by character.
        return not lookup.startswith("sealed") and super().lookup_allowed(lookup, value, request)


@admin.register(BackupRun)
class BackupRunAdmin(ReadOnly):
    list_display = ("at", "kind", "passed", "name", "size", "is_sealed", "seconds", "text")
    list_filter = ("kind", "passed")
    date_hierarchy = "at"
    ordering = ("-at", "-pk")


@admin.register(LegacyRecord)
class LegacyRecordAdmin(ReadOnly):
    list_display = ("at", "kind", "symbol", "side", "pnl", "source")
    list_filter = ("kind", "side", "symbol")
    date_hierarchy = "at"
    ordering = ("-at", "-pk")
