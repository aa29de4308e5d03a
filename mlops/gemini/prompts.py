"""Prompts: fixed text in versioned files, and data that is numbers and known words and nothing else."""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from trading.core.types import REGIMES

Value = bool | int | float | str | None | Mapping[str, "Value"] | Sequence["Value"]

_FOLDER = Path(__file__).resolve().parent.parent / "prompts"
_VERSIONS = {
    "opinion": "opinion.v1",
    "proposal": "proposal.v1",
    "switch": "switch.v1",
    "explain": "explain.v1",
    "commentary": "commentary.v1",
    "analysis": "analysis.v1",
    "chat": "chat.v1",
}
"""Which version of each prompt is in use. A prompt is changed by a new file, so that old rows keep their meaning."""

SYMBOL = re.compile(r"[A-Z0-9]{2,15}/[A-Z]{3,5}(:[A-Z]{3,5})?")
_KEY = re.compile(r"[a-z][a-z0-9_]{0,39}")
_TIMEFRAME = re.compile(r"[1-9][0-9]?[mhdw]")
WORDS = frozenset(
    {
        *(str(name) for name in REGIMES),
        *("long", "short", "none", "other", "paper", "live", "active", "close_only", "halted"),
        *("trend", "reversion", "busy", "quiet", "low", "normal", "high", "off", "filter", "advisory", "hybrid"),
        *("autonomous", "excellent", "good", "moderate", "weak", "poor", "taken", "refused", "expired", "ok", "warn"),
        *("bad", "stop", "break_even", "trailing", "approve", "reject", "no_opinion", "awaiting_advice"),
    }
)
"""Every word that may stand in a prompt's data; names of symbols and timeframes have patterns of their own."""
MOST_ITEMS, DEEPEST = 200, 5


@dataclass(frozen=True, slots=True)
class Prompt:
    """The fixed part of a prompt; `stamp` is its version and the beginning of its SHA-256."""

    text: str
    stamp: str


@cache
def load(name: str) -> Prompt:
    """Return the version of the prompt that is in use."""
    version = _VERSIONS[name]
    raw = (_FOLDER / f"{version}.txt").read_bytes()
    return Prompt(text=raw.decode(), stamp=f"{version} {hashlib.sha256(raw).hexdigest()[:12]}")


def data(values: Mapping[str, Value]) -> str:
    """Return the data as the prompt carries them; ValueError for whatever is no number and no known word."""
    return f"<data>\n{json.dumps(_checked(values, 0), separators=(',', ':'), allow_nan=False)}\n</data>"


def asked(question: str) -> str:
    """Return a person's question as the prompt carries it: one JSON string, so that it cannot end its own part."""
    safe = json.dumps(question).replace("<", "\\u003c").replace(">", "\\u003e")
    return f"<question>\n{safe}\n</question>"


def word(value: str) -> str:
    """Return the value where it is a known word, else other."""
    return value if value in WORDS else "other"


def number(value: float | None, digits: int = 6) -> float | None:
    """Return a number with so many significant digits; None where there is none."""
    if value is None or not math.isfinite(value):
        return None
    return float(f"{value:.{digits}g}")


def _checked(value: Value, depth: int) -> Value:
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int | float):
        if not math.isfinite(value):
            raise ValueError("data hold a number that is none")
        return value
    if isinstance(value, str):
        if value not in WORDS and not SYMBOL.fullmatch(value) and not _TIMEFRAME.fullmatch(value):
            raise ValueError("data hold text that is no known word")
        return value
    if depth >= DEEPEST or len(value) > MOST_ITEMS:
        raise ValueError("data are too many")
    if isinstance(value, Mapping):
        if not all(_KEY.fullmatch(key) or SYMBOL.fullmatch(key) for key in value):
            raise ValueError("data hold a name that is none")
        return {key: _checked(each, depth + 1) for key, each in value.items()}
    return [_checked(each, depth + 1) for each in value]
