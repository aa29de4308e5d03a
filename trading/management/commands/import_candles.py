"""manage.py import_candles: store the closed bars of a CSV file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from trading.adapters.candle_csv import CsvError, read_csv
from trading.adapters.candle_store import CandleStore, CandleStoreError
from trading.core.timeframes import UnknownTimeframe


class Command(BaseCommand):
    help = "Store the candles of a CSV file with the columns timestamp, open, high, low, close and volume."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path, metavar="FILE")
        parser.add_argument("--symbol", required=True, help="base/quote, such as BTC/USDT")
        parser.add_argument("--timeframe", required=True, help="length of the bars, such as 15m")
        parser.add_argument("--exchange", default="import", help="where the candles are from (default: %(default)s)")

    def handle(self, *, file: Path, symbol: str, timeframe: str, exchange: str, **options: Any) -> None:
        try:
            store = CandleStore(settings.JULABA_DATA_DIR / "candles", exchange)
            imported = read_csv(file, symbol=symbol, timeframe=timeframe, now=timezone.now())
            new = store.write(imported.candles)
        except CsvError as error:
            message = f"{error}; nothing was stored, correct the file or the timeframe and try again"
            raise CommandError(message, returncode=2) from error
        except (CandleStoreError, UnknownTimeframe) as error:
            raise CommandError(str(error), returncode=2) from error
        candles = imported.candles
        forming = ", without the last bar, which is still forming" if imported.dropped_forming else ""
        self.stdout.write(
            f"{symbol} {timeframe}: {len(candles)} bars from {candles.opened_at(0)} to {candles.opened_at(-1)}, "
            f"{new} new{forming}"
        )
