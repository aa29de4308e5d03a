"""The parts of a study that several workers share, as rows: planned once, taken one by one, taken again from the dead.

Who owns the run puts the parts together and works on them like everybody else, so a run ends even where nobody helps.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta
from types import TracebackType
from typing import Any, Self

from django.db import transaction
from django.db.models import Sum

from trading.models import BacktestRun, RunPart, RunStatus
from trading.services import attempts
from trading.services.attempts import Clock, Mistakes, Stopped

SILENCE = timedelta(minutes=5)
"""A helper on another machine that was not heard of for so long counts as dead."""
BETWEEN = timedelta(seconds=1)
"""So long a part writes nothing of what it has done."""


def plan(run: BacktestRun, sizes: Sequence[int], *, ground: str, code_version: str) -> None:
    """Write down the parts of a run by how many points each tries; those of an earlier attempt on the same ground stay.

    `ground` is the digest of the candles, which must be the same for all who help. Raises Stopped.
    """
    with transaction.atomic():
        same = BacktestRun.objects.filter(pk=run.pk, data_hash=ground, code_version=code_version).exists()
        if not attempts.own(run).update(data_hash=ground, code_version=code_version):
            raise Stopped("stopped: it was canceled, or another worker has taken it over")
        parts = RunPart.objects.filter(run=run)
        if same and list(parts.order_by("number").values_list("size", flat=True)) == list(sizes):
            return
        parts.delete()
        RunPart.objects.bulk_create(RunPart(run=run, number=number, size=size) for number, size in enumerate(sizes))


def runs_that_want_help(*, now: datetime) -> list[int]:
    """Return the runs that run and have a part that nobody works on, the oldest first."""
    open_parts = RunPart.objects.filter(
        run__status=RunStatus.RUNNING, status__in=(RunStatus.QUEUED, RunStatus.RUNNING)
    ).defer("found")
    wanting = {
        part.run_id
        for part in open_parts
        if part.status == RunStatus.QUEUED or attempts.is_lost(part, silence=SILENCE, now=now)
    }
    return sorted(wanting)


def claim(run: BacktestRun, *, owner: str, clock: Clock, first: int = 0) -> Part | None:
    """Return a part of the run as this process's work, None where none is left; `first` is preferred."""
    now = clock()
    mine = RunPart.objects.filter(run=run).defer("found")
    waiting = mine.filter(status=RunStatus.QUEUED)
    found = attempts.next_of(
        mine.filter(status=RunStatus.RUNNING).order_by("number"),
        waiting.filter(number__gte=first).order_by("number") if first else waiting.order_by("number"),
        silence=SILENCE,
        now=now,
        begin=lambda part: attempts.take(part, owner=owner, now=now, done=0),
        give_up=lambda part: _fail(part, f"the worker of a part was lost {part.attempts} times: ask for fewer bars"),
    )
    if found is None:
        return claim(run, owner=owner, clock=clock) if first else None
    return Part(found, run, clock)


def done(run: BacktestRun) -> tuple[int, int]:
    """Return how many points of how many all parts have tried."""
    found = RunPart.objects.filter(run=run).aggregate(done=Sum("done"), size=Sum("size"))
    return found["done"] or 0, found["size"] or 0


def failure(run: BacktestRun) -> str:
    """Return why a part failed, an empty text where none did."""
    failed = RunPart.objects.filter(run=run, status=RunStatus.FAILED).order_by("number")
    return failed.values_list("error", flat=True).first() or ""


def found(run: BacktestRun) -> list[bytes] | None:
    """Return what each part found, in order; None while one is not done."""
    parts = RunPart.objects.filter(run=run)
    if parts.exclude(status=RunStatus.DONE).exists():
        return None
    return [bytes(packed or b"") for packed in parts.order_by("number").values_list("found", flat=True)]


def done_by(run: BacktestRun) -> dict[str, int]:
    """Return how many parts each machine did, by its name."""
    workers = RunPart.objects.filter(run=run, status=RunStatus.DONE).values_list("worker", flat=True)
    return dict(sorted(Counter(worker.partition(":")[0] for worker in workers).items()))


class Part:
    """One attempt at a part, held by this process.

    As a context it marks the part failed where the block fails, as attempts.Work does with a job; an error that is only
    `passing`, and goes on, leaves it to the next worker.
    """

    def __init__(self, row: RunPart, run: BacktestRun, clock: Clock) -> None:
        self.row = row
        self.run = run
        self._clock = clock
        self._written_at = clock()
        self._mistakes: Mistakes = {}
        self._passing: tuple[type[BaseException], ...] = ()

    def explained(self, mistakes: Mistakes, *, passing: tuple[type[BaseException], ...]) -> Self:
        """Return itself, knowing which errors a person can put right, and which say nothing of the part."""
        self._mistakes, self._passing = mistakes, passing
        return self

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        if error is None or isinstance(error, Stopped):
            return False
        if isinstance(error, self._passing):
            self.release()
            return False
        known = attempts.told(error, self._mistakes)
        if known is not None:
            _fail(self.row, known)
        elif isinstance(error, Exception):
            _fail(self.row, attempts.our_own(error))
        return known is not None

    def step(self, percent: int | None = None, text: str = "") -> None:
        """Say that it goes on; raises Stopped where its run has ended or another worker has the part."""
        self._write()

    def progress(self, done: int, of: int) -> bool:
        """Say how many points are tried, at most once a second, and return whether it was said; raises Stopped."""
        is_due = self._clock() - self._written_at >= BETWEEN
        if is_due:
            self._write(done=min(done, self.row.size))
        return is_due

    def finish(self, packed: bytes) -> None:
        """Keep what was found; raises Stopped."""
        self._write(status=RunStatus.DONE, done=self.row.size, found=packed)

    def release(self) -> None:
        """Let another worker have it: this one cannot do it."""
        attempts.own(self.row).update(status=RunStatus.QUEUED, done=0, attempts=self.row.attempts - 1)

    def _write(self, **columns: Any) -> None:
        now = self._clock()
        if not attempts.own(self.row).filter(run__status=RunStatus.RUNNING).update(heartbeat_at=now, **columns):
            raise Stopped("stopped: its run has ended, or another worker has the part")
        self._written_at = now


def _fail(part: RunPart, sentence: str) -> None:
    attempts.own(part).update(status=RunStatus.FAILED, error=sentence)
