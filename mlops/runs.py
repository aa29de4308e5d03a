"""Trainings as rows: asked for, claimed by one worker at a time, followed, and begun again when their worker died."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from types import TracebackType
from typing import Any, Self

from django.db import IntegrityError, transaction

from mlops.models import ModelVersion, TrainingRun
from trading import events
from trading.models import UNFINISHED, RunStatus
from trading.services import lease

EVENT = "training"
MOST_ATTEMPTS = 3
"""A training whose worker died is begun so often, and then given up."""
SILENCE = timedelta(minutes=10)
"""A worker that was not heard of for so long counts as dead; on the same machine its death is seen at once."""
MOST_LINES = 100
KEEP = timedelta(days=180)

logger = logging.getLogger(__name__)
Clock = Callable[[], datetime]


class TrainingRefused(ValueError):
    """A training that cannot be asked for or canceled; the message says why."""


class TrainingStopped(Exception):
    """The training is no longer this worker's: it was canceled, or another worker has it."""


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
    for run in wanted.filter(status=RunStatus.RUNNING):
        heard = run.heartbeat_at or run.requested_at
        if now - heard <= SILENCE and not lease.is_gone(run.worker):
            continue
        if run.attempts >= MOST_ATTEMPTS:
            _fail(run, f"its worker was lost {run.attempts} times: use fewer candles", now=now)
        elif work := _take(run, owner, clock):
            return work
    return next((work for run in wanted.filter(status=RunStatus.QUEUED) if (work := _take(run, owner, clock))), None)


class Work:
    """One attempt at a training, held by this process.

    As a context it marks the training failed where the block fails: with the sentence of an error in `mistakes`, which
    ends there, or with the name of any other, which goes on.
    """

    def __init__(self, run: TrainingRun, clock: Clock) -> None:
        self.run = run
        self._clock = clock
        self._told: Callable[[int, str], None] | None = None
        self._percent = 0
        self._log: list[dict[str, str]] = list(run.log)
        self._mistakes: Mapping[type[BaseException], str] = {}

    def explained(
        self, mistakes: Mapping[type[BaseException], str], told: Callable[[int, str], None] | None = None
    ) -> Self:
        """Return itself; `mistakes` are errors that a person can put right, each with its sentence or "" for its own.

        `told` hears of every step.
        """
        self._mistakes, self._told = mistakes, told
        return self

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        if error is None:
            return False
        if isinstance(error, TrainingStopped):
            logger.info("training %s: %s", self.run.pk, error)
            return True
        known = next((text for each, text in self._mistakes.items() if isinstance(error, each)), None)
        if known is not None:
            _fail(self.run, known or str(error), now=self._clock())
            return True
        if isinstance(error, Exception):
            _fail(
                self.run, f"Julaba itself failed ({type(error).__name__}): see the log of the worker", now=self._clock()
            )
        return False

    def step(self, percent: int | None = None, text: str = "") -> None:
        """Say how far it is, or only that it goes on; raises TrainingStopped where it was canceled or taken over."""
        if text:
            self._log = [*self._log, _line(self._clock(), text)][-MOST_LINES:]
        self._percent = self._percent if percent is None else percent
        self._write(progress=self._percent, log=self._log)
        if self._told:
            self._told(self._percent, text)
        events.announce(EVENT, at=self._clock())

    def finish(self, version: ModelVersion) -> None:
        """End the training with its model; raises TrainingStopped where it is no longer this worker's."""
        now = self._clock()
        self._log = [*self._log, _line(now, f"{version}: {version.get_status_display()}")][-MOST_LINES:]
        self._write(status=RunStatus.DONE, progress=100, log=self._log, version=version, finished_at=now)
        events.announce(EVENT, at=now)

    def _write(self, **columns: Any) -> None:
        own = TrainingRun.objects.filter(pk=self.run.pk, status=RunStatus.RUNNING, attempts=self.run.attempts)
        if not own.update(heartbeat_at=self._clock(), **columns):
            raise TrainingStopped("stopped: it was canceled, or another worker has taken it over")


def prune(*, now: datetime) -> None:
    """Forget old trainings; their models stay."""
    TrainingRun.objects.exclude(status__in=UNFINISHED).filter(requested_at__lt=now - KEEP).delete()


def _take(run: TrainingRun, owner: str, clock: Clock) -> Work | None:
    """Begin an attempt, unless another worker has just done so."""
    now = clock()
    again = f"begun again, attempt {run.attempts + 1}: the worker before was lost"
    taken = TrainingRun.objects.filter(pk=run.pk, status=run.status, attempts=run.attempts).update(
        status=RunStatus.RUNNING,
        attempts=run.attempts + 1,
        worker=owner,
        started_at=now,
        heartbeat_at=now,
        progress=0,
        log=[*run.log, _line(now, again if run.attempts else "begun")],
    )
    if not taken:
        return None
    run.refresh_from_db()
    events.announce(EVENT, at=now)
    return Work(run, clock)


def _fail(run: TrainingRun, sentence: str, *, now: datetime) -> None:
    with transaction.atomic():
        failed = TrainingRun.objects.filter(pk=run.pk, status=RunStatus.RUNNING, attempts=run.attempts).update(
            status=RunStatus.FAILED, error=sentence, finished_at=now
        )
        if failed:
            events.emit(
                EVENT, at=now, text=f"Training {run.pk} of {run.kind} failed: {sentence}", payload={"training": run.pk}
            )


def _line(at: datetime, text: str) -> dict[str, str]:
    return {"at": at.isoformat(timespec="seconds"), "text": text}
