"""Closed candles on disk: Parquet, one folder per exchange, symbol and timeframe, one file per UTC month."""

from __future__ import annotations

import fcntl
import os
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from trading.core import timeframes
from trading.core.candles import CandleError, Candles, Ints

# Any: pyarrow has no types; `opened` is int64, the others are float64.
Columns = dict[str, NDArray[Any]]

_COLUMNS = ("opened", "open", "high", "low", "close", "volume")
_SCHEMA = pa.schema([pa.field(name, pa.int64() if name == "opened" else pa.float64(), False) for name in _COLUMNS])
_ENCODING = {name: "DELTA_BINARY_PACKED" if name == "opened" else "BYTE_STREAM_SPLIT" for name in _COLUMNS}
_BEGINNING = ".begins_at"
_MONTHS = "[0-9][0-9][0-9][0-9]-[0-9][0-9].parquet"
_SYMBOL = re.compile(r"[A-Z0-9]+/[A-Z0-9]+(:[A-Z0-9]+)?")
_REPAIR = "restore it, or move it away and import its month again"
_EXCHANGE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")


class CandleStoreError(Exception):
    """The store cannot do what was asked; the message names the file or the series and says what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """Missing bars, by the open times of the first and the last of them."""

    first: datetime
    last: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """What is stored of one series: the open times of its first and last bar, how many bars, and what is missing."""

    symbol: str
    timeframe: str
    first: datetime
    last: datetime
    bars: int
    gaps: tuple[Gap, ...]


class CandleStore:
    """The candles of one exchange under `root`, a local folder; made on the first write.

    Any number of processes may read. A series has one writer at a time; a second one waits up to `lock_wait`.
    """

    def __init__(self, root: Path, exchange: str, *, lock_wait: timedelta = timedelta(seconds=5)) -> None:
        if not _EXCHANGE.fullmatch(exchange):
            raise CandleStoreError(f"exchange {exchange!r} cannot name a folder: use letters, digits, - and _")
        self._root = root / exchange
        self._lock_wait = lock_wait

    def write(self, candles: Candles, *, corrects: bool = False) -> int:
        """Add closed bars and return how many of them were new; they may lie before, after or among the stored ones.

        Raises CandleError where `candles` breaks the contract, and CandleStoreError where a stored bar has other
        values: nothing is written then. With `corrects` the new values count, and corrected bars are new ones. A crash
        leaves each month whole, either old or new, and the oldest months are replaced first, so writing the same
        candles again completes it.
        """
        values = {name: getattr(candles, name) for name in _COLUMNS}
        Candles.checked(symbol=candles.symbol, timeframe=candles.timeframe, **values)
        folder = self._folder(candles.symbol, candles.timeframe)
        if not len(candles):
            return 0
        try:
            _make(folder)
            with _only_writer(folder, self._lock_wait):
                return _add(folder, values, corrects=corrects)
        except OSError as error:
            cause = error.strerror or error
            raise CandleStoreError(f"{folder} cannot be written ({cause}): make room or correct its rights") from error

    def read(
        self, symbol: str, timeframe: str, *, start: datetime | None = None, end: datetime | None = None
    ) -> Candles:
        """Return the stored bars that opened from `start` up to but without `end`, oldest first.

        Raises CandleStoreError where there is none, and where bars between the first and the last are missing.
        """
        folder = self._folder(symbol, timeframe)
        columns = _between(folder, start, end)
        opened = columns["opened"]
        if not len(opened):
            asked = f" from {start or 'the first'} to {end or 'the last'}" if start or end else ""
            raise CandleStoreError(f"no {symbol} {timeframe} bars{asked} in {folder}: import them first")
        if gaps := _gaps(opened, timeframe):
            missing = f"from {gaps[0].first} to {gaps[0].last}"
            raise CandleStoreError(f"{symbol} {timeframe} bars {missing} are missing: import them or ask for less")
        # Arrow keeps what it used for the next file; a year of minutes leaves 40 MB that nobody else can have.
        pa.default_memory_pool().release_unused()
        return _sound(folder, symbol, timeframe, columns)

    def read_last_run(self, symbol: str, timeframe: str, *, start: datetime, end: datetime) -> Candles:
        """Return the stored bars that opened in [start, end) and follow the last gap among them; possibly none."""
        folder = self._folder(symbol, timeframe)
        columns = _between(folder, start, end)
        breaks = np.flatnonzero(np.diff(columns["opened"]) > timeframes.milliseconds(timeframe))
        first = int(breaks[-1]) + 1 if len(breaks) else 0
        return _sound(folder, symbol, timeframe, {name: column[first:] for name, column in columns.items()})

    def opened(self, symbol: str, timeframe: str, *, start: datetime, end: datetime) -> Ints:
        """Return the open times (milliseconds) of the stored bars that opened in [start, end), oldest first."""
        return _between(self._folder(symbol, timeframe), start, end)["opened"]

    def begins_at(self, symbol: str, timeframe: str) -> datetime | None:
        """Return when the venue's very first bar of the series opened, where it was noted."""
        try:
            return datetime.fromisoformat((self._folder(symbol, timeframe) / _BEGINNING).read_text(encoding="ascii"))
        except (OSError, ValueError):  # nothing was noted, or not in full: it will be found out again
            return None

    def mark_beginning(self, symbol: str, timeframe: str, at: datetime) -> None:
        """Note that the venue has no bar of the series before the one that opened at `at`."""
        folder = self._folder(symbol, timeframe)
        try:
            _make(folder)
            (folder / _BEGINNING).write_text(at.isoformat(), encoding="ascii")
        except OSError as error:
            raise CandleStoreError(f"{folder} cannot be written ({error.strerror}): correct its rights") from error

    def forget_before(self, symbol: str, timeframe: str, moment: datetime) -> int:
        """Remove the months that ended before `moment`, and return how many."""
        folder = self._folder(symbol, timeframe)
        old = [path for path in sorted(folder.glob(_MONTHS)) if path.stem < f"{moment:%Y-%m}"]
        if old:
            with _only_writer(folder, self._lock_wait):
                for path in old:
                    path.unlink(missing_ok=True)
        return len(old)

    def series(self) -> list[Series]:
        """Return what is stored, by symbol and timeframe; raise CandleStoreError for a damaged file."""
        found = []
        for folder in sorted(self._root.glob("*/*")):
            symbol, timeframe = folder.parent.name.replace("-", "/").replace("_", ":"), folder.name
            paths = sorted(folder.glob(_MONTHS))
            if not (paths and _SYMBOL.fullmatch(symbol) and timeframe in timeframes.MILLISECONDS):
                continue
            opened = _joined("opened", [_load(path, "opened") for path in paths])
            found.append(
                Series(
                    symbol=symbol,
                    timeframe=timeframe,
                    first=timeframes.from_ms(opened[0]),
                    last=timeframes.from_ms(opened[-1]),
                    bars=len(opened),
                    gaps=_gaps(opened, timeframe),
                )
            )
        return found

    def timeframes_of(self, symbol: str) -> list[str]:
        """Return the timeframes that something is stored of, the shortest first; no file is read."""
        known = timeframes.MILLISECONDS
        return [name for name in known if next(self._folder(symbol, name).glob(_MONTHS), None) is not None]

    def _folder(self, symbol: str, timeframe: str) -> Path:
        timeframes.milliseconds(timeframe)
        if not _SYMBOL.fullmatch(symbol):
            raise CandleStoreError(f"symbol {symbol!r} is not like BTC/USDT: use BASE/QUOTE in capitals")
        return self._root / symbol.replace("/", "-").replace(":", "_") / timeframe


def _between(folder: Path, start: datetime | None, end: datetime | None) -> Columns:
    """Return the stored columns of the bars that opened in [start, end), gaps and all."""
    bounds = np.iinfo(np.int64)
    low = bounds.min if start is None else timeframes.to_ms(start)
    high = bounds.max if end is None else timeframes.to_ms(end)
    months = [
        _load(path)
        for path in sorted(folder.glob(_MONTHS))
        if (start is None or path.stem >= _month(low)) and (end is None or path.stem <= _month(high - 1))
    ]
    part = slice(*np.searchsorted(_joined("opened", months), (low, high)))
    return {name: _joined(name, months)[part] for name in _COLUMNS}


def _sound(folder: Path, symbol: str, timeframe: str, columns: Columns) -> Candles:
    try:
        return Candles.checked(symbol=symbol, timeframe=timeframe, **columns)
    except CandleError as error:
        at = timeframes.from_ms(columns["opened"][error.row])
        path = folder / f"{at:%Y-%m}.parquet"
        raise CandleStoreError(f"{path} is damaged ({error.reason} at {at}): {_REPAIR}") from error


def _month(ms: int) -> str:
    return f"{timeframes.from_ms(ms):%Y-%m}"


def _joined(name: str, months: list[Columns]) -> NDArray[Any]:
    return np.concatenate([month[name] for month in months]) if months else np.empty(0, np.int64)


def _gaps(opened: Ints, timeframe: str) -> tuple[Gap, ...]:
    span = timeframes.milliseconds(timeframe)
    return tuple(
        Gap(first=timeframes.from_ms(opened[row] + span), last=timeframes.from_ms(opened[row + 1] - span))
        for row in np.flatnonzero(np.diff(opened) > span)
    )


def _load(path: Path, *names: str) -> Columns:
    """Return the named columns of a month, all by default; page checksums find what a disk has changed."""
    try:
        with pq.ParquetFile(path, page_checksum_verification=True) as file:
            if not file.schema_arrow.equals(_SCHEMA):
                raise CandleStoreError(f"{path} is not a file of candles: {_REPAIR}")
            table = file.read(columns=list(names or _COLUMNS), use_threads=False)
            complete = table.num_rows == file.metadata.num_rows
    except (OSError, ValueError, pa.ArrowException) as error:
        raise CandleStoreError(f"{path} cannot be read ({' '.join(str(error).split())}): {_REPAIR}") from error
    # DLPack because to_numpy() imports pandas, which takes longer than reading a year.
    columns = {name: np.from_dlpack(table.column(name).combine_chunks()) for name in table.column_names}
    opened = columns["opened"]
    rising = complete and len(opened) > 0 and bool((np.diff(opened) > 0).all())
    if not rising or {_month(opened[0]), _month(opened[-1])} != {path.stem}:
        raise CandleStoreError(f"{path} does not hold the bars of its month: {_REPAIR}")
    return columns


def _add(folder: Path, values: Columns, *, corrects: bool) -> int:
    months = values["opened"].astype("datetime64[ms]").astype("datetime64[M]")
    bounds = [0, *(np.flatnonzero(months[1:] != months[:-1]) + 1), len(months)]
    added, changed = 0, {}
    for start, stop in pairwise(bounds):
        path = folder / f"{_month(values['opened'][start])}.parquet"
        fresh = {name: column[start:stop] for name, column in values.items()}
        stored = _load(path) if path.exists() else {name: column[:0] for name, column in fresh.items()}
        if corrects:
            stored = _without_differing(stored, fresh)
        merged = _merge(stored, fresh, path)
        if count := len(merged["opened"]) - len(stored["opened"]):
            changed[path] = merged
            added += count
    _replace(changed)
    return added


def _without_differing(stored: Columns, fresh: Columns) -> Columns:
    """Return the stored bars but those that the fresh ones say otherwise."""
    _, old, new = np.intersect1d(stored["opened"], fresh["opened"], assume_unique=True, return_indices=True)
    differs = np.any([stored[name][old] != fresh[name][new] for name in _COLUMNS], axis=0)
    return {name: np.delete(column, old[differs]) for name, column in stored.items()}


def _merge(stored: Columns, fresh: Columns, path: Path) -> Columns:
    _, old, new = np.intersect1d(stored["opened"], fresh["opened"], assume_unique=True, return_indices=True)
    for name in _COLUMNS:
        differs = stored[name][old] != fresh[name][new]
        if differs.any():
            row = int(np.argmax(differs))
            raise CandleStoreError(
                f"the bar of {timeframes.from_ms(stored['opened'][old[row]])} is stored with {name} "
                f"{stored[name][old[row]]}, not {fresh[name][new[row]]}: correct the source, or move {path} away"
            )
    joined = {name: np.concatenate([stored[name], np.delete(fresh[name], new)]) for name in _COLUMNS}
    order = np.argsort(joined["opened"], kind="stable")
    return {name: column[order] for name, column in joined.items()}


def _table(columns: Columns) -> Any:
    """Return an Arrow table over the columns' memory; made from buffers because pa.array() imports pandas."""
    arrays = [
        pa.Array.from_buffers(
            _SCHEMA.field(name).type,
            len(columns[name]),
            [
                None,
                pa.py_buffer(np.ascontiguousarray(columns[name], dtype=np.int64 if name == "opened" else np.float64)),
            ],
        )
        for name in _COLUMNS
    ]
    return pa.Table.from_arrays(arrays, schema=_SCHEMA)


def _replace(months: dict[Path, Columns]) -> None:
    """Write all files under temporary names, then rename them, oldest first."""
    temporary = {path: path.with_name(f".{path.name}.tmp") for path in months}
    try:
        for path, columns in months.items():
            with temporary[path].open("wb") as file:
                pq.write_table(
                    _table(columns),
                    file,
                    compression="lz4",
                    use_dictionary=False,
                    column_encoding=_ENCODING,
                    write_page_checksum=True,
                    store_schema=False,
                )
                file.flush()
                os.fsync(file.fileno())
        for path, name in temporary.items():
            name.replace(path)
        for folder in {path.parent for path in months}:
            _sync(folder)
    finally:
        for name in temporary.values():
            name.unlink(missing_ok=True)


def _make(folder: Path) -> None:
    if not folder.is_dir():
        folder.mkdir(parents=True, exist_ok=True)
        for parent in folder.parents[:3]:  # symbol, exchange and root: new names last only when their folder is synced
            _sync(parent)


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def _only_writer(folder: Path, wait: timedelta) -> Iterator[None]:
    deadline = time.monotonic() + wait.total_seconds()
    with (folder / ".lock").open("w") as file:
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    raise CandleStoreError(f"another process is writing {folder}: try again when it is done") from None
                time.sleep(0.02)
        yield
