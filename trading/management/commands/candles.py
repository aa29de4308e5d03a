"""manage.py candles: what is stored of each series, how good it is, and with --repair, fill what is missing."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from trading import market_wiring
from trading.adapters.candle_store import CandleStore, CandleStoreError, Series
from trading.core import quality, timeframes
from trading.core.ports import MarketDataUnavailable, UnknownSymbol
from trading.core.quality import State
from trading.models import SeriesQuality
from trading.services import candle_keeping

JUDGED_BARS = 1000
"""So many of the newest bars are judged, those that a decision may rest on."""
COLUMNS = "{:<24} {:<14} {:<5} {:<16} {:<16} {:>9} {:>5}  {}"


class Command(BaseCommand):
    help = "List the stored candles: series, span, bars, gaps, quality; --repair asks the venue for what is missing."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--repair", action="store_true", help="fill the gaps of EXCHANGE's own series")

    def handle(self, *, repair: bool, **options: Any) -> None:
        root, now = settings.JULABA_DATA_DIR / "candles", timezone.now()
        if repair:
            self._repair(now)
        self.stdout.write(COLUMNS.format("source", "symbol", "", "from", "to", "bars", "gaps", "quality"))
        found = False
        for folder in sorted(path for path in root.glob("*") if path.is_dir()) if root.is_dir() else ():
            found = self._list(folder, now) or found
        if not found:
            self.stdout.write("nothing is stored yet: manage.py fetch_candles or import_candles, or let the stream run")

    def _list(self, folder: Path, now: datetime) -> bool:
        try:
            store = CandleStore(folder.parent, folder.name)
            rows = store.series()
        except CandleStoreError as error:
            self.stdout.write(f"{folder.name}: {error}")
            return True
        for row in rows:
            ends = (f"{at:%Y-%m-%d %H:%M}" for at in (row.first, row.last))
            verdict = _verdict(store, row, is_own=folder.name == market_wiring.venue_key(), now=now)
            self.stdout.write(
                COLUMNS.format(folder.name, row.symbol, row.timeframe, *ends, row.bars, len(row.gaps), verdict)
            )
            for gap in row.gaps:
                count = (gap.last - gap.first) // timeframes.length(row.timeframe) + 1
                self.stdout.write(f"    {count} missing from {gap.first:%Y-%m-%d %H:%M} to {gap.last:%Y-%m-%d %H:%M}")
        return bool(rows)

    def _repair(self, now: datetime) -> None:
        try:
            past, store = market_wiring.past(), market_wiring.candle_store()
            for row in store.series():
                if not row.gaps:
                    continue
                new = 0
                for tally in candle_keeping.fill(
                    past=past,
                    store=store,
                    symbol=row.symbol,
                    timeframe=row.timeframe,
                    start=row.first,
                    stop=row.last,
                    clock=timezone.now,
                ):
                    new = tally.new
                self.stdout.write(f"{row.symbol} {row.timeframe}: {new} bars filled")
        except (UnknownSymbol, CandleStoreError, ImproperlyConfigured) as error:
            raise CommandError(str(error), returncode=2) from error
        except MarketDataUnavailable as error:
            raise CommandError(f"{error}; what was filled is kept, call it again to go on", returncode=1) from error


def _verdict(store: CandleStore, row: Series, *, is_own: bool, now: datetime) -> str:
    """Return the verdict on the newest bars, and what the stream has noted; of the venue's own, how far it is behind."""
    span = timeframes.length(row.timeframe)
    newest = store.read_last_run(row.symbol, row.timeframe, start=row.last - JUDGED_BARS * span, end=row.last + span)
    judged = quality.judge(newest)
    texts = [str(judged.state) + (f": {judged.reason}" if judged.reason else "")]
    if is_own:
        noted = SeriesQuality.objects.filter(
            venue=settings.EXCHANGE, symbol=row.symbol, timeframe=row.timeframe
        ).first()
        if (noted and noted.state == State.REFUSED and judged.state is State.OK) or (
            noted and noted.suspect_until and noted.suspect_until > now
        ):
            texts = [f"{noted.state}: {noted.reason}"]
        behind = (timeframes.last_closed(now, row.timeframe) - row.last) // span
        texts += [f"{behind} bars behind"] if behind > 0 else []
        texts += [f"{noted.dropped} dropped"] if noted and noted.dropped else []
    return ", ".join(texts)
