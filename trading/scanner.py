"""A scan put together: the venue's bars and books, the parameters in force, and what becomes of the watch list."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from functools import cache

from django.conf import settings
from django.utils import timezone
from django.utils.module_loading import import_string

from trading import market_wiring, wiring
from trading.core.book import Books
from trading.core.params import Params
from trading.models import Scan
from trading.services import parameters, scanning, switching
from trading.services.scanning import Sources
from trading.services.switching import Opinion

_SIMULATED_BOOKS = "trading.adapters.simulated_books.SimulatedBooks"
_CCXT_BOOKS = "trading.adapters.ccxt_books.CcxtBooks"


def begin(*, now: datetime) -> tuple[int, list[int]]:
    """Scan at once where one task can; return the scan and where each part begins that others have to measure.

    Raises ImproperlyConfigured.
    """
    _, params = parameters.in_force(now=now)
    known = sources()
    scanning.finish_late(known, params=params, now=now)
    made, is_new = scanning.begin(known, params=params, now=now)
    parts = scanning.parts(made)
    if not is_new:
        return made.pk, []
    if len(parts) > 1:
        return made.pk, parts
    if scanning.fill(made, known, params=params, now=now):
        _watch(made, params, now)
    return made.pk, []


def lost_parts(*, now: datetime) -> list[tuple[int, int]]:
    """Return the scan and the begin of each part that is asked for again."""
    return scanning.lost_parts(now=now)


def measure_part(pk: int, start: int, *, now: datetime) -> None:
    """Measure one part; whoever adds the last one looks after the watch list. Raises ImproperlyConfigured."""
    made = Scan.objects.filter(pk=pk, finished_at=None).first()
    if made is None:
        return
    _, params = parameters.in_force(now=now)
    # All parts have the timeframe with which the scan was begun.
    params = replace(params, timeframe=made.timeframe)
    if scanning.measure_part(pk, start, sources(), params=params, now=now):
        made.refresh_from_db()
        _watch(made, params, now)


def sources() -> Sources:
    """Return where scans get what they measure; raises ImproperlyConfigured."""
    return Sources(
        market_data=wiring.market_data(), strategies=wiring.strategy_list(), books=_books(), clock=timezone.now
    )


def _watch(made: Scan, params: Params, now: datetime) -> None:
    switching.after_scan(made, params=params, now=now, opinion=_opinion(params))


@cache
def _books() -> Books:
    made: Books = (
        import_string(_SIMULATED_BOOKS)(seed=settings.SIMULATION_SEED)
        if settings.EXCHANGE == market_wiring.SIMULATED
        else import_string(_CCXT_BOOKS)(
            market_wiring.client(sandbox=settings.EXCHANGE_SANDBOX), every=timedelta(seconds=settings.SCAN_SECONDS)
        )
    )
    return made


def _opinion(params: Params) -> Opinion | None:
    """Return whom to ask before a switch; nobody where none is set or the AI is off."""
    path = settings.ADVICE_SWITCH
    made: Opinion | None = import_string(path) if path and params.ai_mode != "off" else None
    return made
