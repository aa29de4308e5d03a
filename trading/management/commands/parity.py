"""manage.py parity: prove on stored candles that a backtest does what the live engine does."""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Iterator
from dataclasses import asdict
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from trading import exit_parity, live_parity, parity, replay
from trading.adapters import meters
from trading.core.params import Params
from trading.core.ports import MarketDataUnavailable
from trading.management import arguments
from trading.management.arguments import whole
from trading.management.bar import Bar
from trading.management.commands.replay import MISTAKES
from trading.research.audit import EXPECTED, Cause
from trading.research.parity import Comparison, changed, draws
from trading.research.performance import Stretch

SHOWN = 10
"""Most differences that are printed of a run."""


class Command(BaseCommand):
    help = (
        "Run the live engine and the backtest over the same stored candles and compare them trade by trade; "
        "with --live, compute again what was really decided and explain each difference."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        arguments.add_stretch(parser, is_required=False)
        parser.add_argument(
            "--seed", type=whole(0), help="instead of --params: draw them, and each fill's slippage, at random"
        )
        parser.add_argument(
            "--runs", type=whole(1), default=1, help="with --seed: so many draws (default: %(default)s)"
        )
        parser.add_argument("--only", type=whole(1), metavar="RUN", help="with --seed: repeat this one of the draws")
        parser.add_argument("--live", action="store_true", help="instead: compute what was really decided again")
        parser.add_argument("--since", type=_span, default="7d", metavar="7d", help="with --live: how far back")
        parser.add_argument("--json", action="store_true", help="with --live: print everything as JSON")

    def handle(self, *, seed: int | None, **options: Any) -> None:
        if options["live"]:
            self._live(options["since"], as_json=options["json"])
            return
        if not options["symbols"] or not options["timeframe"]:
            raise CommandError("give --symbols and --timeframe, or --live for what was really decided", returncode=2)
        if options["params"] and seed is not None:
            raise CommandError("give --params or --seed, which draws them: not both", returncode=2)
        given = arguments.stretch(options)
        compared = mismatches = 0
        try:
            asked = replay.stretch(**given)
            for run, params in _runs(asked, seed, runs=options["runs"], only=options["only"]):
                # Every other run draws slippage too.
                bar = Bar(self.stderr)
                found = parity.compare(asked, params, seed=None if seed is None or run % 2 else seed, progress=bar)
                bar.clear()
                compared += found.compared
                mismatches += len(found.differences)
                self._say(run, params, found, drawn=seed is not None)
        except MISTAKES as error:
            raise CommandError(str(error), returncode=2) from error
        line = f"compared={compared} mismatches={mismatches}"
        self.stdout.write(line)
        if mismatches:
            raise CommandError(f"replay and backtest differ: {line}", returncode=1)

    def _live(self, since: timedelta, *, as_json: bool) -> None:
        now = timezone.now()
        try:
            rows, fills = live_parity.decisions(since=now - since, now=now), live_parity.fills(since=now - since)
            left = exit_parity.left(since=now - since, now=now)
        except (*MISTAKES, MarketDataUnavailable) as error:
            raise CommandError(str(error), returncode=2) from error
        odd = [row for row in rows if row.cause not in EXPECTED]
        line = (
            f"compared={len(rows)} differences={len(odd)} unexplained={sum(r.cause is Cause.UNEXPLAINED for r in odd)}"
        )
        if as_json:
            parts: dict[str, list[Any]] = {"decisions": rows, "fills": fills, "exits": left}
            found = {name: [asdict(row) for row in each] for name, each in parts.items()}
            self.stdout.write(json.dumps(found, indent=1, default=str, allow_nan=False))
        else:
            for row in odd:
                what = f"{row.bar_at:%Y-%m-%d %H:%M} {row.symbol} {row.timeframe} {row.side}, {row.status}"
                self.stdout.write(f"{what}: {row.cause}: {row.text}")
            for fill in fills:
                worse = f"filled {fill.slippage_fraction:+.4%} from plan ({fill.planned} -> {fill.filled})"
                self.stdout.write(f"trade {fill.trade} {fill.side} {fill.symbol}: {worse}, made {fill.pnl}")
            for exit in left:
                worse = "" if exit.slippage_fraction is None else f" ({exit.slippage_fraction:+.4%} from {exit.level})"
                what = f"trade {exit.trade} left by {exit.reason}, {exit.filled}{worse}"
                self.stdout.write(f"{what}: {exit.cause}: {exit.text}")
            self.stdout.write(line)
        if unexplained := sum(row.cause is Cause.UNEXPLAINED for row in odd):
            meters.count("julaba_parity_mismatches", by=unexplained)
            meters.flush(settings.REDIS_URL)
            raise CommandError(f"decisions differ without a reason: {line}", returncode=1)

    def _say(self, run: int, params: Params, found: Comparison, *, drawn: bool) -> None:
        if drawn:
            self.stdout.write(f"run {run}: compared={found.compared} mismatches={len(found.differences)}")
        if not found.differences:
            return
        for difference in found.differences[:SHOWN]:
            self.stdout.write(f"  {difference}")
        self.stdout.write(f"  parameters: {json.dumps(changed(params))}")


def _runs(asked: Stretch, seed: int | None, *, runs: int, only: int | None) -> Iterator[tuple[int, Params]]:
    if seed is None:
        yield 1, asked.params
        return
    bars = min(len(candles) for candles in asked.series.values())
    drawn = draws(
        seed,
        max(runs, only or 0),
        timeframe=asked.params.timeframe,
        pairs=asked.params.pairs,
        bars=bars,
    )
    yield from ((run, params) for run, params in enumerate(drawn, 1) if only in (None, run))


def _span(text: str) -> timedelta:
    found = re.fullmatch(r"(\d{1,4})([hdw])", text)
    if not found:
        raise argparse.ArgumentTypeError(f"{text!r} is no span: use such as 12h, 7d or 2w")
    return int(found[1]) * {"h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1)}[found[2]]
