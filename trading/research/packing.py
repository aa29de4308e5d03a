"""Trials as bytes, so that one process can hand them to another; every number comes out as it went in."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence

import numpy as np

from trading.research.trials import Trial


def pack(trials: Sequence[Trial | None]) -> bytes:
    """Return trials, None among them, as bytes that `unpack` reads."""
    rows = [
        None
        if each is None
        else {
            "values": dict(each.values),
            "trades": each.trades,
            "figures": dict(each.figures),
            "days": len(each.daily),
        }
        for each in trials
    ]
    made = io.BytesIO()
    head = np.frombuffer(json.dumps(rows).encode(), dtype=np.uint8)
    np.savez_compressed(
        made, head=head, daily=np.concatenate([np.empty(0), *(each.daily for each in trials if each is not None)])
    )
    return made.getvalue()


def unpack(packed: bytes) -> list[Trial | None]:
    """Return what was packed, in its order."""
    with np.load(io.BytesIO(packed), allow_pickle=False) as arrays:
        rows, daily = json.loads(arrays["head"].tobytes()), arrays["daily"]
    found: list[Trial | None] = []
    begin = 0
    for row in rows:
        if row is None:
            found.append(None)
            continue
        end = begin + row["days"]
        found.append(Trial(values=row["values"], trades=row["trades"], figures=row["figures"], daily=daily[begin:end]))
        begin = end
    return found
