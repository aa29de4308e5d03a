"""Taking over the old bot's files: what is taken, what is refused and why, and that twice is as once."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from trading.core.params import SPECS
from trading.models import LedgerEntry, LegacyKind, LegacyRecord, ParameterDraft, Trade
from trading.services import legacy, parameters

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 3, 1, tzinfo=UTC)
TRADE = {
    "symbol": "BTCUSDT",
    "side": "BUY",
    "entry_time": "2026-01-01T10:00:00",
    "exit_time": "2026-01-01T12:00:00Z",
    "pnl": "12.5",
}


def write(folder: Path, name: str, content: Any) -> None:
    (folder / name).write_text(content if isinstance(content, str) else json.dumps(content))


def test_trades_and_decisions_are_kept_and_count_nowhere(tmp_path: Path) -> None:
    write(tmp_path, "trade_history.json", {"trades": [TRADE, {**TRADE, "pnl": -3, "exit_time": 1767268800}]})
    write(tmp_path, "ai_decisions.json", [{"timestamp": 1767268800000, "pair": "ETH/USDT", "approved": True}])

    reports = legacy.take(tmp_path, now=NOW)

    assert [(report.file, report.taken, report.refused) for report in reports] == [
        ("trade_history.json", 2, []), ("ai_decisions.json", 1, []),
    ]  # fmt: skip
    first = LegacyRecord.objects.filter(kind=LegacyKind.TRADE).order_by("pk")[0]
    assert (first.symbol, first.side, first.pnl) == ("BTC/USDT", "long", 12.5)
    assert first.at == datetime(2026, 1, 1, 12, tzinfo=UTC)
    assert first.values == TRADE
    assert LegacyRecord.objects.get(kind=LegacyKind.DECISION).at == datetime(2026, 1, 1, 12, tzinfo=UTC)
    assert (Trade.objects.count(), LedgerEntry.objects.count()) == (0, 0)


def test_twice_is_as_once(tmp_path: Path) -> None:
    write(tmp_path, "trade_history.json", [TRADE, TRADE])
    legacy.take(tmp_path, now=NOW)

    report = legacy.take(tmp_path, now=NOW)[0]

    assert (report.taken, report.known) == (0, 2)
    assert LegacyRecord.objects.count() == 1


@pytest.mark.parametrize(
    ("row", "why"),
    [
        (7, "is no object"),
        ({"pnl": 1}, "does not say when it happened"),
        ({**TRADE, "exit_time": "soon"}, "exit_time 'soon' is no moment"),
        ({**TRADE, "exit_time": 1e300}, "is no moment"),
        ({**TRADE, "exit_time": "2031-01-01"}, "in the future (2031-01-01 00:00)"),
        ({**TRADE, "pnl": "much"}, "its PnL 'much' is no number"),
        ({**TRADE, "rsi": float("nan")}, "holds a number that is none"),
    ],
)
def test_a_row_that_cannot_be_understood_is_refused_with_its_number(tmp_path: Path, row: Any, why: str) -> None:
    write(tmp_path, "trade_history.json", [TRADE, row])

    report = legacy.take(tmp_path, now=NOW)[0]

    assert report.taken == 1
    assert len(report.refused) == 1
    assert report.refused[0].startswith("row 2: ")
    assert why in report.refused[0]


def test_text_may_say_nan(tmp_path: Path) -> None:
    write(tmp_path, "trade_history.json", [{**TRADE, "note": 'a "NaN" \\ Infinity'}])

    assert legacy.take(tmp_path, now=NOW)[0].taken == 1


@pytest.mark.parametrize("content", ["{", "", "[1,", "\ufffe"])
def test_a_file_that_is_no_json_stops_everything(tmp_path: Path, content: str) -> None:
    write(tmp_path, "trade_history.json", [TRADE])
    write(tmp_path, "ai_decisions.json", content)

    with pytest.raises(legacy.LegacyError, match=r"ai_decisions.json cannot be read as JSON"):
        legacy.take(tmp_path, now=NOW)
    assert not LegacyRecord.objects.exists()


def test_settings_become_parameters_and_secrets_stay_where_they_are(tmp_path: Path) -> None:
    write(
        tmp_path,
        "config.json",
        {
            "api_key": "canary",
            "risk": {"risk_per_trade": 0.01, "max_daily_loss": 5},
            "sma_fast": 10,
            "moon": 1,
            "timeframe": "15m",
        },
    )

    report = legacy.take(tmp_path, now=NOW)[0]

    assert report.settings == {"risk_fraction": 0.01, "fast_sma": 10, "timeframe": "15m"}
    assert len(report.refused) == 2
    assert report.refused[0].startswith("max_daily_loss: ")  # five times the equity, or per cent? nobody guesses
    assert report.refused[1] == "moon: there is no such parameter"
    assert "canary" not in str(report)


def test_every_name_that_is_translated_is_a_parameter_of_ours() -> None:
    assert set(legacy.SAME.values()) <= set(SPECS)


def test_the_command_reports_and_proposes(tmp_path: Path) -> None:
    write(tmp_path, "trade_history.json", [TRADE, 7])
    write(tmp_path, "config.json", {"sma_fast": 10})
    parameters.current(now=NOW)
    said = StringIO()

    call_command("import_legacy", str(tmp_path), propose=True, stdout=said)

    assert "trade_history.json: 1 taken, 0 known, 1 refused\n  refused row 2: is no object" in said.getvalue()
    assert "fast_sma = 10" in said.getvalue()
    assert ParameterDraft.objects.get().values["fast_sma"] == 10


@pytest.mark.parametrize("name", ["none", "empty"])
def test_a_folder_without_files_is_one_sentence(tmp_path: Path, name: str) -> None:
    (tmp_path / "empty").mkdir()

    with pytest.raises(CommandError, match=r"is no folder|holds none of"):
        call_command("import_legacy", str(tmp_path / name))
