"""Gemini's say in a change of the watched pair: it may veto. No answer is no opinion, and then nothing is switched."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from mlops.gemini import answers, client
from mlops.gemini.prompts import SYMBOL, Value, number, word


def approves(
    *, current: str, candidate: str, rows: Mapping[str, Mapping[str, float | str]], now: datetime
) -> bool | None:
    """Return whether the system may turn from one pair to another; None is no opinion.

    `rows` are what the scan measured of each, by symbol: numbers, and words such as the regime.
    """
    if not client.is_configured() or not all(SYMBOL.fullmatch(name) for name in (current, candidate)):
        return None
    markets: dict[str, Value] = {
        symbol: {
            name: word(value) if isinstance(value, str) else number(float(value), 4) for name, value in row.items()
        }
        for symbol, row in rows.items()
        if symbol in (current, candidate)
    }
    reply = client.ask(
        "switch",
        {"current": current, "candidate": candidate, "markets": markets},
        schema=answers.SWITCH_SCHEMA,
        read=answers.opinion,
        now=now,
    )
    return reply.value.approve if reply.value is not None else None
