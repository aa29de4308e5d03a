"""A backtest over the lists that the scans of the time knew, from stored candles and scans."""

from __future__ import annotations

import json
from datetime import timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command

from tests.engine import OPEN_DOORS
from tests.integration.test_parity import START, simulated
from trading.adapters.candle_store import CandleStore
from trading.models import Scan, ScanRow

pytestmark = pytest.mark.django_db
SOL, BTC = "SOL/USDT", "BTC/USDT"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(settings, "JULABA_DATA_DIR", tmp_path)
    store = CandleStore(tmp_path / "candles", "import")
    for symbol in (SOL, BTC):
        store.write(simulated(symbol))
    (tmp_path / "params.json").write_text(json.dumps(OPEN_DOORS))
    return tmp_path


def run(folder: Path, *options: str) -> dict[str, Any]:
    out = folder / "out.json"
    call_command(
        "backtest", "--symbols", SOL, BTC, "--timeframe", "15m", "--params", str(folder / "params.json"), "--json", str(out),
        *options, stdout=StringIO(),
    )  # fmt: skip
    found: dict[str, Any] = json.loads(out.read_text())
    return found


def scanned(after: timedelta, best: str) -> None:
    at = START + after
    made = Scan.objects.create(at=at, timeframe="15m", finished_at=at)
    for rank, symbol in enumerate(sorted((SOL, BTC), key=lambda name: name != best), 1):
        ScanRow.objects.create(scan=made, rank=rank, symbol=symbol, score=90 - rank, regime="trend", parts={})


def test_only_the_best_pair_of_the_time_is_traded(folder: Path) -> None:
    scanned(timedelta(0), BTC)
    scanned(timedelta(days=3), SOL)

    free, limited = run(folder), run(folder, "--universe", "scans", "--top", "1")

    assert {trade["symbol"] for trade in free["trades"]} == {SOL, BTC}
    switch = (START + timedelta(days=3)).isoformat()[:19]
    for trade in limited["trades"]:
        assert (trade["symbol"] == SOL) is (trade["entry_time"][:19] >= switch)
    assert {trade["symbol"] for trade in limited["trades"]} == {SOL, BTC}
    assert run(folder, "--universe", "scans", "--top", "2")["trades"] == free["trades"]


def test_without_scans_of_that_time_it_says_so(folder: Path) -> None:
    with pytest.raises(CommandError, match="no scan is kept"):
        run(folder, "--universe", "scans")
    with pytest.raises(CommandError, match="--top 0: give 1 or more"):
        run(folder, "--universe", "scans", "--top", "0")
