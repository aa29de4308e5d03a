"""Candles from a CSV file, checked to the letter: the first mistake is refused with its line."""

from __future__ import annotations

import codecs
import csv
import io
from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from operator import itemgetter
from pathlib import Path
from reprlib import repr as short

import numpy as np

from trading.core import timeframes
from trading.core.candles import CandleError, Candles

_NUMBERS = ("open", "high", "low", "close", "volume")
_NEEDED = ("timestamp", *_NUMBERS)


class CsvError(ValueError):
    """A file that is refused; `line` counts from 1, the header, and is None where no line is to blame."""

    def __init__(self, path: Path, line: int | None, reason: str) -> None:
        super().__init__(f"{path}{f', line {line}' if line else ''}: {reason}")
        self.line = line


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportedCandles:
    """The closed bars of a file, and whether its last row was left out because that bar was still forming."""

    candles: Candles
    dropped_forming: bool


def read_csv(path: Path, *, symbol: str, timeframe: str, now: datetime) -> ImportedCandles:
    """Return the bars of a UTF-8 file that have closed by `now`; there is at least one.

    The header names timestamp, open, high, low, close and volume in any order and case, and maybe more. A timestamp
    is the bar's open time: ISO 8601 (UTC where it has no zone) or whole seconds or milliseconds since 1970.
    Raises CsvError for anything but sorted, gap-free, sound candles.
    """
    span = timeframes.milliseconds(timeframe)
    opened, numbers, lines = array("q"), array("d"), array("q")
    for line, (timestamp, *texts) in _rows(path):
        try:
            opened.append(_milliseconds(timestamp.strip()))
            numbers.extend(_numbers(texts))
        except ValueError as error:
            raise CsvError(path, line, str(error)) from None
        lines.append(line)
    if not opened:
        raise CsvError(path, 1, "no candles follow the header")
    columns = np.frombuffer(numbers).reshape(-1, len(_NUMBERS)).T.copy()
    values = dict(zip(_NUMBERS, columns, strict=True))
    try:
        candles = Candles.checked(
            symbol=symbol, timeframe=timeframe, opened=np.frombuffer(opened, dtype=np.int64), **values
        )
    except CandleError as error:
        raise CsvError(path, lines[error.row], error.reason) from None
    closed = int(np.searchsorted(candles.opened, timeframes.to_ms(now) - span, side="right"))
    if closed == 0 or closed < len(candles) - 1:
        raise CsvError(path, lines[closed], f"the bar closes after now ({now}), and only the last one may")
    return ImportedCandles(candles=candles.slice(0, closed), dropped_forming=closed < len(candles))


def _rows(path: Path) -> Iterator[tuple[int, tuple[str, ...]]]:
    """Yield the line and the needed cells of each row, in the order of _NEEDED."""
    reader = csv.reader(io.StringIO(_text(path), newline=""), strict=True)
    blank = None
    try:
        header = [name.strip().lower() for name in next(reader, [])]
        for name in _NEEDED:
            if header.count(name) != 1:
                found = "two columns" if name in header else "no column"
                raise CsvError(path, 1, f"{found} named {name}, the header is {','.join(header)[:100]!r}")
        cells = itemgetter(*(header.index(name) for name in _NEEDED))
        for row in reader:
            if len(row) < 2 and not "".join(row).strip():
                blank = blank or reader.line_num
                continue
            if blank:
                raise CsvError(path, blank, "blank line between candles")
            if len(row) != len(header):
                raise CsvError(path, reader.line_num, f"{len(row)} values under {len(header)} columns")
            yield reader.line_num, cells(row)
    except csv.Error as error:
        raise CsvError(path, reader.line_num, f"not CSV: {error}") from None


def _text(path: Path) -> str:
    try:
        content = path.read_bytes().removeprefix(codecs.BOM_UTF8)
    except OSError as error:
        raise CsvError(path, None, f"cannot be read ({error.strerror}), give the path of a CSV file") from None
    if not content.strip():
        raise CsvError(path, 1, "the file is empty")
    try:
        junk = content.find(b"\0")
        text = content.decode()
    except UnicodeDecodeError as error:
        junk = error.start
    if junk >= 0:
        raise CsvError(path, content.count(b"\n", 0, junk) + 1, "not UTF-8 text")
    return text


def _milliseconds(text: str) -> int:
    if text.isascii() and text.isdigit():
        # Nine to eleven digits are seconds of 1973 to 5138, twelve to fourteen are milliseconds of those years.
        number = int(text) if len(text) < 15 else 0
        if not 10**8 <= number < 10**14:
            raise ValueError(f"timestamp {short(text)} is neither seconds nor milliseconds since 1970")
        return number * 1000 if number < 10**11 else number
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"timestamp {short(text)} is not a time") from None
    if moment.microsecond:
        raise ValueError(f"timestamp {short(text)} is not a whole second")
    return timeframes.to_ms(moment if moment.tzinfo else moment.replace(tzinfo=UTC))


def _numbers(texts: list[str]) -> list[float]:
    # float() would read 1_000.
    readable = [text.replace("_", "?") for text in texts] if "_" in "".join(texts) else texts
    numbers: list[float] = []
    for text in readable:
        try:
            numbers.append(float(text))
        except ValueError:
            name, text = _NUMBERS[len(numbers)], texts[len(numbers)]
            raise ValueError(f"{name} {short(text)} is not a number") from None
    return numbers
