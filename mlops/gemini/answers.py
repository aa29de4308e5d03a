"""Gemini's answers read strictly: every key there once, none besides, each of its type and within its bounds."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mlops.gemini.wire import NoAnswer, read_json

LONGEST_JSON = 6_000
LONGEST_TEXT = 4_000
LONGEST_REASONING, LONGEST_AGAINST = 600, 200
RISKS = ("low", "medium", "high")
SIDES = ("long", "short")
NOTHING = "none"
_BLANK = re.compile(r"[^\S\n]+")

_COMMON: dict[str, Any] = {
    "confidence": {"type": "number"},
    "reasoning": {"type": "string"},
    "risk": {"type": "string", "enum": list(RISKS)},
    "against": {"type": "array", "items": {"type": "string"}, "minItems": 3, "maxItems": 3},
}


def _schema(properties: Mapping[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": dict(properties), "required": list(properties)}


OPINION_SCHEMA = _schema({"approve": {"type": "boolean"}, **_COMMON})
SWITCH_SCHEMA = OPINION_SCHEMA


def proposal_schema(symbols: Sequence[str]) -> dict[str, Any]:
    """Return the schema of a proposal among these symbols."""
    choice = {"type": "string", "enum": [*symbols, NOTHING]}
    side = {"type": "string", "enum": [*SIDES, NOTHING]}
    return _schema({"symbol": choice, "side": side, **_COMMON})


@dataclass(frozen=True, slots=True, kw_only=True)
class Opinion:
    """A yes or a no with its reasons; it can carry no side, no quantity and no parameter."""

    approve: bool
    confidence: float
    reasoning: str
    risk: str
    against: tuple[str, str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Idea:
    """A setup that Gemini would look at, on one of the symbols it was asked about."""

    symbol: str
    side: str
    opinion: Opinion


def opinion(text: str) -> Opinion:
    """Return the opinion; raises NoAnswer."""
    return _opinion(_object(text, OPINION_SCHEMA))


def ideas(text: str, *, symbols: Sequence[str]) -> tuple[Idea, ...]:
    """Return one idea, or none where Gemini has none; raises NoAnswer."""
    found = _object(text, proposal_schema(symbols))
    symbol, side = found.pop("symbol"), found.pop("side")
    if symbol not in (*symbols, NOTHING) or side not in (*SIDES, NOTHING):
        raise _bad("symbol and side are none of those it was asked about", is_overreach=True)
    if (symbol == NOTHING) != (side == NOTHING):
        raise _bad("it names a symbol without a side, or a side without a symbol")
    read = _opinion({"approve": True, **found})
    return () if symbol == NOTHING else (Idea(symbol=symbol, side=side, opinion=read),)


def prose(text: str) -> str:
    """Return plain text to be read by people; raises NoAnswer where there is none, or far too much."""
    if len(text) > 2 * LONGEST_TEXT:
        raise _bad("it is too long")
    return cleaned(text, LONGEST_TEXT)


def cleaned(text: str, longest: int) -> str:
    """Return text without signs that a screen or a database takes for commands; raises NoAnswer where none is left."""
    whole = text.encode("utf-8", "replace").decode()
    shown = "".join(sign for sign in whole if sign == "\n" or unicodedata.category(sign)[0] != "C" or sign == "\t")
    lines = [_BLANK.sub(" ", line).strip() for line in shown.splitlines()]
    words = re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()
    if not words:
        raise _bad("it says nothing")
    return words if len(words) <= longest else f"{words[: longest - 1].rstrip()}…"


def _object(text: str, schema: Mapping[str, Any]) -> dict[str, Any]:
    if len(text) > LONGEST_JSON:
        raise _bad("it is too long")
    found = read_json(text)
    if not isinstance(found, dict):
        raise _bad("it is no object")
    wanted = set(schema["properties"])
    if missing := sorted(wanted - set(found)):
        raise _bad(f"{missing[0]} is missing")
    if set(found) - wanted:
        raise _bad("it holds keys that were not asked for", is_overreach=True)
    return found


def _opinion(found: Mapping[str, Any]) -> Opinion:
    approve, confidence, risk, against = (found[name] for name in ("approve", "confidence", "risk", "against"))
    if not isinstance(approve, bool):
        raise _bad("approve is neither true nor false")
    if isinstance(confidence, bool) or not isinstance(confidence, int | float) or not 0 <= confidence <= 1:
        raise _bad("confidence is no number from 0 to 1")
    if risk not in RISKS:
        raise _bad(f"risk is none of {', '.join(RISKS)}")
    if not isinstance(against, list) or len(against) != 3 or not all(isinstance(each, str) for each in against):
        raise _bad("there are not three reasons against it")
    if not isinstance(found["reasoning"], str):
        raise _bad("reasoning is no text")
    first, second, third = (cleaned(each, LONGEST_AGAINST) for each in against)
    return Opinion(
        approve=approve,
        confidence=float(confidence),
        reasoning=cleaned(found["reasoning"], LONGEST_REASONING),
        risk=risk,
        against=(first, second, third),
    )


def _bad(why: str, *, is_overreach: bool = False) -> NoAnswer:
    return NoAnswer(f"the answer cannot be used: {why}", is_billed=True, is_overreach=is_overreach)
