"""Runs of research as rows: asked for, claimed by one worker at a time, followed, canceled, and found again when it died.

A row is the queue. A worker's death leaves a row that runs and is not heard of; the next worker begins it anew.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from django.contrib.auth.models import User
from django.db import DatabaseError, IntegrityError, transaction
from django.db.models import Case, When

from trading import events
from trading.core.params import Params
from trading.models import (
    UNFINISHED,
    BacktestRun,
    DraftStatus,
    ParameterDraft,
    ParameterRevision,
    RunKind,
    RunPart,
    RunStatus,
)
from trading.research import judgement
from trading.services import attempts
from trading.services.attempts import Clock

EVENT = "run"
SILENCE = timedelta(minutes=5)
"""A worker that was not heard of for so long counts as dead; on the same machine its death is seen at once."""
KEEP = timedelta(days=90)
KEEP_COMPARISONS = timedelta(days=7)
"""What a comparison found is kept with its draft."""

LONGEST_NOTE = 1000
_COMPARISONS_FIRST = Case(When(kind=RunKind.COMPARISON, then=0), default=1)

RunStopped = attempts.Stopped


class RunRefused(ValueError):
    """A run that cannot be asked for, canceled or compared; the message says why."""


class ResultNotStored(Exception):
    """The database did not take the result."""


def queue(
    *,
    params: Params,
    exchange: str,
    start: datetime | None,
    end: datetime | None,
    seed: int | None,
    note: str,
    author: User | None,
    by: str,
    now: datetime,
    kind: RunKind = RunKind.BACKTEST,
    plan: Mapping[str, Any] | None = None,
) -> BacktestRun:
    """Ask for a backtest of `params`, or a study of them, and return its row; `by` names who asks without an account.

    An empty `exchange` means the candles that are traded on. Raises RunRefused for impossible dates, and while the same
    person's last one still waits.
    """
    if start and end and start >= end:
        raise RunRefused(f"the first moment {start} is not before the last {end}: correct the dates")
    if start and start > now:
        raise RunRefused(f"{start} has not come yet: choose an earlier first moment")
    name = author.get_username() if author else by
    try:
        with transaction.atomic():
            run = BacktestRun.objects.create(
                kind=kind,
                plan=dict(plan) if plan is not None else None,
                parameters=params.as_json(),
                symbols=list(params.pairs),
                timeframe=params.timeframe,
                start_at=start,
                end_at=end,
                exchange=exchange,
                seed=seed,
                note=note,
                requested_by=author,
                requested_by_name=name,
                requested_at=now,
            )
            events.announce(EVENT, at=now)
    except IntegrityError:
        raise RunRefused(f"a run of {name} waits already: let it begin, or cancel it") from None
    return run


def queue_comparison(
    *, active: ParameterRevision, params: Params, author: User | None, by: str, now: datetime
) -> BacktestRun:
    """Ask for a comparison of `params` with the revision in force, on the newest candles."""
    return BacktestRun.objects.create(
        kind=RunKind.COMPARISON,
        parameters=params.as_json(),
        against=active.values,
        symbols=list(params.pairs),
        timeframe=params.timeframe,
        end_at=now,
        requested_by=author,
        requested_by_name=by,
        requested_at=now,
    )


def cancel(pk: int, *, by: str, now: datetime) -> None:
    """Cancel a run; its worker stops at its next step. Raises RunRefused where it is over or there is none."""
    with transaction.atomic():
        canceled = BacktestRun.objects.filter(pk=pk, status__in=UNFINISHED).update(
            status=RunStatus.CANCELED, finished_at=now, error=f"canceled by {by}"
        )
        if canceled:
            RunPart.objects.filter(run=pk).delete()
            events.emit(EVENT, at=now, text=f"Run {pk} was canceled by {by}", payload={"run": pk})
    if not canceled:
        raise RunRefused(f"there is no run {pk} that waits or runs: only such can be canceled")


def annotate(pk: int, *, note: str) -> None:
    """Write down what a run was for; raises RunRefused where there is none or the note is too long."""
    if len(note) > LONGEST_NOTE:
        raise RunRefused(f"the note has {len(note)} characters: at most {LONGEST_NOTE} are kept")
    if not BacktestRun.objects.filter(pk=pk).update(note=note.strip()):
        raise RunRefused(f"there is no run {pk}: the list shows the last ones")


def is_idle(*, now: datetime) -> bool:
    """Return whether there is nothing to begin: no run waits or was lost, and no draft waits but for a run that runs."""
    runs = list(BacktestRun.objects.filter(status__in=UNFINISHED).defer("result"))
    if runs:
        return all(
            run.status == RunStatus.RUNNING and not attempts.is_lost(run, silence=SILENCE, now=now) for run in runs
        )
    return not ParameterDraft.objects.filter(status=DraftStatus.WAITING).exists()


def claim(*, owner: str, clock: Clock, only: int | None = None) -> Work | None:
    """Return the next run as this process's work, None without one: a dead worker's first, then who waits longest.

    Comparisons go before backtests: somebody waits for their parameters. `only` asks for one run by its key.
    """
    now = clock()
    wanted = BacktestRun.objects.filter(**({} if only is None else {"pk": only})).defer("result")
    found = attempts.next_of(
        wanted.filter(status=RunStatus.RUNNING).order_by("pk"),
        wanted.filter(status=RunStatus.QUEUED).order_by(_COMPARISONS_FIRST, "pk"),
        silence=SILENCE,
        now=now,
        begin=lambda run: attempts.begin(run, owner=owner, now=now),
        give_up=lambda run: _give_up(run, now),
    )
    if found is None:
        return None
    events.announce(EVENT, at=now)
    return Work(found, clock)


class Work(attempts.Work[BacktestRun]):
    """One attempt at a run, held by this process."""

    event = EVENT

    def finish(self, result: dict[str, Any], *, data_hash: str, code_version: str) -> None:
        """Store the result, all of it or nothing; raises RunStopped, and ResultNotStored where the disk is full."""
        now = self.clock()
        try:
            with transaction.atomic():
                self.note("done")
                self.end(result=result, data_hash=data_hash, code_version=code_version)
                RunPart.objects.filter(run=self.run).delete()
                events.emit(EVENT, at=now, text=f"Run {self.run.pk} is done", payload={"run": self.run.pk})
        except DatabaseError as error:
            raise ResultNotStored(
                f"the result could not be stored ({' '.join(str(error).split())}): make room and ask again"
            ) from error

    def fail(self, sentence: str) -> None:
        _fail(self.run, sentence, now=self.clock())


def compare(runs: Sequence[BacktestRun]) -> dict[str, Any]:
    """Return up to four backtests side by side (judgement.side_by_side), and whether their candles are the same.

    Raises RunRefused for another number, and for a run that has no report.
    """
    named = [(f"run {run.pk}", run.result) for run in runs if run.kind == RunKind.BACKTEST]
    reports = [(name, result) for name, result in named if result]
    if len(reports) != len(runs):
        raise RunRefused("only backtests that are done can be compared: leave the others out")
    try:
        made = judgement.side_by_side(reports)
    except ValueError as error:
        raise RunRefused(str(error)) from None
    return {**made, "same_candles": len({run.data_hash for run in runs}) == 1}


def prune(*, now: datetime) -> None:
    """Forget old runs; what a comparison found stays with its draft."""
    over = BacktestRun.objects.exclude(status__in=UNFINISHED)
    over.exclude(kind=RunKind.COMPARISON).filter(requested_at__lt=now - KEEP).delete()
    over.filter(kind=RunKind.COMPARISON, requested_at__lt=now - KEEP_COMPARISONS).exclude(
        draft__status=DraftStatus.WAITING
    ).delete()


def _give_up(run: BacktestRun, now: datetime) -> None:
    _fail(run, f"its worker was lost {run.attempts} times, most likely for want of memory: ask for fewer bars", now=now)


def _fail(run: BacktestRun, sentence: str, *, now: datetime) -> None:
    with transaction.atomic():
        if attempts.own(run).update(status=RunStatus.FAILED, error=sentence, finished_at=now):
            RunPart.objects.filter(run=run).delete()
            events.emit(EVENT, at=now, text=f"Run {run.pk} failed: {sentence}", payload={"run": run.pk})
