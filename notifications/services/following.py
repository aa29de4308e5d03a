"""Runs of research that people asked for by message: one message, edited while the run goes on, and once more at its end."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from notifications import formats, rendering
from notifications.models import Delivery, DeliveryStatus, FollowedRun
from notifications.rendering import Line, table, text
from notifications.services import outbox
from trading.models import UNFINISHED, BacktestRun, RunKind, RunStatus

_BAR = 20
_SHOWN_POINTS = 5


def follow(run_id: int, delivery: Delivery) -> None:
    """Let the message that the delivery becomes show how the run goes on."""
    shown = _state(BacktestRun.objects.get(pk=run_id))
    FollowedRun.objects.get_or_create(run_id=run_id, defaults={"delivery": delivery, "shown": shown})


def refresh(*, now: datetime) -> int:
    """Write an edit for every followed run that has moved, and return how many there were.

    While one edit is on its way no other is written, so a slow channel gets the newest state and not all of them.
    """
    count = 0
    rows = FollowedRun.objects.filter(is_over=False).select_related("delivery", "run")
    for row in rows.defer("run__parameters", "run__against"):
        state, is_over = _state(row.run), row.run.status not in UNFINISHED
        message = row.delivery
        if message.status == DeliveryStatus.REFUSED:
            FollowedRun.objects.filter(pk=row.pk).update(is_over=True)
            continue
        if state == row.shown or message.message_id is None or _is_on_its_way(row):
            continue
        title, lines = told(row.run)
        outbox.put(
            key=f"run:{row.run.pk}:{state}",
            channel=message.channel,
            kind=outbox.REPLY,
            text=rendering.pages(title, lines)[0],
            edits=message.message_id,
            now=now,
        )
        FollowedRun.objects.filter(pk=row.pk).update(shown=state, is_over=is_over)
        count += 1
    return count


def told(run: BacktestRun) -> tuple[str, list[Line]]:
    """Return the title and the lines that say how far a run is, or what it found."""
    title = f"Run {run.pk}: {run.get_kind_display()}"
    if run.status in UNFINISHED:
        last = str(run.log[-1]["text"]) if run.log else str(run.get_status_display())
        full = round(run.progress / 100 * _BAR)
        return title, [Line(f"{'█' * full}{'░' * (_BAR - full)} {run.progress:3} %", is_mono=True), *text(last)]
    if run.status != RunStatus.DONE or run.result is None:
        return title, text(f"It is {run.get_status_display()}: {run.error or 'it found nothing'}.")
    return title, _FOUND[RunKind(run.kind)](run.result)


def _state(run: BacktestRun) -> str:
    return f"{run.status} {run.attempts} {run.progress}"


def _is_on_its_way(row: FollowedRun) -> bool:
    waiting = Delivery.objects.filter(status__in=(DeliveryStatus.PENDING, DeliveryStatus.SENDING))
    return waiting.filter(key__startswith=f"run:{row.run_id}:", channel=row.delivery.channel).exists()


def _backtest(found: Mapping[str, Any]) -> list[Line]:
    summary, metrics = found["summary"], found["metrics"]
    held = (metrics["buy_and_hold"] or {}).get("return_fraction")
    rows = [
        ("Return", _signed_share(summary["return_fraction"])),
        ("Holding instead", _signed_share(held)),
        ("Trades", f"{summary['closed_trades']}"),
        ("Won", _share(summary["win_rate"])),
        ("Profit factor", _plain(metrics["profit_factor"])),
        ("Sharpe", _plain(metrics["sharpe"])),
        ("Deepest fall", _share(metrics["drawdown_fraction"])),
        ("Fees", f"{float(summary['fees']):,.2f}"),
        ("Setups / taken", f"{found['setups']} / {found['taken']}"),
    ]
    refused = sorted(found["refusals"].items(), key=lambda pair: -pair[1])[:3]
    why = (
        f"Refused most by {', '.join(f'{formats.words(name)} ({count})' for name, count in refused)}."
        if refused
        else ""
    )
    return [*table(rows), *(text(why) if why else [])]


def _sweep(found: Mapping[str, Any]) -> list[Line]:
    best = found["best"][:_SHOWN_POINTS]
    if not best:
        return text(
            f"{found['tried']} points were tried, and none closed {found['min_trades']} trades: ask for more days."
        )
    rows = [("in force", *_point(found["usual"])), *((f"#{n}", *_point(each)) for n, each in enumerate(best, 1))]
    luck = found["deflated_sharpe"]
    return [
        *table(rows, head=("", "return", "trades", "Sharpe", "fall")),
        *text("", *(f"#{n}: {_values(each['values'])}" for n, each in enumerate(best, 1))),
        *text(
            "",
            f"{found['tried']} points were tried by {formats.words(found['objective'])}.",
            *([f"The chance that the best is more than luck: {luck:.0%}."] if luck is not None else []),
            "/setparam puts a value in force; the gate compares it first.",
        ),
    ]


def _parity(found: Mapping[str, Any]) -> list[Line]:
    rows = [
        ("Decisions computed again", f"{found['compared']}"),
        ("Differences", f"{found['differences']}"),
        ("Without a reason", f"{found['unexplained']}"),
        ("Entries", f"{found['entries']}"),
    ]
    causes = [f"{count} {formats.words(name)}" for name, count in sorted(found["causes"].items())]
    odd = [f"{row['symbol']} {str(row['bar_at'])[:16]}: {row['text']}" for row in found["decisions"][:5]]
    return [*table(rows), *text(*([", ".join(causes)] if causes else []), *odd)]


def _other(found: Mapping[str, Any]) -> list[Line]:
    return text("It is done: the page Backtests shows what it found.")


_FOUND = dict.fromkeys(RunKind, _other) | {
    RunKind.BACKTEST: _backtest,
    RunKind.SWEEP: _sweep,
    RunKind.PARITY: _parity,
}


def _point(trial: Mapping[str, Any]) -> tuple[str, str, str, str]:
    return (
        _signed_share(trial.get("return_fraction")),
        f"{trial['trades']}",
        _plain(trial.get("sharpe")),
        _share(trial.get("drawdown_fraction")),
    )


def _values(values: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in values.items()) or "as in force"


def _plain(value: float | None) -> str:
    return formats.NOTHING if value is None else f"{value:.2f}"


def _share(value: float | None) -> str:
    return formats.NOTHING if value is None else formats.percent(value)


def _signed_share(value: float | None) -> str:
    return formats.NOTHING if value is None else formats.signed_percent(value)
