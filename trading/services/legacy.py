"""What the old bot left as JSON files: its trades and AI decisions as records to look at, its settings as parameters.

Nothing of it enters the books: the old bot counted no costs and sent no orders.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from trading.core.params import SPECS
from trading.models import LegacyKind, LegacyRecord

LARGEST_FILE = 256 * 1024 * 1024
TIMES = (
    *("closed_at", "close_time", "exit_time", "timestamp", "time", "datetime", "created_at", "date"),
    *("opened_at", "open_time", "entry_time"),
)
"""Where a row says when it happened, the end of a trade first."""
PNLS = ("pnl", "realized_pnl", "profit", "net_pnl", "pnl_usd", "pnl_usdt")
FILES = {LegacyKind.TRADE: "trade_history", LegacyKind.DECISION: "ai_decisions"}
CONFIGS = ("config", "julaba_config", "settings")
SAME = {
    "risk_per_trade": "risk_fraction",
    "risk_pct": "risk_fraction",
    "max_risk_per_trade": "risk_ceiling",
    "max_open_positions": "max_open_trades",
    "max_positions": "max_open_trades",
    "max_portfolio_risk": "max_open_risk",
    "daily_loss_limit": "daily_loss",
    "max_daily_loss": "daily_loss",
    "weekly_loss_limit": "weekly_loss",
    "atr_multiplier": "stop_atr",
    "stop_loss_atr": "stop_atr",
    "tp1_r": "target_one_r",
    "tp2_r": "target_two_r",
    "tp3_r": "target_three_r",
    "sma_fast": "fast_sma",
    "sma_slow": "slow_sma",
    "sma_short": "fast_sma",
    "sma_long": "slow_sma",
    "rsi_length": "rsi_period",
    "atr_length": "atr_period",
    "volume_threshold": "volume_min",
    "ai_confidence_threshold": "ai_confidence",
    "symbols": "pairs",
    "watchlist": "pairs",
}
"""Names of the old settings, where ours are others; a name that is the same needs no line here."""


class LegacyError(Exception):
    """The folder or a file cannot be read; the text says which and why."""


@dataclass(slots=True)
class Report:
    """What became of a file: how many rows were taken or were there already, and why others were refused."""

    file: str
    taken: int = 0
    known: int = 0
    refused: list[str] = field(default_factory=list)
    settings: dict[str, Any] = field(default_factory=dict)
    """Parameters that the file sets, as ours."""


def take(folder: Path, *, now: datetime) -> list[Report]:
    """Take over what a folder holds; a second time changes nothing. Raises LegacyError, and then nothing was taken."""
    if not folder.is_dir():
        raise LegacyError(f"{folder} is no folder: name the one that holds trade_history.json")
    found = [(kind, path) for kind, stem in FILES.items() for path in sorted(folder.glob(f"{stem}*.json*"))]
    configs = [path for stem in CONFIGS for path in sorted(folder.glob(f"{stem}.json"))]
    if not found and not configs:
        names = ", ".join(f"{stem}.json" for stem in (*FILES.values(), CONFIGS[0]))
        raise LegacyError(f"{folder} holds none of {names}: name another folder")
    rows = [(kind, path, list(_rows(path))) for kind, path in found]
    settings = [(path, _loaded(path)) for path in configs]
    reports = [_records(kind, path, content, now) for kind, path, content in rows]
    return [*reports, *(_settings(path, content) for path, content in settings)]


def _records(kind: LegacyKind, path: Path, rows: Sequence[Any], now: datetime) -> Report:
    report = Report(file=path.name)
    made: dict[str, LegacyRecord] = {}
    for number, row in enumerate(rows, 1):
        try:
            record = _record(kind, row, source=path.name, now=now)
        except ValueError as wrong:
            report.refused.append(f"row {number}: {wrong}")
            continue
        if record.key in made:
            report.known += 1
        made[record.key] = record
    there = set(LegacyRecord.objects.filter(key__in=made).values_list("key", flat=True))
    fresh = [record for key, record in made.items() if key not in there]
    LegacyRecord.objects.bulk_create(fresh, batch_size=500, ignore_conflicts=True)
    report.taken, report.known = len(fresh), report.known + len(there)
    return report


def _record(kind: LegacyKind, row: Any, *, source: str, now: datetime) -> LegacyRecord:
    """Return a row as a record; ValueError with what is wrong with it."""
    if not isinstance(row, dict):
        raise ValueError("is no object")
    content = json.dumps(row, sort_keys=True, default=str)
    if re.search(r"\b(NaN|Infinity)\b", re.sub(r'"(?:[^"\\]|\\.)*"', "", content)):
        raise ValueError("holds a number that is none (NaN or infinite)")
    at = _moment(row)
    if at > now:
        raise ValueError(f"says that it happened in the future ({at:%Y-%m-%d %H:%M})")
    return LegacyRecord(
        kind=kind,
        key=hashlib.sha256(f"{kind}|{content}".encode()).hexdigest(),
        at=at,
        symbol=_symbol(row),
        side=_side(row),
        pnl=_pnl(row),
        values=row,
        source=source,
        imported_at=now,
    )


def _moment(row: Mapping[str, Any]) -> datetime:
    for name in TIMES:
        value = row.get(name)
        if value in (None, ""):
            continue
        if isinstance(value, int | float) and not isinstance(value, bool):
            seconds = value / 1000 if abs(value) > 1e11 else value
            try:
                return datetime.fromtimestamp(seconds, tz=UTC)
            except (OverflowError, OSError, ValueError) as error:
                raise ValueError(f"{name} {value!r} is no moment") from error
        try:
            read = datetime.fromisoformat(str(value))
        except ValueError as error:
            raise ValueError(f"{name} {str(value)[:30]!r} is no moment") from error
        return read.replace(tzinfo=UTC) if read.tzinfo is None else read.astimezone(UTC)
    raise ValueError("does not say when it happened")


def _symbol(row: Mapping[str, Any]) -> str:
    name = str(row.get("symbol") or row.get("pair") or "").upper()[:30]
    return f"{name[:-4]}/USDT" if "/" not in name and name.endswith("USDT") and len(name) > 4 else name


def _side(row: Mapping[str, Any]) -> str:
    said = str(row.get("side") or row.get("direction") or row.get("position") or row.get("signal") or "").lower()
    return {"buy": "long", "long": "long", "sell": "short", "short": "short"}.get(said, "")


def _pnl(row: Mapping[str, Any]) -> float | None:
    said = next((row[name] for name in PNLS if row.get(name) not in (None, "")), None)
    if said is None:
        return None
    try:
        value = float(said)
    except (TypeError, ValueError) as error:
        raise ValueError(f"its PnL {str(said)[:30]!r} is no number") from error
    if not math.isfinite(value):
        raise ValueError(f"its PnL {value} is no number")
    return value


def _settings(path: Path, content: Any) -> Report:
    """Return which parameters a file of settings sets; what is out of range or unknown is refused, never guessed."""
    report = Report(file=path.name)
    if not isinstance(content, dict):
        report.refused.append("is no object")
        return report
    for name, value in _flat(content):
        ours = SAME.get(name, name)
        if ours not in SPECS:
            report.refused.append(f"{name}: there is no such parameter")
            continue
        try:
            cleaned = SPECS[ours].clean(value)
        except (TypeError, ValueError) as wrong:
            report.refused.append(f"{name}: {wrong}")
            continue
        report.settings[ours] = list(cleaned) if isinstance(cleaned, tuple) else cleaned
        report.taken += 1
    return report


def _flat(content: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield names and values, those of groups too; secrets are left where they are."""
    for name, value in content.items():
        if re.search(r"key|secret|token|password", name, re.IGNORECASE):
            continue
        if isinstance(value, dict):
            yield from _flat(value)
        else:
            yield name.lower(), value


def _rows(path: Path) -> Iterator[Any]:
    content = _loaded(path)
    if isinstance(content, dict):
        content = next((value for value in content.values() if isinstance(value, list)), [content])
    yield from content if isinstance(content, list) else [content]


def _loaded(path: Path) -> Any:
    try:
        if path.stat().st_size > LARGEST_FILE:
            raise LegacyError(f"{path.name} is larger than {LARGEST_FILE} bytes: cut it into several files")
        text = path.read_text(encoding="utf-8-sig")
        if path.suffix == ".jsonl":
            return [json.loads(line) for line in text.splitlines() if line.strip()]
        return json.loads(text)
    except (OSError, UnicodeDecodeError, json.JSONDecodeError, RecursionError) as error:
        raise LegacyError(f"{path.name} cannot be read as JSON ({error}): correct it, or move it away") from error
