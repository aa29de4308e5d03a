"""From lines to Telegram's HTML: everything is escaped here, marked PAPER or LIVE, and cut to what one message holds."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby

from django.conf import settings

LONGEST = 4096
"""UTF-16 units that one message may have; markup is counted too, to be on the safe side."""
LONGEST_CAPTION = 1024
"""UTF-16 units of the words under a picture or a document."""
_LONGEST_LINE = 900
"""Letters of a line; what a hostile one has beyond them is not worth a message."""
_LONGEST_PIECE = 800
"""UTF-16 units, escaped, after which a line goes on in a line of its own; with a heading it fits under a picture."""
_LONGEST_TITLE = 200
_TAG = re.compile(r"</?(?:b|pre)>")


@dataclass(frozen=True, slots=True)
class Line:
    """One line of words; `is_mono` keeps columns in place."""

    text: str
    is_mono: bool = False


def mode() -> str:
    """Return PAPER or LIVE, with which every message begins."""
    return str(settings.TRADING_MODE).upper()


def text(*lines: str) -> list[Line]:
    return [Line(line) for line in lines]


def table(rows: Iterable[Sequence[str]], *, head: Sequence[str] = ()) -> list[Line]:
    """Return rows as columns; numbers stand to the right."""
    body = [[_one_line(cell) for cell in row] for row in rows]
    every = [list(head), *body] if head else body
    if not every:
        return []
    widths = [max(len(row[n]) for row in every) for n in range(len(every[0]))]
    right = [all(_is_number(row[n]) for row in body) for n in range(len(widths))]
    return [Line("  ".join(_pad(row, widths, right)).rstrip(), is_mono=True) for row in every]


def pages(title: str, lines: Sequence[Line], *, longest: int = LONGEST) -> list[str]:
    """Return as many messages as the lines need, each with its heading."""
    whole = "\n".join((_heading(title), *_blocks(lines)))
    if _units(whole) <= longest:
        return [whole]
    room = longest - _units(_heading(title)) - 20
    lines = [
        Line(piece, line.is_mono) for line in lines for piece in _pieces(line.text, min(_LONGEST_PIECE, room - 13))
    ]
    return ["\n".join((_heading(title), *_blocks(part))) for part in _parts(lines, room)]


def plain(markup: str) -> str:
    """Return the words of a message without its markup."""
    return html.unescape(_TAG.sub("", markup))


def _heading(title: str) -> str:
    """Return the first line; letters that take more room than one are cut before the others."""
    return f"{mode()} · <b>{_escape(_pieces(title, _LONGEST_TITLE)[0])}</b>"


def _pieces(words: str, longest: int) -> list[str]:
    """Cut what would take more than `longest` units when it is escaped, between two letters; never nothing."""
    pieces, used = [""], 0
    for letter in _cut(words):
        units = _units(html.escape(letter, quote=False))
        if used + units > longest and pieces[-1]:
            pieces.append("")
            used = 0
        pieces[-1] += letter
        used += units
    return pieces


def _blocks(lines: Sequence[Line]) -> list[str]:
    made = []
    for is_mono, group in groupby(lines, key=lambda line: line.is_mono):
        words = "\n".join(_escape(line.text) for line in group)
        made.append(f"<pre>{words}</pre>" if is_mono else words)
    return made


def _parts(lines: Sequence[Line], room: int) -> list[list[Line]]:
    parts: list[list[Line]] = [[]]
    used = 0
    for line in lines:
        # A line may open a block of its own, and its line end counts.
        cost = _units(_escape(line.text)) + 13
        if parts[-1] and used + cost > room:
            parts.append([])
            used = 0
        parts[-1].append(line)
        used += cost
    return parts


def _cut(words: str) -> str:
    return words if len(words) <= _LONGEST_LINE else f"{words[: _LONGEST_LINE - 1]}…"


def _escape(words: str) -> str:
    return html.escape(_cut(words), quote=False)


def _units(words: str) -> int:
    return len(words.encode("utf-16-le", "surrogatepass")) // 2


def _one_line(cell: str) -> str:
    return " ".join(cell.split())


def _is_number(cell: str) -> bool:
    return not cell or cell[0] in "+-0123456789"


def _pad(row: Sequence[str], widths: Sequence[int], right: Sequence[bool]) -> list[str]:
    return [
        cell.rjust(width) if is_right else cell.ljust(width)
        for cell, width, is_right in zip(row, widths, right, strict=True)
    ]
