from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.utils import timezone
from pytest_django import Settings

from trading.adapters.candle_store import CandleStore
from trading.core import timeframes

HEADER = "timestamp,open,high,low,close,volume\n"
ROWS = (
    "2026-01-31 23:30:00,100,103,99,101,5\n"
    "2026-01-31 23:45:00,101,104,100,102.5,0\n"
    "2026-02-01 00:00:00,102.5,102.5,102.5,102.5,7.25\n"
)
REAL = Path(__file__).parents[3] / "shared/data/candles/BTCUSDT-15m.csv"


@pytest.fixture
def root(tmp_path: Path, settings: Settings) -> Path:
    settings.JULABA_DATA_DIR = tmp_path / "var"
    return tmp_path / "var/candles"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "prices.csv"
    path.write_text(HEADER + ROWS)
    return path


def run(file: Path, **options: str) -> str:
    out = StringIO()
    call_command("import_candles", str(file), **{"symbol": "BTC/USDT", "timeframe": "15m", **options}, stdout=out)
    return out.getvalue()


def refusal(file: Path, **options: str) -> str:
    with pytest.raises(CommandError) as refused:
        run(file, **options)
    assert refused.value.returncode == 2
    [sentence] = str(refused.value).splitlines()
    return sentence


def test_a_file_is_stored_and_a_second_import_adds_nothing(file: Path, root: Path) -> None:
    span = "3 bars from 2026-01-31 23:30:00+00:00 to 2026-02-01 00:00:00+00:00"
    assert run(file) == f"BTC/USDT 15m: {span}, 3 new\n"
    assert run(file) == f"BTC/USDT 15m: {span}, 0 new\n"

    assert CandleStore(root, "import").read("BTC/USDT", "15m").close.tolist() == [101, 102.5, 102.5]


def test_the_exchange_names_the_folder(file: Path, root: Path) -> None:
    run(file, exchange="binance")

    assert [listed.bars for listed in CandleStore(root, "binance").series()] == [3]
    assert CandleStore(root, "import").series() == []


def test_a_last_bar_that_is_still_forming_is_left_out_and_said(file: Path, root: Path) -> None:
    forming = timeframes.bar_open(timezone.now(), "1d")
    rows = [f"{forming - timedelta(days=age):%Y-%m-%d},1,1,1,1,1\n" for age in (2, 1, 0)]
    file.write_text(HEADER + "".join(rows))

    assert run(file, timeframe="1d").endswith("2 new, without the last bar, which is still forming\n")

    [listed] = CandleStore(root, "import").series()
    assert (listed.bars, listed.last) == (2, forming - timedelta(days=1))


@pytest.mark.parametrize(
    ("_case", "options", "sentence"),
    [
        ("timeframe", {"timeframe": "7m"}, "unknown timeframe '7m': use one of 1m, 3m, 5m, 15m, 30m, 1h, 4h, 1d"),
        ("symbol", {"symbol": "BTCUSDT"}, "symbol 'BTCUSDT' is not like BTC/USDT: use BASE/QUOTE in capitals"),
        ("exchange", {"exchange": "../x"}, "exchange '../x' cannot name a folder: use letters, digits, - and _"),
    ],
)
def test_a_wrong_option_is_refused_with_what_to_use(
    _case: str, options: dict[str, str], sentence: str, file: Path, root: Path
) -> None:
    assert refusal(file, **options) == sentence
    assert not root.exists()


def test_a_bad_row_is_refused_by_its_line_and_nothing_is_stored(file: Path, root: Path) -> None:
    file.write_text(HEADER + ROWS.replace("104", "1"))

    advice = "nothing was stored, correct the file or the timeframe and try again"
    assert refusal(file) == f"{file}, line 3: high is below low; {advice}"
    assert not root.exists()


@pytest.mark.parametrize("_case", ["missing", "folder"])
def test_a_path_that_is_no_file_is_refused(_case: str, tmp_path: Path, root: Path) -> None:
    path = tmp_path if _case == "folder" else tmp_path / "missing.csv"

    assert refusal(path).startswith(f"{path}: cannot be read (")
    assert not root.exists()


def test_a_file_that_contradicts_the_stored_bars_changes_nothing(file: Path, root: Path) -> None:
    run(file)
    before = CandleStore(root, "import").read("BTC/USDT", "15m")
    file.write_text(HEADER + "2026-01-31 23:15:00,100,100,100,100,1\n" + ROWS.replace("7.25", "8"))

    assert refusal(file).startswith("the bar of 2026-02-01 00:00:00+00:00 is stored with volume 7.25, not 8.0: ")

    after = CandleStore(root, "import").read("BTC/USDT", "15m")
    assert after.opened.tolist() == before.opened.tolist()
    assert after.volume.tolist() == [5, 0, 7.25]


def test_a_damaged_store_is_one_clear_error(file: Path, root: Path) -> None:
    run(file)
    stored = root / "import/BTC-USDT/15m/2026-02.parquet"
    os.truncate(stored, 100)
    file.write_text(HEADER + ROWS + "2026-02-01 00:15:00,1,1,1,1,1\n")

    assert refusal(file).startswith(f"{stored} cannot be read (")


@pytest.mark.skipif(not REAL.exists(), reason="real candles are not on this machine")
def test_real_candles_are_imported(root: Path) -> None:
    assert run(REAL).endswith("8644 bars from 2025-10-12 21:15:00+00:00 to 2026-01-10 22:00:00+00:00, 8644 new\n")

    candles = CandleStore(root, "import").read("BTC/USDT", "15m", start=datetime(2026, 1, 1, tzinfo=UTC))
    assert len(candles) == 9 * 96 + 89
    assert float(candles.close[-1]) == 90463.02
