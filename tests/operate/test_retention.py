"""Every table either stays bounded or is kept for good, and then for a reason that is written here."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from django.apps import apps

from trading.models import BackupKind, BackupRun, EquityPoint, LastPrice, SeriesQuality, TickRun
from trading.services import retention

ROOT = Path(__file__).resolve().parents[2]
NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
AUDITED = "it is audited: who, when, why"
BOOKS = "it is the books"
FEW = "one row for each of a few things that people or the code name"
KEPT = {
    **dict.fromkeys(("auth.Permission", "auth.Group", "auth.User", "contenttypes.ContentType"), FEW),
    **dict.fromkeys(("otp_totp.TOTPDevice", "otp_static.StaticDevice", "otp_static.StaticToken"), FEW),
    **dict.fromkeys(("trading.Bot", "trading.Lease", "trading.Watermark", "trading.AuditHead"), FEW),
    **dict.fromkeys(("trading.PaperAccount", "trading.PaperPosition", "trading.ExternalHolding"), FEW),
    **dict.fromkeys(("trading.WatchedPair", "trading.BlacklistEntry", "trading.PairLock"), FEW),
    **dict.fromkeys(("notifications.Contact", "notifications.Preference", "notifications.AlertRule"), FEW),
    **dict.fromkeys(
        ("notifications.JournalMark", "notifications.WatchMark", "mlops.GeminiState", "dashboard.ApiToken"), FEW
    ),
    "trading.DayOpening": "one row a day",
    "mlops.GeminiUsage": "one row a day",
    "admin.LogEntry": AUDITED,
    **dict.fromkeys(("trading.AuditEntry", "trading.ParameterRevision", "trading.ParameterDraft"), AUDITED),
    **dict.fromkeys(
        ("trading.ExchangeKey", "trading.DoctorRun", "trading.LiveApproval", "trading.StateChange"), AUDITED
    ),
    **dict.fromkeys(("trading.Event", "trading.ExternalOrder", "trading.PairSwitch", "notifications.Alert"), AUDITED),
    **dict.fromkeys(("trading.Signal", "trading.SignalVerdict", "trading.Advice", "trading.Proposal"), AUDITED),
    **dict.fromkeys(("mlops.ModelVersion", "mlops.Bypass", "mlops.Scorecard"), AUDITED),
    **dict.fromkeys(("trading.Consent", "trading.Instruction"), AUDITED),
    **dict.fromkeys(
        ("trading.Trade", "trading.Order", "trading.OrderEvent", "trading.Fill", "trading.LedgerEntry"), BOOKS
    ),
    **dict.fromkeys(
        ("trading.PaperOrder", "trading.PaperFill"), "it is the paper venue's books, which ours are compared with"
    ),
    **dict.fromkeys(("trading.TradeNote", "trading.TradeTag"), "people wrote it"),
    "dashboard.Tally": "it is one row for ten thousand others, or for a day",
    "trading.LegacyRecord": "it came once, from files",
    **dict.fromkeys(("mlops.ShadowOutcome", "mlops.ChallengerAnswer"), "models are trained and judged on it"),
}
PRUNED = {
    "sessions.Session": "dashboard/sessions.py",
    "dashboard.SessionRecord": "dashboard/sessions.py",
    "dashboard.LoginLock": "dashboard/lockout.py",
    "dashboard.Quota": "dashboard/limits.py",
    "dashboard.KeptAnswer": "dashboard/idempotency.py",
    **dict.fromkeys(
        (
            *("trading.TickRun", "trading.ReconcileRun", "trading.InvariantRun", "trading.VenuePause", "trading.Scan"),
            *("trading.BackupRun", "trading.EquityPoint", "trading.LastPrice", "trading.SeriesQuality"),
        ),
        "trading/services/retention.py",
    ),
    "trading.BacktestRun": "trading/services/backtesting.py",
    "mlops.ChatMessage": "mlops/chat.py",
    "mlops.Sample": "mlops/samples.py",
    "mlops.DriftReport": "mlops/drift.py",
    "mlops.TrainingRun": "mlops/runs.py",
    "notifications.Update": "notifications/services/inbox.py",
    "notifications.Delivery": "notifications/services/outbox.py",
    "notifications.Attachment": "notifications/services/outbox.py",
    "notifications.ChannelPause": "notifications/services/outbox.py",
    "notifications.ToldStop": "notifications/services/trade_messages.py",
}
"""Where its rows are removed."""
WITH_ANOTHER = {
    "trading.ScanRow": "trading.Scan",
    "trading.RunPart": "trading.BacktestRun",
    "notifications.Confirmation": "notifications.Delivery",
    "notifications.FollowedRun": "notifications.Delivery",
    **dict.fromkeys(
        ("axes.AccessFailureLog", "axes.AccessAttempt", "axes.AccessAttemptExpiration", "axes.AccessLog"),
        "dashboard.LoginLock",
    ),
}
"""Rows that go with those of another table, or whose place that table has taken."""


def labels() -> set[str]:
    return {model._meta.label for model in apps.get_models()}


def test_every_table_is_pruned_or_kept_for_a_reason() -> None:
    decided = [*KEPT, *PRUNED, *WITH_ANOTHER]

    assert sorted(labels() - set(decided)) == []
    assert len(decided) == len(set(decided))
    assert set(WITH_ANOTHER.values()) <= set(PRUNED)


@pytest.mark.parametrize("label", sorted(PRUNED))
def test_what_is_pruned_is_removed_where_it_says(label: str) -> None:
    if label not in labels():
        pytest.skip(f"there is no {label}")
    source = (ROOT / PRUNED[label]).read_text()

    assert label.rpartition(".")[2] in source
    assert ".delete()" in source


@pytest.mark.django_db
def test_old_rows_go_and_young_ones_stay() -> None:
    for age in (1, 400):
        at = NOW - timedelta(days=age)
        BackupRun.objects.create(kind=BackupKind.BACKUP, at=at, passed=True, text="a")
        LastPrice.objects.create(symbol=f"A{age}/USDT", price=1.0, at=at)
        SeriesQuality.objects.create(venue="a", symbol=f"A{age}", state="ok", at=at)
        TickRun.objects.create(job="tick", slot=at + timedelta(hours=2), owner="a", started_at=at)

    retention.prune(now=NOW)

    assert [model.objects.count() for model in (BackupRun, LastPrice, SeriesQuality, TickRun)] == [1, 1, 1, 1]


@pytest.mark.django_db
def test_of_an_old_curve_one_point_an_hour_stays() -> None:
    old, young = NOW - timedelta(days=40), NOW - timedelta(days=1)
    for begin in (old, young):
        for minute in range(0, 180, 20):
            EquityPoint.objects.create(at=begin + timedelta(minutes=minute), equity=Decimal(1), balance=Decimal(1))

    retention.prune(now=NOW)

    kept = list(EquityPoint.objects.order_by("at").values_list("at", flat=True))
    assert kept[:3] == [old, old + timedelta(hours=1), old + timedelta(hours=2)]
    assert len(kept) == 3 + 9
