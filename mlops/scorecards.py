"""Keeps the figures of the reports fresh: all sources over several spans, computed aside from the pages."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from mlops import opinions, scorecard, upkeep
from mlops.models import Scorecard
from mlops.opinions import Source
from trading.services import parameters

DAYS = (7, 30, 90, 0)
"""The spans that are kept; 0 is everything."""
FEWER_DRAWS = 400


def refresh(*, now: datetime) -> dict[str, Source]:
    """Write the figures of every span and return the sources that they rest on."""
    ended, known = upkeep.ended(), opinions.outcomes()
    _, params = parameters.in_force(now=now)
    found = opinions.sources(known, params=params)
    for days in DAYS:
        since = now - timedelta(days=days) if days else None
        part = {name: each.since(since) if since else each for name, each in found.items()}
        counted = [each for each in known if since is None or each.decided_at >= since]
        figures = {
            "outcomes": len(counted),
            "won": sum(each.won for each in counted),
            "is_cut": len(known) == opinions.MOST,
            "ended": ended,
            "sources": _scores(part),
        }
        Scorecard.objects.update_or_create(days=days, defaults={"at": now, "figures": figures})
    return found


def as_json(source: Source) -> dict[str, Any]:
    # Nobody is bypassed over the interval of a filter: it is looked at, and may be coarser.
    draws = scorecard.DRAWS if source.kind == "adviser" else FEWER_DRAWS
    return {"kind": source.kind, **scorecard.as_json(scorecard.score(source.decisions, draws=draws))}


def _scores(found: Mapping[str, Source]) -> dict[str, Any]:
    return {name: as_json(each) for name, each in found.items() if len(each.decisions)}
