from __future__ import annotations

import dataclasses
import errno
import fcntl
import multiprocessing
import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext, suppress
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from trading.adapters import candle_store
from trading.adapters.candle_store import CandleStore, CandleStoreError, Gap, Series
from trading.core import timeframes
from trading.core.candles import CandleError, Candles, Floats

SPAWN = multiprocessing.get_context("spawn")


def day(number: int) -> datetime:
    """Return the midnight of a day counted from 2026-01-01, which is 0."""
    return datetime(2026, 1, 1, tzinfo=UTC) + timedelta(days=number)


def bars(first: int, stop: int, *, symbol: str = "BTC/USDT") -> Candles:
    """Return daily bars of the days `first` up to but without `stop`; a day always has the same prices."""
    days = np.arange(first, stop)
    low: Floats = 100.0 + days.astype(np.float64) * 0.1
    return Candles.checked(
        symbol=symbol,
        timeframe="1d",
        opened=timeframes.to_ms(day(0)) + days * 86_400_000,
        open=low + 1,
        high=low + 3,
        low=low,
        close=low + 2,
        volume=np.abs(days * 10.0),
    )


def assert_same(found: Candles, expected: Candles) -> None:
    assert (found.symbol, found.timeframe) == (expected.symbol, expected.timeframe)
    for name in ("opened", "open", "high", "low", "close", "volume"):
        np.testing.assert_array_equal(getattr(found, name), getattr(expected, name), err_msg=name)
        assert getattr(found, name).dtype == getattr(expected, name).dtype


@pytest.fixture
def store(tmp_path: Path) -> CandleStore:
    return CandleStore(tmp_path, "import")


def files(root: Path) -> list[str]:
    return sorted(str(path.relative_to(root)) for path in root.rglob("*") if path.is_file())


def test_bars_are_kept_in_one_file_per_utc_month(store: CandleStore, tmp_path: Path) -> None:
    assert store.write(bars(-2, 60)) == 62

    assert_same(store.read("BTC/USDT", "1d"), bars(-2, 60))
    folder = "import/BTC-USDT/1d"
    months = [f"{folder}/{month}.parquet" for month in ("2025-12", "2026-01", "2026-02", "2026-03")]
    assert files(tmp_path) == [f"{folder}/.lock", *months]


@st.composite
def series(draw: st.DrawFn) -> Candles:
    count = draw(st.integers(1, 90))
    first = draw(st.integers(-20_000, 20_000))
    price = st.floats(1e-8, 1e8, allow_nan=False)
    rows = st.tuples(price, price, price, price).map(sorted)
    low, open_, close, high = np.array(draw(st.lists(rows, min_size=count, max_size=count))).T.copy()
    volume = np.array(draw(st.lists(st.floats(0, 1e12), min_size=count, max_size=count)))
    opened = (first + np.arange(count)) * 86_400_000
    return Candles.checked(
        symbol="BTC/USDT", timeframe="1d", opened=opened, open=open_, high=high, low=low, close=close, volume=volume
    )


@settings(max_examples=40, deadline=None)
@given(candles=series(), random=st.randoms(use_true_random=False))
def test_any_candles_in_any_overlapping_pieces_in_any_order_come_back(
    tmp_path_factory: pytest.TempPathFactory, candles: Candles, random: Any
) -> None:
    store = CandleStore(tmp_path_factory.mktemp("store"), "import")
    cuts = sorted({0, len(candles), *(random.randrange(len(candles)) for _ in range(3))})
    pieces = [candles.slice(max(0, start - random.randrange(3)), stop) for start, stop in pairwise(cuts)]
    random.shuffle(pieces)

    new = [store.write(piece) for piece in pieces]

    assert sum(new) == len(candles)
    assert_same(store.read("BTC/USDT", "1d"), candles)
    assert store.write(candles) == 0
    ends = {"first": candles.opened_at(0), "last": candles.opened_at(-1)}
    assert store.series() == [Series(symbol="BTC/USDT", timeframe="1d", **ends, bars=len(candles), gaps=())]


def test_stored_bars_are_not_new_and_their_file_is_left_alone(store: CandleStore, tmp_path: Path) -> None:
    store.write(bars(0, 31))
    january = tmp_path / "import/BTC-USDT/1d/2026-01.parquet"
    inode = january.stat().st_ino

    assert store.write(bars(20, 40)) == 9

    assert january.stat().st_ino == inode
    assert_same(store.read("BTC/USDT", "1d"), bars(0, 40))


def test_another_value_for_a_stored_bar_is_refused_and_no_month_is_changed(store: CandleStore) -> None:
    store.write(bars(31, 40))
    changed = bars(20, 50)
    changed.volume[15] = 7.0

    with pytest.raises(CandleStoreError, match=r"bar of 2026-02-05 .* is stored with volume 350\.0, not 7\.0"):
        store.write(changed)

    assert_same(store.read("BTC/USDT", "1d"), bars(31, 40))


def test_nothing_is_stored_of_no_bars_or_of_bars_that_break_the_contract(store: CandleStore, tmp_path: Path) -> None:
    broken = bars(0, 3)
    broken.close[1] = np.nan

    with pytest.raises(CandleError, match="candle 1: close is not a number"):
        store.write(broken)
    assert store.write(bars(5, 5)) == 0

    assert files(tmp_path) == []


def test_times_beyond_the_calendar_are_refused_instead_of_lost(store: CandleStore) -> None:
    candles = bars(0, 3)
    with pytest.raises(OverflowError):
        store.write(dataclasses.replace(candles, opened=candles.opened + 10**6 * 86_400_000_000))


@pytest.mark.parametrize(
    ("_case", "start", "end", "first", "stop"),
    [
        ("everything", None, None, 10, 70),
        ("start is included", day(20), None, 20, 70),
        ("end is not", None, day(20), 10, 20),
        ("inside a month", day(12), day(15), 12, 15),
        ("a month's first moment", day(31), day(59), 31, 59),
        ("between two bars", day(12) + timedelta(hours=1), day(15) + timedelta(hours=1), 13, 16),
        ("more than there is", day(-500), day(500), 10, 70),
    ],
)
def test_a_range_is_read_by_open_time(
    _case: str, start: datetime | None, end: datetime | None, first: int, stop: int, store: CandleStore
) -> None:
    store.write(bars(10, 70))

    assert_same(store.read("BTC/USDT", "1d", start=start, end=end), bars(first, stop))


def test_reading_what_is_not_stored_says_so(store: CandleStore, tmp_path: Path) -> None:
    with pytest.raises(CandleStoreError, match=r"no BTC/USDT 1d bars in .*: import them first"):
        store.read("BTC/USDT", "1d")
    assert files(tmp_path) == []

    store.write(bars(0, 5))
    with pytest.raises(CandleStoreError, match=r"no BTC/USDT 1d bars from 2026-01-06 00:00:00\+00:00 to the last"):
        store.read("BTC/USDT", "1d", start=day(5))


def test_a_gap_is_listed_and_only_ranges_across_it_are_refused(store: CandleStore) -> None:
    for piece in (bars(0, 5), bars(8, 40), bars(41, 70)):
        store.write(piece)

    with pytest.raises(CandleStoreError, match=r"from 2026-01-06 00:00:00\+00:00 to 2026-01-08 .* are missing"):
        store.read("BTC/USDT", "1d")

    assert_same(store.read("BTC/USDT", "1d", end=day(8)), bars(0, 5))
    assert_same(store.read("BTC/USDT", "1d", start=day(6), end=day(41)), bars(8, 40))
    [listed] = store.series()
    assert listed.gaps == (Gap(first=day(5), last=day(7)), Gap(first=day(40), last=day(40)))
    assert [store.write(bars(4, 9)), store.write(bars(40, 41))] == [3, 1]
    assert_same(store.read("BTC/USDT", "1d"), bars(0, 70))


def test_the_list_has_every_series_of_the_exchange_and_skips_what_is_none(store: CandleStore, tmp_path: Path) -> None:
    for symbol in ("ETH/USDT:USDT", "BTC/USDT"):
        store.write(bars(0, 3, symbol=symbol))
    CandleStore(tmp_path, "other").write(bars(0, 3, symbol="SOL/USDT"))
    (tmp_path / "import/notes/1d").mkdir(parents=True)
    (tmp_path / "import/LTC-USDT/1d").mkdir(parents=True)
    (tmp_path / "import/BTC-USDT/1d/.2026-01.parquet.tmp").write_bytes(b"left by a crash")

    assert [(s.symbol, s.timeframe, s.first, s.last, s.bars, s.gaps) for s in store.series()] == [
        ("BTC/USDT", "1d", day(0), day(2), 3, ()),
        ("ETH/USDT:USDT", "1d", day(0), day(2), 3, ()),
    ]


@pytest.mark.parametrize("symbol", ["BTCUSDT", "btc/usdt", "../USDT", "BTC/USDT/", "BTC/../..", "", "BTC/USDT\n"])
def test_a_symbol_or_timeframe_that_cannot_name_a_folder_is_refused(
    symbol: str, store: CandleStore, tmp_path: Path
) -> None:
    with pytest.raises(CandleStoreError, match="is not like BTC/USDT"):
        store.write(bars(0, 3, symbol=symbol))
    with pytest.raises(CandleStoreError, match="is not like BTC/USDT"):
        store.read(symbol, "1d")
    with pytest.raises(timeframes.UnknownTimeframe):
        store.read(symbol, "2d")
    assert files(tmp_path) == []


@pytest.mark.parametrize("exchange", ["", "..", "a/b", ".hidden", "-x"])
def test_an_exchange_that_cannot_name_a_folder_is_refused(exchange: str, tmp_path: Path) -> None:
    with pytest.raises(CandleStoreError, match="cannot name a folder"):
        CandleStore(tmp_path, exchange)


def _change_a_byte(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content[:80] + bytes([content[80] ^ 1]) + content[81:])


@pytest.mark.parametrize(
    ("_case", "damage"),
    [
        ("emptied", lambda path: path.write_bytes(b"")),
        ("cut short", lambda path: path.write_bytes(path.read_bytes()[:-10])),
        ("a changed byte", _change_a_byte),
        ("text", lambda path: path.write_text("timestamp,open\n")),
        ("other columns", lambda path: pq.write_table(pa.table({"price": [2.0]}), path)),
        ("another month's bars", lambda path: path.write_bytes(path.with_name("2026-01.parquet").read_bytes())),
    ],
)
def test_a_damaged_file_is_named_and_never_written_over(
    _case: str, damage: Callable[[Path], object], store: CandleStore, tmp_path: Path
) -> None:
    store.write(bars(0, 70))
    path = tmp_path / "import/BTC-USDT/1d/2026-02.parquet"
    damage(path)
    left = path.read_bytes()

    for attempt in (lambda: store.read("BTC/USDT", "1d"), store.series, lambda: store.write(bars(20, 80))):
        with pytest.raises(CandleStoreError, match=r"2026-02\.parquet .*: restore it, or move it away and import"):
            attempt()

    assert path.read_bytes() == left
    assert_same(store.read("BTC/USDT", "1d", end=day(31)), bars(0, 31))


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(place=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
def test_a_flipped_bit_is_found_or_harmless(place: float, bit: int, store: CandleStore, tmp_path: Path) -> None:
    path = tmp_path / "import/BTC-USDT/1d/2026-01.parquet"
    path.unlink(missing_ok=True)  # of the example before
    store.write(bars(0, 31))
    content = bytearray(path.read_bytes())
    content[int(place * len(content))] ^= 1 << bit
    path.write_bytes(content)

    with suppress(CandleStoreError):
        assert_same(store.read("BTC/USDT", "1d"), bars(0, 31))


def test_stored_prices_that_break_the_contract_are_named(store: CandleStore, tmp_path: Path) -> None:
    store.write(bars(0, 40))
    path = tmp_path / "import/BTC-USDT/1d/2026-02.parquet"
    table = pq.read_table(path)
    pq.write_table(table.set_column(4, table.schema.field(4), pa.array([0.5] * table.num_rows)), path)

    with pytest.raises(CandleStoreError, match=r"2026-02\.parquet is damaged \(low is above open or .* 2026-02-01"):
        store.read("BTC/USDT", "1d")


def crash_at_second_rename(root: Path, candles: Candles) -> None:
    """Run in a process of its own: the power fails when one of two months has its new file."""
    rename = Path.replace
    steps: Iterator[Callable[..., Path]] = iter([rename, lambda *paths: os._exit(9)])

    def replace(self: Path, target: Path) -> Path:
        return next(steps)(self, target)

    Path.replace = replace  # type: ignore[assignment,method-assign]
    CandleStore(root, "import").write(candles)


def test_a_crash_leaves_whole_months_and_the_same_write_completes_it(store: CandleStore, tmp_path: Path) -> None:
    store.write(bars(0, 40))
    process = SPAWN.Process(target=crash_at_second_rename, args=(tmp_path, bars(-5, 50)))
    process.start()
    process.join()

    assert process.exitcode == 9
    assert [name for name in files(tmp_path) if ".tmp" in name] == ["import/BTC-USDT/1d/.2026-02.parquet.tmp"]
    assert_same(store.read("BTC/USDT", "1d"), bars(-5, 40))
    assert store.write(bars(-5, 50)) == 10
    assert not any(".tmp" in name for name in files(tmp_path))


def test_a_full_disk_changes_nothing_and_leaves_nothing(
    store: CandleStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.write(bars(0, 20))
    before = files(tmp_path)

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "the disk is full")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(CandleStoreError, match=r"cannot be written \(the disk is full\)"):
        store.write(bars(15, 70))

    assert files(tmp_path) == before
    assert_same(store.read("BTC/USDT", "1d"), bars(0, 20))


def test_everything_is_synced_before_it_gets_its_name(store: CandleStore, monkeypatch: pytest.MonkeyPatch) -> None:
    steps: list[str] = []
    rename = Path.replace

    def note_rename(self: Path, target: Path) -> Path:
        steps.append(target.name)
        return rename(self, target)

    monkeypatch.setattr(os, "fsync", lambda descriptor: steps.append("sync"))
    monkeypatch.setattr(Path, "replace", note_rename)
    store.write(bars(0, 40))

    new_folders, months, their_folder = ["sync"] * 3, ["sync"] * 2, ["sync"]
    assert steps == [*new_folders, *months, "2026-01.parquet", "2026-02.parquet", *their_folder]


def test_a_second_writer_waits_briefly_and_is_refused(tmp_path: Path) -> None:
    CandleStore(tmp_path, "import").write(bars(0, 3))
    impatient = CandleStore(tmp_path, "import", lock_wait=timedelta(milliseconds=30))

    with (tmp_path / "import/BTC-USDT/1d/.lock").open("w") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        with pytest.raises(CandleStoreError, match=r"another process is writing .*BTC-USDT/1d: try again"):
            impatient.write(bars(3, 6))
        assert impatient.write(bars(0, 2, symbol="ETH/USDT")) == 2
        assert_same(impatient.read("BTC/USDT", "1d"), bars(0, 3))

    assert impatient.write(bars(3, 6)) == 3


def write_days(root: Path, first: int, stop: int, step: int) -> int:
    store = CandleStore(root, "import", lock_wait=timedelta(seconds=30))
    return sum(store.write(bars(number, number + 1)) for number in range(first, stop, step))


def test_threads_that_write_one_series_lose_nothing_and_readers_see_whole_files(
    store: CandleStore, tmp_path: Path
) -> None:
    store.write(bars(0, 5))
    done = threading.Event()

    def read() -> set[int]:
        lengths = set()
        while not done.is_set():
            lengths.add(len(store.read("BTC/USDT", "1d", end=day(5))))
        return lengths

    with ThreadPoolExecutor() as pool:
        reader = pool.submit(read)
        try:
            new = sum(pool.map(lambda first: write_days(tmp_path, first, 62, 4), range(3, 7)))
        finally:
            done.set()

    assert new == 57
    assert_same(store.read("BTC/USDT", "1d"), bars(0, 62))
    assert reader.result() == {5}


def test_without_the_lock_a_write_is_lost(store: CandleStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    both_have_merged, turn = threading.Barrier(2, timeout=10), threading.Lock()
    replace = candle_store._replace

    def replace_together(months: Any) -> None:
        both_have_merged.wait()
        with turn:
            replace(months)

    monkeypatch.setattr(candle_store, "_replace", replace_together)
    monkeypatch.setattr(candle_store, "_only_writer", lambda folder, wait: nullcontext())
    with ThreadPoolExecutor() as pool:
        new = list(pool.map(lambda first: write_days(tmp_path, first, first + 1, 1), (0, 1)))

    assert new == [1, 1]
    assert [listed.bars for listed in store.series()] == [1]
