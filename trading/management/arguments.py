"""What commands take: moments, whole numbers, files of parameters; each mistake is one sentence."""

from __future__ import annotations

import json
from argparse import ArgumentTypeError
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError, CommandParser

MOST = 2**63 - 1
"""The largest number that the database keeps."""


def add_stretch(parser: CommandParser, *, is_required: bool = True) -> None:
    """Take which stored candles are traded, with which parameters."""
    parser.add_argument("--symbols", nargs="+", required=is_required, metavar="BTC/USDT")
    parser.add_argument("--timeframe", required=is_required, help="such as 15m")
    parser.add_argument("--from", dest="start", type=moment, help="first moment to trade, UTC")
    parser.add_argument("--to", dest="end", type=moment, help="last moment to trade, UTC")
    parser.add_argument("--params", type=Path, metavar="FILE.json", help="parameters that differ from the defaults")
    parser.add_argument("--exchange", default="import", help="where the candles are from (default: %(default)s)")


def stretch(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return what `add_stretch` took as replay.stretch takes it; raises CommandError as `read_params` does."""
    given = {name: options[name] for name in ("symbols", "timeframe", "start", "end", "exchange")}
    return {**given, "values": read_params(options["params"]) if options["params"] else {}}


def moment(text: str) -> datetime:
    """Return a moment in UTC; without an offset it is meant so."""
    try:
        value = datetime.fromisoformat(text)
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
    except (ValueError, OverflowError):
        raise ArgumentTypeError(f"{text!r} is no moment: write such as 2026-03-01 or 2026-03-01T14:30") from None


def whole(low: int) -> Callable[[str], int]:
    """Return what reads a whole number that is not below `low`."""

    def read(text: str) -> int:
        if not (text.isascii() and text.isdecimal() and len(text) < 20 and low <= int(text) <= MOST):
            raise ArgumentTypeError(f"{text[:20]!r} is no whole number of {low} or more")
        return int(text)

    return read


def read_params(path: Path) -> dict[str, Any]:
    """Return the parameters that a file names; raises CommandError where it is no object of JSON."""
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise CommandError(f"--params {path} cannot be read as JSON: {error}", returncode=2) from error
    if not isinstance(values, dict):
        raise CommandError(f"--params {path} must hold one JSON object of parameters by name", returncode=2)
    return values
