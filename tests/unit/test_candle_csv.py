from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trading.adapters.candle_csv import CsvError, ImportedCandles, read_csv
from trading.core import timeframes

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
HEADER = "timestamp,open,high,low,close,volume"
ROWS = (
    "2026-01-01 00:00:00,100,103,99,101,5",
    "2026-01-01 00:15:00,101,104,100,102.5,0",
    "2026-01-01 00:30:00,102.5,102.5,102.5,102.5,7.25",
)
REAL = Path(__file__).parents[3] / "shared/data/candles/BTCUSDT-15m.csv"


@dataclass
class Reader:
    """Writes a file and reads it as BTC/USDT bars of 15 minutes."""

    path: Path

    def __call__(self, content: str | bytes, *, timeframe: str = "15m", now: datetime = NOW) -> ImportedCandles:
        self.path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return read_csv(self.path, symbol="BTC/USDT", timeframe=timeframe, now=now)


@pytest.fixture
def read(tmp_path: Path) -> Reader:
    return Reader(tmp_path / "prices.csv")


def lines(*rows: str, header: str = HEADER) -> str:
    return "\n".join((header, *rows)) + "\n"


def assert_rows(found: ImportedCandles, count: int = 3) -> None:
    """Assert that the first `count` of ROWS were read."""
    candles = found.candles
    assert (candles.symbol, candles.timeframe) == ("BTC/USDT", "15m")
    quarter = 900_000
    start = timeframes.to_ms(datetime(2026, 1, 1, tzinfo=UTC))
    assert candles.opened.tolist() == [start, start + quarter, start + 2 * quarter][:count]
    assert candles.open.tolist() == [100, 101, 102.5][:count]
    assert candles.high.tolist() == [103, 104, 102.5][:count]
    assert candles.low.tolist() == [99, 100, 102.5][:count]
    assert candles.close.tolist() == [101, 102.5, 102.5][:count]
    assert candles.volume.tolist() == [5, 0, 7.25][:count]
    assert candles.opened.dtype == np.int64
    assert candles.close.dtype == np.float64


@pytest.mark.parametrize(
    ("_case", "content"),
    [
        ("plain", lines(*ROWS)),
        ("no newline at the end", lines(*ROWS).rstrip()),
        ("blank lines at the end", lines(*ROWS) + "\n  \n\r\n"),
        ("windows line ends", lines(*ROWS).replace("\n", "\r\n")),
        ("byte order mark", "\ufeff" + lines(*ROWS)),
        ("capitals and spaces", lines(*ROWS, header="Timestamp, OPEN ,High,Low,Close, Volume").replace(",1", ", 1")),
        ("quoted", lines(*('"' + row.replace(",", '","') + '"' for row in ROWS))),
        (
            "other order and other columns",
            lines(
                *(f"ignored_1,{volume},{close},{low},{high},{open_},,{timestamp}"
                  for timestamp, open_, high, low, close, volume in (row.split(",") for row in ROWS)),
                header="symbol,volume,close,low,high,open,close_time,timestamp",
            ),
        ),
    ],
)  # fmt: skip
def test_any_layout_of_the_columns_is_read(_case: str, content: str, read: Reader) -> None:
    found = read(content)

    assert_rows(found)
    assert found.dropped_forming is False


@pytest.mark.parametrize(
    ("_case", "first"),
    [
        ("space", "2026-01-01 00:00:00"),
        ("T", "2026-01-01T00:00:00"),
        ("Z", "2026-01-01T00:00:00Z"),
        ("offset", "2026-01-01T05:30:00+05:30"),
        ("offset over midnight", "2025-12-31 19:00:00-05:00"),
        ("no seconds", "2026-01-01 00:00"),
        ("fraction of zero", "2026-01-01 00:00:00.000"),
        ("a date", "2026-01-01"),
        ("seconds", "1767225600"),
        ("milliseconds", "1767225600000"),
    ],
)
def test_a_timestamp_in_any_spelling_is_utc(_case: str, first: str, read: Reader) -> None:
    assert_rows(read(lines(f"{first},100,103,99,101,5", ROWS[1])), 2)


def _row(time: str = "00:15:00", prices: str = "100,103,99,101,5") -> str:
    return f"2026-01-01 {time},{prices}"


@pytest.mark.parametrize(
    ("_case", "row", "reason"),
    [
        ("word as price", _row(prices="100,high,99,101,5"), "high 'high' is not a number"),
        ("empty price", _row(prices="100,103,,101,5"), "low '' is not a number"),
        ("digit separators", _row(prices="100,103,99,1_01,5"), "close '1_01' is not a number"),
        ("NaN", _row(prices="100,103,99,nan,5"), "close is not a number"),
        ("infinity", _row(prices="100,inf,99,101,5"), "high is not a number"),
        ("beyond floats", _row(prices="100,1e999,99,101,5"), "high is not a number"),
        ("zero price", _row(prices="100,103,0,101,5"), "low is not positive"),
        ("negative price", _row(prices="-100,103,99,101,5"), "open is not positive"),
        ("negative volume", _row(prices="100,103,99,101,-1"), "volume is negative"),
        ("high below low", _row(prices="100,98,99,101,5"), "high is below low"),
        ("high below close", _row(prices="100,103,99,104,5"), "high is below open or close"),
        ("high below open", _row(prices="105,103,99,101,5"), "high is below open or close"),
        ("low above close", _row(prices="100,103,99,98,5"), "low is above open or close"),
        ("low above open", _row(prices="98,103,99,101,5"), "low is above open or close"),
        ("duplicate", ROWS[0], "duplicate open time"),
        ("disorder", "2025-12-31 23:45:00,100,103,99,101,5", "open time goes backwards"),
        ("gap", _row("00:30:00"), "bars are missing before it"),
        ("off the grid", _row("00:15:01"), "open time is not on the 15m grid"),
        ("off the grid by a hair", _row("00:15:00.000001"), "is not a whole second"),
        ("word as time", "yesterday,100,103,99,101,5", "timestamp 'yesterday' is not a time"),
        ("no time", ",100,103,99,101,5", "timestamp '' is not a time"),
        ("impossible date", "2026-02-30 00:00:00,100,103,99,101,5", "timestamp '2026-02-30 00:00:00' is not a time"),
        ("microseconds", "1767226500000000,100,103,99,101,5", "is neither seconds nor milliseconds since 1970"),
        ("date without dashes", "20260101,100,103,99,101,5", "is neither seconds nor milliseconds since 1970"),
        ("fraction of seconds", "1767226500.0,100,103,99,101,5", "timestamp '1767226500.0' is not a time"),
        ("endless number", "1" * 5000 + ",100,103,99,101,5", "11111' is neither seconds nor milliseconds"),
        ("too few values", "2026-01-01 00:15:00,100,103", "3 values under 6 columns"),
        ("thousands separators", _row(prices="1,100,1,103,99,101,5"), "8 values under 6 columns"),
        ("blank line", "", "blank line between candles"),
        ("open quote", '"2026-01-01 00:15:00', "not CSV"),
        ("endless value", _row(prices="100,103,99,101," + "5" * 200_000), "not CSV"),
    ],
)
def test_a_bad_row_is_refused_by_its_line(_case: str, row: str, reason: str, read: Reader) -> None:
    rows = [ROWS[0], row, *([ROWS[1]] if row == "" else [])]

    with pytest.raises(CsvError) as refused:
        read(lines(*rows))

    assert refused.value.line == 3
    assert "prices.csv, line 3: " in str(refused.value)
    assert reason in str(refused.value)
    assert len(str(refused.value).splitlines()) == 1
    assert len(str(refused.value)) < 400


def test_lines_are_counted_in_the_file_even_where_a_value_has_line_breaks(read: Reader) -> None:
    rows = (ROWS[0] + ',"two\nlines"', ROWS[1] + ",x", "2026-01-01 01:00:00,1,1,1,1,1,x")
    with pytest.raises(CsvError, match="line 5: bars are missing"):
        read(lines(*rows, header=HEADER + ",note"))


@pytest.mark.parametrize(
    ("_case", "content", "line", "reason"),
    [
        ("nothing", b"", 1, "the file is empty"),
        ("only blank lines", b"\xef\xbb\xbf \n\n", 1, "the file is empty"),
        ("only a header", lines(), 1, "no candles follow the header"),
        ("no header", lines(*ROWS[1:], header=ROWS[0]), 1, "no column named timestamp"),
        ("missing column", lines(*ROWS, header="timestamp,open,high,low,last,volume"), 1, "no column named close"),
        ("column twice", lines(*ROWS, header=HEADER + ",Open"), 1, "two columns named open"),
        (
            "semicolons",
            lines(*ROWS).replace(",", ";"),
            1,
            "no column named timestamp, the header is 'timestamp;open;high",
        ),
        ("binary", bytes(random.Random(5).randbytes(5000)), None, "not UTF-8 text"),
        ("zeros", b"\0" * 100, 1, "not UTF-8 text"),
        ("a zero in a value", lines(*ROWS).replace("104", "1\x0004"), 3, "not UTF-8 text"),
        ("latin 1", lines(*ROWS).encode() + "é".encode("latin-1"), 5, "not UTF-8 text"),
        ("utf 16", lines(*ROWS).encode("utf-16"), 1, "not UTF-8 text"),
    ],
)
def test_a_file_that_is_no_table_of_candles_is_refused(
    _case: str, content: str | bytes, line: int | None, reason: str, read: Reader
) -> None:
    with pytest.raises(CsvError) as refused:
        read(content)

    assert reason in str(refused.value)
    assert line is None or refused.value.line == line
    assert str(refused.value).startswith(f"{read.path}, line ")


@pytest.mark.parametrize("_case", ["missing", "folder"])
def test_a_path_that_is_no_file_is_refused_without_a_line(_case: str, tmp_path: Path) -> None:
    path = tmp_path / "prices.csv"
    if _case == "folder":
        path.mkdir()
    with pytest.raises(CsvError, match=r"prices\.csv: cannot be read \(.*\), give the path of a CSV file") as refused:
        read_csv(path, symbol="BTC/USDT", timeframe="15m", now=NOW)
    assert refused.value.line is None


def test_an_unknown_timeframe_is_refused_before_the_file_is_read(tmp_path: Path) -> None:
    with pytest.raises(timeframes.UnknownTimeframe):
        read_csv(tmp_path / "missing.csv", symbol="BTC/USDT", timeframe="7m", now=NOW)


@pytest.mark.parametrize(
    ("_case", "minutes", "count", "dropped"),
    [
        ("the last bar closes now", 45, 3, False),
        ("the last bar is forming", 44, 2, True),
        ("the last bar has just opened", 30, 2, True),
    ],
)
def test_a_last_bar_that_is_forming_is_dropped(
    _case: str, minutes: int, count: int, dropped: bool, read: Reader
) -> None:
    found = read(lines(*ROWS), now=datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=minutes))

    assert_rows(found, count)
    assert found.dropped_forming is dropped


@pytest.mark.parametrize(
    ("_case", "rows", "minutes", "line"),
    [
        ("two bars not closed", ROWS, 29, 3),
        ("all in the future", ROWS, -1, 2),
        ("the only bar is forming", ROWS[:1], 14, 2),
    ],
)
def test_more_than_one_bar_of_the_future_or_none_of_the_past_is_refused(
    _case: str, rows: tuple[str, ...], minutes: int, line: int, read: Reader
) -> None:
    with pytest.raises(CsvError, match=f"line {line}: the bar closes after now"):
        read(lines(*rows), now=datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=minutes))


price = st.floats(1e-8, 1e8)


@settings(max_examples=50, deadline=None)
@given(rows=st.lists(st.tuples(price, price, price, price, st.floats(0, 1e12)), min_size=1, max_size=20))
def test_every_float_is_read_back_to_the_bit(
    rows: list[tuple[float, float, float, float, float]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    read = Reader(tmp_path_factory.mktemp("csv") / "prices.csv")
    sorted_rows = [(*sorted(row[:4]), row[4]) for row in rows]

    found = read(
        lines(
            *(f"{1767139200 + 900 * number},{open_!r},{high!r},{low!r},{close!r},{volume!r}"
              for number, (low, open_, close, high, volume) in enumerate(sorted_rows))
        )
    ).candles  # fmt: skip

    columns = zip(found.low, found.open, found.close, found.high, found.volume, strict=True)
    assert [tuple(map(float, row)) for row in columns] == sorted_rows


@pytest.mark.skipif(not REAL.exists(), reason="real candles are not on this machine")
def test_real_candles_are_read() -> None:
    candles = read_csv(REAL, symbol="BTC/USDT", timeframe="15m", now=NOW + timedelta(days=30)).candles

    assert len(candles) == 8644
    assert candles.opened_at(0) == datetime(2025, 10, 12, 21, 15, tzinfo=UTC)
    assert candles.opened_at(-1) == datetime(2026, 1, 10, 22, tzinfo=UTC)
    assert (candles.open[0], candles.volume[0]) == (115356.75, 242.30338911)
    assert (candles.low[-1], candles.close[-1]) == (90409.6, 90463.02)
