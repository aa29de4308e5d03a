"""Trainings as rows: asked for, claimed by one worker at a time, followed, and begun again when their worker died."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, Self

from django.db import IntegrityError, transaction

from mlops.models import ModelVersion, TrainingRun
from trading import events
from trading.models import UNFINISHED, RunStatus
from trading.services import attempts
from trading.services.attempts import Clock

EVENT = "training"
SILENCE = timedelta(minutes=10)
"""A worker that was not heard of for so long counts as dead; on the same machine its death is seen at once."""
KEEP = timedelta(days=180)

TrainingStopped = attempts.Stopped


class TrainingRefused(ValueError):
    """A training that cannot be asked for or canceled; the message says why."""


def queue(kind: str, *, options: dict[str, Any], by: str, now: datetime) -> TrainingRun:
    """Ask for a training; raises TrainingRefused while another one of the kind waits or runs."""
    if TrainingRun.objects.filter(kind=kind, status__in=UNFINISHED).exists():
        raise TrainingRefused(f"a training of {kind} waits or runs already: let it end first, or cancel it")
    try:
        with transaction.atomic():
            run = TrainingRun.objects.create(kind=kind, options=options, requested_by_name=by, requested_at=now)
            events.announce(EVENT, at=now)
    except IntegrityError:
        raise TrainingRefused(f"a training of {kind} waits already: let it end first, or cancel it") from None
    return run


def cancel(pk: int, *, by: str, now: datetime) -> None:
    """Cancel a training; its worker stops at its next step. Raises TrainingRefused where it is over or there is none."""
    canceled = TrainingRun.objects.filter(pk=pk, status__in=UNFINISHED).update(
        status=RunStatus.CANCELED, finished_at=now, error=f"canceled by {by}"
    )
    if not canceled:
        raise TrainingRefused(f"there is no training {pk} that waits or runs: only such can be canceled")
    events.announce(EVENT, at=now)


def is_idle() -> bool:
    return not TrainingRun.objects.filter(status__in=UNFINISHED).exists()


def claim(*, owner: str, clock: Clock, only: int | None = None) -> Work | None:
    """Return the next training as this process's work, None without one: a dead worker's before one that waits."""
    now = clock()
    wanted = TrainingRun.objects.filter(**({} if only is None else {"pk": only})).order_by("pk")
    found = attempts.next_of(
        wanted.filter(status=RunStatus.RUNNING),
        wanted.filter(status=RunStatus.QUEUED),
        silence=SILENCE,
        now=now,
        begin=lambda run: attempts.begin(run, owner=owner, now=now),
        give_up=lambda run: _fail(run, f"its worker was lost {run.attempts} times: use fewer candles", now=now),
    )
    if found is None:
        return None
    events.announce(EVENT, at=now)
    return Work(found, clock)


class Work(attempts.Work[TrainingRun]):
    """One attempt at a training, held by this process."""

    event = EVENT
    most_lines = 100

    def __init__(self, run: TrainingRun, clock: Clock) -> None:
        super().__init__(run, clock)
        self._told: Callable[[int, str], None] | None = None

    def telling(self, told: Callable[[int, str], None] | None) -> Self:
        """Return itself; `told` hears of every step."""
        self._told = told
        return self

    def step(self, percent: int | None = None, text: str = "") -> None:
        super().step(percent, text)
        if self._told:
            self._told(self._percent, text)

    def finish(self, version: ModelVersion) -> None:
        """End the training with its model; raises TrainingStopped where it is no longer this worker's."""
        self.note(f"{version}: {version.get_status_display()}")
        self.end(version=version)
        events.announce(EVENT, at=self.clock())

    def fail(self, sentence: str) -> None:
        _fail(self.run, sentence, now=self.clock())


def prune(*, now: datetime) -> None:
    """Forget old trainings; their models stay."""
    TrainingRun.objects.exclude(status__in=UNFINISHED).filter(requested_at__lt=now - KEEP).delete()


def _fail(run: TrainingRun, sentence: str, *, now: datetime) -> None:
    with transaction.atomic():
        if attempts.own(run).update(status=RunStatus.FAILED, error=sentence, finished_at=now):
            events.emit(
                EVENT, at=now, text=f"Training {run.pk} of {run.kind} failed: {sentence}", payload={"training": run.pk}
            )
