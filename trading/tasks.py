"""Celery tasks: load, call once. Imports are inside, so that sending a task costs no process numba or pandas."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import partial

from celery import Task, group, shared_task
from django.core.exceptions import ImproperlyConfigured
from django.utils import timezone
from kombu.exceptions import OperationalError

logger = logging.getLogger(__name__)


@shared_task
def tick(job: str = "tick") -> str:
    """Run one tick. What is expected to fail is one line in the log; what needs a person, an event as well.

    `job` is "hint" where the stream calls: bars have closed.
    """
    from trading.services import tick as ticking

    return _trade(partial(ticking.run, job=job))


@shared_task
def supervise(symbols: list[str]) -> str:
    """Follow what is open in these symbols: the stream saw a price reach a level. Fails as `tick` does."""
    from trading.services import tick as ticking

    return _trade(partial(ticking.supervise, symbols))


def _trade(act: Callable[..., str]) -> str:
    from trading import wiring
    from trading.core.ports import MarketDataUnavailable, OutcomeUnknown
    from trading.services import control, lease, parameters
    from trading.services.credentials import CredentialsUnavailable
    from trading.services.going_live import LiveRefused

    now = timezone.now()
    try:
        _, params = parameters.in_force(now=now)
        return act(ports=wiring.ports(params), now=now, owner=lease.process_name())
    except (MarketDataUnavailable, OutcomeUnknown) as doubt:
        logger.warning("no tick now, the next one tries again: %s", doubt)
        return "venue unavailable"
    except (LiveRefused, CredentialsUnavailable, ImproperlyConfigured) as refusal:
        logger.error("nothing is traded: %s", refusal)  # noqa: TRY400 - it says in words what to do
        control.report_refusal(str(refusal), now=now)
        return "refused"


@shared_task
def scan() -> None:
    """Scan the pairs; many of them in parts, which whichever workers are free measure."""
    from trading import scanner

    try:
        lost = scanner.lost_parts(now=timezone.now())
        pk, starts = scanner.begin(now=timezone.now())
    except ImproperlyConfigured as refusal:
        logger.error("nothing is scanned: %s", refusal)  # noqa: TRY400
        return
    wanted = [*lost, *((pk, start) for start in starts)]
    if wanted:
        group(scan_part.s(pk=pk, start=start) for pk, start in wanted).apply_async(expires=600)


@shared_task
def scan_part(pk: int, start: int) -> None:
    from trading import scanner

    try:
        scanner.measure_part(pk, start, now=timezone.now())
    except ImproperlyConfigured as refusal:
        logger.error("part %s of scan %s is not measured: %s", start, pk, refusal)  # noqa: TRY400


@shared_task
def watch() -> None:
    from trading.services import invariants, parameters, quality, watching

    now = timezone.now()
    invariants.watch(now=now, since=now - timedelta(hours=1))
    _, params = parameters.in_force(now=now)
    quality.watch(params=watching.applied(params), now=now)


@shared_task
def self_test() -> None:
    """Make the daily trial of stops, live only; sent every hour, so that one which could not be made is made later."""
    from django.conf import settings

    from trading import wiring
    from trading.services import parameters
    from trading.services import self_test as trial
    from trading.services.credentials import CredentialsUnavailable
    from trading.services.going_live import LiveRefused

    now = timezone.now()
    if settings.TRADING_MODE != "live" or not trial.is_due(now=now):
        return
    _, params = parameters.in_force(now=now)
    try:
        tester = wiring.tester()
    except (LiveRefused, CredentialsUnavailable, ImproperlyConfigured) as refusal:
        logger.warning("there is no trial of stops: %s", refusal)
        return
    trial.run(tester=tester, symbols=params.pairs, now=now)


@shared_task(bind=True)
def research(self: Task[..., None]) -> None:
    """Do one run of research that waits, or help with one. Until there is one, nothing is loaded that takes much memory."""
    from trading.services import backtesting, parts

    now = timezone.now()
    if backtesting.is_idle(now=now) and not parts.runs_that_want_help(now=now):
        return
    with _heavy_place(is_eager=self.request.is_eager) as is_ours:
        if not is_ours:
            return
        from trading import runs

        runs.work(tell=_call_for_help)


@shared_task(bind=True)
def research_part(self: Task[..., None], pk: int, number: int) -> None:
    """Do this part of a run, and whatever else of it is left then."""
    from trading.services import parts

    if pk not in parts.runs_that_want_help(now=timezone.now()):
        return
    with _heavy_place(is_eager=self.request.is_eager) as is_ours:
        if not is_ours:
            return
        from trading import runs

        runs.help_with(pk, number=number)


def _call_for_help(pk: int, count: int) -> None:
    try:
        group(research_part.s(pk=pk, number=number) for number in range(count)).apply_async(expires=600, retry=False)
    except OperationalError as error:
        logger.info("nobody is called to help with run %s, Redis does not answer; beat asks again: %s", pk, error)


@contextmanager
def _heavy_place(*, is_eager: bool) -> Iterator[bool]:
    """Hold one of this machine's places for heavy work; False: all are taken."""
    from django.conf import settings

    from trading.services import heavy

    with heavy.place(settings.JULABA_DATA_DIR / "run", places=settings.HEAVY_PLACES) as is_ours:
        if is_ours and not is_eager:
            heavy.step_back()  # this process is replaced after the run, for it has grown
        yield is_ours


@shared_task
def prune() -> None:
    from django.conf import settings

    from trading import market_wiring
    from trading.services import backtesting, candle_keeping, retention

    now = timezone.now()
    retention.prune(now=now)
    backtesting.prune(now=now)
    candle_keeping.forget(market_wiring.candle_store(), keep=timedelta(days=settings.CANDLE_KEEP_DAYS), now=now)


@shared_task
def backup() -> None:
    """Make a backup where one is due; what went wrong was told, and is tried again with the next message."""
    from django.conf import settings

    from trading import keeping
    from trading.services import backups

    now = timezone.now()
    if not backups.is_due(now=now):
        return
    try:
        backups.make(keeping.place(), code_version=settings.CODE_VERSION, now=now)
    except backups.BackupError as error:
        logger.warning("the backup is tried again: %s", error)


@shared_task
def try_backup() -> None:
    """Restore the newest backup as a trial, once a day."""
    from trading import keeping
    from trading.adapters import database_copy
    from trading.services import restoring

    now = timezone.now()
    if not restoring.is_due(now=now):
        return
    server = keeping.scratch_server()
    if server is not None:
        database_copy.empty_postgres(server)
    restoring.try_newest(keeping.place(), server=server, now=now)
