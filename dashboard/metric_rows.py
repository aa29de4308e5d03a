"""What the rows say at the moment of a scrape, as Prometheus' families: whichever process wrote them."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import accumulate

from django.conf import settings
from django.db.models import Count, Max, Q, Sum
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric

from dashboard import tallies
from dashboard.listings.narrowing import Walked
from mlops.models import DriftReport, GeminiUsage, ModelStatus, ModelVersion
from notifications.models import Alert, Delivery, DeliveryStatus
from trading import selectors
from trading.core import timeframes
from trading.models import (
    Advice,
    BackupKind,
    BackupRun,
    Bot,
    InvariantRun,
    ReconcileRun,
    TickRun,
    TradeStatus,
    TradingState,
    Watermark,
)

WINDOWS = (20, 100)
_NEVER = float("inf")


def families(now: datetime) -> Iterator[Metric]:
    """Yield every family; those of things that did not happen yet have no samples."""
    bot = selectors.bot()
    yield _info("julaba_build_info", "Version that serves these pages.", version=settings.CODE_VERSION)
    yield from _account(bot)
    yield from _ages(bot, now)
    yield from _positions(bot)
    yield from _counts(now)
    yield from _advice(now)
    yield from _learning()
    yield from _operation(now)


def _account(bot: Bot | None) -> Iterator[Metric]:
    state = GaugeMetricFamily("julaba_state", "1 for the trading state that holds.", labels=["state"])
    for name in TradingState.values:
        state.add_metric([name], float(bot is not None and bot.trading_state == name))
    yield state
    if bot is None:
        return
    yield _gauge("julaba_balance", "Initial balance plus realised PnL less fees, quote.", bot.balance)
    yield _gauge("julaba_initial_balance", "Money at the first start, quote.", bot.initial_balance)
    yield _gauge("julaba_equity", "Balance plus unrealised PnL, quote.", bot.equity)
    fall = 1 - bot.equity / bot.peak_equity if bot.peak_equity > 0 else Decimal(0)
    yield _gauge("julaba_drawdown_ratio", "Fall of the equity from its peak, 0 to 1.", max(fall, Decimal(0)))


def _ages(bot: Bot | None, now: datetime) -> Iterator[Metric]:
    yield _age("julaba_tick_age_seconds", "Since the last tick.", bot.last_tick_at if bot else None, now)
    yield _age("julaba_data_age_seconds", "Since the time of the newest price.", bot.data_at if bot else None, now)
    beat = TickRun.objects.filter(job="tick").aggregate(at=Max("slot"))["at"]
    yield _age("julaba_beat_age_seconds", "Since beat last sent a tick that somebody ran.", beat, now)
    bars = GaugeMetricFamily("julaba_candle_age_seconds", "Since the newest decided bar closed.", labels=["pair"])
    newest: dict[str, datetime] = {}
    for mark in Watermark.objects.all():
        closed = mark.bar_at + timedelta(milliseconds=timeframes.milliseconds(mark.timeframe))
        newest[mark.symbol] = max(closed, newest.get(mark.symbol, closed))
    for symbol in sorted(newest):
        bars.add_metric([symbol], (now - newest[symbol]).total_seconds())
    yield bars


def _positions(bot: Bot | None) -> Iterator[Metric]:
    trades = selectors.open_trades()
    yield _gauge("julaba_open_positions", "Trades that hold or are about to hold a position.", len(trades))
    bare = sum(row.trade.status == TradeStatus.OPEN and row.trade.unprotected_at is not None for row in trades)
    yield _gauge("julaba_unprotected_positions", "Open positions without a stop that is sure to rest.", bare)
    at_risk = sum((row.loss_at_stop for row in trades), Decimal(0))
    share = at_risk / bot.equity if bot and bot.equity > 0 else Decimal(0)
    yield _gauge("julaba_open_risk_ratio", "Loss at all stops over equity.", share)


def _counts(now: datetime) -> Iterator[Metric]:
    trades = CounterMetricFamily("julaba_trades", "Closed trades by result after fees.", labels=["side", "outcome"])
    for label, count in tallies.counted(tallies.TRADES, now=now).items():
        trades.add_metric(label.split(" "), count)
    yield trades
    signals = CounterMetricFamily("julaba_signals", "Setups that were judged.", labels=["result", "blocking_filter"])
    for label, count in tallies.counted(tallies.SIGNALS, now=now).items():
        signals.add_metric(label.split(" ", 1), count)
    yield signals
    orders = GaugeMetricFamily("julaba_order_intents", "Orders by the state they are in.", labels=["state"])
    for label, count in tallies.counted(tallies.ORDERS, now=now).items():
        orders.add_metric([label], count)
    yield orders
    yield _histogram(
        "julaba_signal_latency_seconds", "From the close of the bar to the decision.", tallies.SIGNAL_BUCKETS,
        tallies.counted(tallies.SIGNAL_LATENCY, now=now),
    )  # fmt: skip


def _advice(now: datetime) -> Iterator[Metric]:
    counts = CounterMetricFamily("julaba_ai_decisions", "Answers of advisers.", labels=["verdict", "source"])
    for label, count in tallies.counted(tallies.ADVICE, now=now).items():
        counts.add_metric(label.split(" ", 1), count)
    yield counts
    yield _histogram(
        "julaba_ai_latency_seconds", "How long advisers took to answer.", tallies.AI_BUCKETS,
        tallies.counted(tallies.AI_LATENCY, now=now),
    )  # fmt: skip
    spent = GeminiUsage.objects.aggregate(micro=Sum("cost_micro_usd"))["micro"] or 0
    cost = CounterMetricFamily("julaba_ai_cost", "US dollars that Gemini has cost.")
    cost.add_metric([], spent / 1e6)
    yield cost
    brier = GaugeMetricFamily("julaba_ai_brier", "Mean squared error of the newest judged answers.", labels=["source"])
    for source, pairs in _judged_answers().items():
        brier.add_metric([source], sum((said - won) ** 2 for said, won in pairs) / len(pairs))
    yield brier


def _judged_answers(most: int = 100) -> Mapping[str, list[tuple[float, float]]]:
    """Return by source what was said (probability of a win) and what came of it (1 or 0), of the newest closed trades."""
    # From the newest answer on, not from all closed trades to their answers.
    closed = Walked(Q(signal__trade__status=TradeStatus.CLOSED))
    rows = Advice.objects.filter(closed, confidence__isnull=False, approve__isnull=False)
    found: dict[str, list[tuple[float, float]]] = {}
    for advice in rows.select_related("signal__trade").order_by("-pk")[: most * 5]:
        pairs = found.setdefault(advice.source, [])
        if len(pairs) < most and advice.confidence is not None:
            said = advice.confidence if advice.approve else 1 - advice.confidence
            pairs.append((said, float(advice.signal.trade.pnl > 0)))
    return found


def _learning() -> Iterator[Metric]:
    influence = GaugeMetricFamily("julaba_ml_influence_ratio", "How much a model may move a decision.", labels=["kind"])
    for model in ModelVersion.objects.filter(status=ModelStatus.CHAMPION):
        influence.add_metric([model.kind], model.influence)
    yield influence
    right = GaugeMetricFamily(
        "julaba_ml_accuracy_ratio", "Share of the newest answers that were right.", labels=["window"]
    )
    answers = _judged_answers().get("predictor", [])
    for window in WINDOWS:
        if newest := answers[:window]:
            right.add_metric([str(window)], sum((said >= 0.5) == (won > 0) for said, won in newest) / len(newest))
    yield right
    report = DriftReport.objects.order_by("-at").first()
    if report is not None and report.worst is not None:
        yield _gauge("julaba_ml_drift_psi", "Largest population stability index of a feature.", report.worst)
    else:
        yield GaugeMetricFamily("julaba_ml_drift_psi", "Largest population stability index of a feature.")


def _operation(now: datetime) -> Iterator[Metric]:
    compared = ReconcileRun.objects.order_by("-at").first()
    differing = len(compared.differences) if compared else 0
    yield _gauge("julaba_reconcile_mismatches", "Differences that the last comparison found.", differing)
    yield _age("julaba_reconcile_age_seconds", "Since the last comparison.", compared.at if compared else None, now)
    checked = InvariantRun.objects.order_by("-at").first()
    broken = len(checked.violations) if checked else 0
    yield _gauge("julaba_invariant_violations", "What the last check of the invariants found broken.", broken)
    yield _age(
        "julaba_invariant_age_seconds", "Since the last check of the invariants.", checked.at if checked else None, now
    )
    for kind, name in ((BackupKind.BACKUP, "julaba_backup"), (BackupKind.TRIAL, "julaba_backup_trial")):
        at = BackupRun.objects.filter(kind=kind, passed=True).aggregate(at=Max("at"))["at"]
        yield _age(f"{name}_age_seconds", f"Since the last {kind.label} that passed.", at, now)
    standing = GaugeMetricFamily("julaba_alerts", "Alerts that stand.", labels=["severity"])
    for row in Alert.objects.filter(cleared_at__isnull=True).values("severity").annotate(count=Count("pk")):
        standing.add_metric([row["severity"]], row["count"])
    yield standing
    waiting = Delivery.objects.filter(status__in=(DeliveryStatus.PENDING, DeliveryStatus.SENDING))
    oldest = waiting.order_by("created_at").values_list("created_at", flat=True).first() or now
    yield _gauge("julaba_message_age_seconds", "How long the oldest message waits.", (now - oldest).total_seconds())
    usage = shutil.disk_usage(settings.JULABA_DATA_DIR)
    yield _gauge("julaba_disk_free_bytes", "Room where the data lies.", usage.free)
    yield _gauge("julaba_disk_total_bytes", "Size of the disk where the data lies.", usage.total)


def _histogram(name: str, text: str, bounds: tuple[float, ...], counts: Mapping[str, float]) -> Metric:
    """Return a histogram of counts by the place of their bound, and their `sum`."""
    totals = accumulate(counts.get(str(place), 0) for place in range(len(bounds) + 1))
    family = HistogramMetricFamily(name, text)
    names = [*map(str, bounds), "+Inf"]
    family.add_metric(
        [], buckets=list(zip(names, map(float, totals), strict=True)), sum_value=float(counts.get("sum", 0.0))
    )
    return family


def _gauge(name: str, text: str, value: Decimal | float) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, text, value=float(value))


def _age(name: str, text: str, at: datetime | None, now: datetime) -> GaugeMetricFamily:
    """Return the age in seconds; infinite where it never happened, so that rules about age hold."""
    return GaugeMetricFamily(name, text, value=(now - at).total_seconds() if at else _NEVER)


def _info(name: str, text: str, **labels: str) -> GaugeMetricFamily:
    family = GaugeMetricFamily(name, text, labels=list(labels))
    family.add_metric(list(labels.values()), 1.0)
    return family
