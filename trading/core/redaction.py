"""Takes secrets out of text before it is written, shown or sent: those that are known, and whatever looks like one."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterable, Mapping
from typing import Any

HIDDEN = "[hidden]"
SHORTEST = 8
"""Shorter values are words of the language: hiding each of them would make text unreadable and hide nothing."""

_SHAPES = re.compile(
    "|".join(
        (
            r"\bjlb_[A-Za-z0-9_-]{20,}",  # our own tokens
            r"\b\d{6,20}:[A-Za-z0-9_-]{30,}",  # tokens of Telegram's bots
            r"\bAIza[A-Za-z0-9_-]{30,}",  # keys of Google's services
            r"\bgAAAA[A-Za-z0-9_=-]{40,}",  # what was sealed
            r"(?<=://)[^\s/:@]*:[^\s/@]+(?=@)",  # name and password of an address
            r"(?i:(?<=bearer )|(?<=token )|(?<=basic ))[A-Za-z0-9+/=_.~-]{16,}",
            r"(?i:(?<=password=)|(?<=secret=)|(?<=signature=)|(?<=api_key=)|(?<=apikey=))[^\s&\"']{4,}",
        )
    )
)

_lock = threading.Lock()
_known: frozenset[str] = frozenset()
_pattern: re.Pattern[str] | None = None


def remember(values: Iterable[str]) -> None:
    """Hide these values from now on in this process."""
    global _known, _pattern
    fresh = {value for value in values if len(value) >= SHORTEST} - _known
    if not fresh:
        return
    with _lock:
        _known |= fresh
        # The longest first: one may be a part of another.
        _pattern = re.compile("|".join(re.escape(value) for value in sorted(_known, key=len, reverse=True)))


def scrub(text: str) -> str:
    """Return the text with every known secret, and everything of a secret's shape, replaced."""
    if _pattern is not None:
        text = _pattern.sub(HIDDEN, text)
    return _SHAPES.sub(HIDDEN, text)


def scrub_all(value: Any) -> Any:
    """Return a JSON value with every text in it scrubbed."""
    if isinstance(value, str):
        return scrub(value)
    if isinstance(value, Mapping):
        return {name: scrub_all(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [scrub_all(inner) for inner in value]
    return value
