"""Studies that workers share: cut into parts, done by whoever is free, put together by whoever owns the run.

The rows say what is left to do; a message only tells that there is something. Without any helper the owner does it all.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from celery.exceptions import SoftTimeLimitExceeded
from django.conf import settings
from django.utils import timezone

from trading import past, validation
from trading.models import BacktestRun, RunKind, RunStatus
from trading.research import fingerprint, packing, search, walkforward
from trading.research.search import Plan, axis
from trading.research.trials import Field, Progress, Trial
from trading.research.walkforward import Step
from trading.services import attempts, lease, parts
from trading.services.attempts import Mistakes, Stopped
from trading.services.backtesting import Work
from trading.services.parts import Part

MOST_PARTS = 64
"""Into so many a sweep is cut: few enough to cost nothing, enough for many workers to end together."""
PAUSE_S = 0.5
"""So long the owner waits for the last helpers before it looks again."""
Tell = Callable[[int, int], None]
"""Told the run and into how many parts it was cut."""

logger = logging.getLogger(__name__)


class PartFailed(Exception):
    """A part of the study could not be done; the message says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cut:
    """A study in parts: how many points each tries, what does one, and what makes a report of all."""

    sizes: Sequence[int]
    do: Callable[[int, Progress], Sequence[Trial | None]]
    report: Callable[[Sequence[Sequence[Trial | None]]], dict[str, Any]]


def plan_of(run: BacktestRun) -> Plan:
    """Return the search that a run asks for; raises SearchError."""
    asked = run.plan or {}
    return Plan(
        axes=[axis(text) for text in asked["vary"]],
        method=asked["method"],
        points=asked["points"],
        seed=run.seed or 1,
        objective=asked["objective"],
        min_trades=asked["min_trades"],
    )


def can_be_cut(run: BacktestRun) -> bool:
    """Return whether parts of the study stand alone: Optuna asks for one point after another."""
    method = (run.plan or {}).get("method")
    return run.kind == RunKind.WALK or (run.kind == RunKind.SWEEP and method != "optuna")


def cut(run: BacktestRun, field: Field) -> Cut:
    """Return the study in parts, the same on every machine; raises SearchError."""
    return _sweep(field, plan_of(run)) if run.kind == RunKind.SWEEP else _walk(field, plan_of(run), run.plan or {})


def share(held: Work, field: Field, *, ground: str, tell: Tell) -> dict[str, Any]:
    """Do a study together with everybody who helps, and return its report.

    `ground` is the digest of its candles. Raises Stopped, and PartFailed.
    """
    study = cut(held.run, field)
    parts.plan(held.run, study.sizes, ground=ground, code_version=settings.CODE_VERSION)
    if len(study.sizes) > 1:
        held.step(text=f"cut into {len(study.sizes)} parts")
        tell(held.run.pk, len(study.sizes))
    while (packed := parts.found(held.run)) is None:
        if why := parts.failure(held.run):
            raise PartFailed(why)
        part = parts.claim(held.run, owner=lease.process_name(), clock=timezone.now)
        if part is None:
            time.sleep(PAUSE_S)
        else:
            _own(part, study, held)
        _show(held)
    if len(study.sizes) > 1:
        by = ", ".join(f"{machine} {count}" for machine, count in parts.done_by(held.run).items())
        held.step(text=f"parts done: {by}")
    return study.report([packing.unpack(each) for each in packed])


def help_with(pk: int, *, number: int, mistakes: Mistakes) -> int:
    """Do parts of another worker's run, that `number` first, until none is left; return how many were done.

    Nothing is done where this machine has other candles or another version: what it found would not fit.
    """
    run = BacktestRun.objects.filter(pk=pk, status=RunStatus.RUNNING).defer("result", "log").first()
    study: Cut | None = None
    count = 0
    while run is not None:
        part = parts.claim(run, owner=lease.process_name(), clock=timezone.now, first=number)
        if part is None:
            break
        try:
            study = study or _same(run, part, mistakes)
            if study is None:
                break
            do(part, study, part.progress, mistakes)
        except SoftTimeLimitExceeded:
            break  # this task's time is over, not the run's
        except Stopped as stopped:
            logger.info("%s: %s", part.row, stopped)
            break
        count += 1
    return count


def do(part: Part, study: Cut, progress: Progress, mistakes: Mistakes) -> None:
    """Do a part and keep what it found, or why it found nothing; raises Stopped, and errors that nobody foresaw."""
    with part.explained(mistakes, passing=(SoftTimeLimitExceeded,)):
        part.finish(packing.pack(study.do(part.row.number, progress)))


def _own(part: Part, study: Cut, held: Work) -> None:
    """Do a part of one's own run; where only the part was lost to another worker, go on."""

    def progress(done: int, of: int) -> None:
        if part.progress(done, of):
            _show(held)

    try:
        do(part, study, progress, held.mistakes)
    except Stopped:
        held.step()


def _show(held: Work) -> None:
    done, of = parts.done(held.run)
    held.step(20 + 75 * done // max(of, 1))


def _same(run: BacktestRun, part: Part, mistakes: Mistakes) -> Cut | None:
    """Return the study on this machine's candles; None, and the part is free again, where they or the version are others."""
    study: Cut | None = None
    try:
        study, why = _on_same_ground(run, part)
    except tuple(mistakes) as error:
        why = attempts.told(error, mistakes) or ""
    finally:
        if study is None:
            part.release()
    if why:
        logger.warning("%s is not helped with: %s", run, why)
    return study


def _on_same_ground(run: BacktestRun, part: Part) -> tuple[Cut | None, str]:
    """Return the study, or None and why not."""
    if run.code_version != settings.CODE_VERSION:
        return None, f"it is of version {run.code_version}"
    asked = past.asked_for(part)
    if fingerprint.of(asked.series) != run.data_hash:
        return None, "this machine has other candles"
    return cut(run, validation.field_of(asked)), ""


def _sweep(field: Field, plan: Plan) -> Cut:
    points = search.points(plan)
    length = -(-len(points) // MOST_PARTS)
    chunks = [points[begin : begin + length] for begin in range(0, len(points), length)]
    return Cut(
        sizes=[len(chunk) for chunk in chunks],
        do=lambda number, progress: search.tried(field, chunks[number], progress),
        report=lambda found: validation.sweep_report(field, plan, search.of([each for part in found for each in part])),
    )


def _walk(field: Field, plan: Plan, asked: dict[str, Any]) -> Cut:
    windows = validation.windows(field, train=asked["train"], test=asked["test"], is_anchored=asked["is_anchored"])

    def do(number: int, progress: Progress) -> list[Trial | None]:
        made = walkforward.step(field, plan, windows[number], progress)
        return [made.chosen, made.tested, made.usual]

    def report(found: Sequence[Sequence[Trial | None]]) -> dict[str, Any]:
        steps = []
        for window, (chosen, tested, usual) in zip(windows, found, strict=True):
            assert usual is not None
            steps.append(Step(window=window, chosen=chosen, tested=tested, usual=usual))
        return validation.walk_report(plan, walkforward.of(steps), is_anchored=asked["is_anchored"])

    count = plan.points if plan.method != "grid" else len(search.points(plan))
    return Cut(sizes=[count] * len(windows), do=do, report=report)
