"""Work as rows: one worker has a row at a time, says how far it is, and the next one begins anew where it died.

A worker's death leaves a row that runs and is not heard of. Whoever takes it makes another attempt, and only the newest
attempt writes, so a worker that comes back too late changes nothing.
"""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from types import TracebackType
from typing import Any, Generic, Self, TypeVar

from django.db import DatabaseError
from django.db.models import QuerySet

from trading import events
from trading.models import Attempted, Job, RunStatus
from trading.services import lease

MOST_ATTEMPTS = 3
"""Work whose worker died is begun so often, and then given up."""

logger = logging.getLogger(__name__)
Clock = Callable[[], datetime]
Mistakes = Mapping[type[BaseException], str]
"""Errors that a person can put right, each with its sentence, or "" for its own."""
Row = TypeVar("Row", bound=Attempted)
Asked = TypeVar("Asked", bound=Job)


class Stopped(Exception):
    """The row is no longer this worker's: it was canceled, or another worker has it."""


def is_lost(row: Attempted, *, silence: timedelta, now: datetime) -> bool:
    """Return whether a row that runs has no worker: it was not heard of for too long, or it is seen to be dead."""
    return row.heartbeat_at is None or now - row.heartbeat_at > silence or lease.is_gone(row.worker)


def take(row: Attempted, *, owner: str, now: datetime, **columns: Any) -> bool:
    """Begin an attempt, unless another worker has just done so."""
    taken = (
        _attempted(row)
        .filter(status=row.status)
        .update(status=RunStatus.RUNNING, attempts=row.attempts + 1, worker=owner, heartbeat_at=now, **columns)
    )
    if taken:
        row.refresh_from_db()
    return bool(taken)


def own(row: Row) -> QuerySet[Row]:
    """Return the row as long as it runs and this attempt is its newest; else nothing."""
    return _attempted(row).filter(status=RunStatus.RUNNING)


def next_of(
    running: QuerySet[Row],
    waiting: QuerySet[Row],
    *,
    silence: timedelta,
    now: datetime,
    begin: Callable[[Row], bool],
    give_up: Callable[[Row], None],
) -> Row | None:
    """Return the row that `begin` has taken, None without one: a dead worker's first, then those that wait, in order.

    What was lost too often is given up.
    """
    for row in running:
        if not is_lost(row, silence=silence, now=now):
            continue
        if row.attempts >= MOST_ATTEMPTS:
            give_up(row)
        elif begin(row):
            return row
    return next((row for row in waiting[:5] if begin(row)), None)


def told(error: BaseException, mistakes: Mistakes) -> str | None:
    """Return the sentence of an error that a person can put right, None for any other."""
    known = next((text for each, text in mistakes.items() if isinstance(error, each)), None)
    return None if known is None else known or str(error)


def our_own(error: Exception) -> str:
    """Return the sentence of an error that nobody foresaw."""
    return f"Julaba itself failed ({type(error).__name__}): see the log of the worker"


def line(at: datetime, text: str) -> dict[str, str]:
    return {"at": at.isoformat(timespec="seconds"), "text": text}


def begin(job: Job, *, owner: str, now: datetime) -> bool:
    """Begin an attempt at a job and write that down."""
    again = f"begun again, attempt {job.attempts + 1}: the worker before was lost"
    log = [*job.log, line(now, again if job.attempts else "begun")]
    return take(job, owner=owner, now=now, started_at=now, progress=0, log=log)


class Work(ABC, Generic[Asked]):
    """One attempt at a job, held by this process.

    As a context it marks the job failed where the block fails: with the sentence of an error in `mistakes`, which ends
    there, or with the name of any other, which goes on. A worker that is told to end leaves the job to the next one.
    """

    event: str
    most_lines = 200

    def __init__(self, run: Asked, clock: Clock) -> None:
        self.run = run
        self.clock = clock
        self._percent = 0
        self._log: list[dict[str, str]] = list(run.log)
        self.mistakes: Mistakes = {}

    @abstractmethod
    def fail(self, sentence: str) -> None:
        """Write down why there is no result."""

    def explained(self, mistakes: Mistakes) -> Self:
        """Return itself, knowing which errors a person can put right."""
        self.mistakes = mistakes
        return self

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        if error is None:
            return False
        if isinstance(error, Stopped):
            logger.info("%s: %s", self.run, error)
            return True
        known = told(error, self.mistakes)
        if known is not None:
            self._failed(known)
            return True
        if isinstance(error, Exception):
            self._failed(our_own(error))
        return False

    def step(self, percent: int | None = None, text: str = "") -> None:
        """Say how far it is, or only that it goes on; raises Stopped where it was canceled or taken over."""
        if text:
            self.note(text)
        self._percent = self._percent if percent is None else percent
        self.write(progress=self._percent, log=self._log)
        events.announce(self.event, at=self.clock())

    def note(self, text: str) -> None:
        """Add a line to the log that the next step writes."""
        self._log = [*self._log, line(self.clock(), text)][-self.most_lines :]

    def end(self, **columns: Any) -> None:
        """Write the result with everything else that ends a job; raises Stopped."""
        self.write(status=RunStatus.DONE, progress=100, log=self._log, finished_at=self.clock(), **columns)

    def write(self, **columns: Any) -> None:
        """Write columns of the row; raises Stopped where it is no longer this worker's."""
        if not own(self.run).update(heartbeat_at=self.clock(), **columns):
            raise Stopped("stopped: it was canceled, or another worker has taken it over")

    def _failed(self, sentence: str) -> None:
        try:
            self.fail(sentence)
        except DatabaseError as error:
            # It is still there as running: when it was silent for long enough the next worker finds it.
            logger.warning("%s failed and cannot be marked so: %s (%s)", self.run, sentence, error)


def _attempted(row: Row) -> QuerySet[Row]:
    """Return the row while no later attempt has begun."""
    rows: QuerySet[Row] = type(row)._default_manager.all()  # noqa: SLF001 - Django's documented name for it
    return rows.filter(pk=row.pk, attempts=row.attempts)
