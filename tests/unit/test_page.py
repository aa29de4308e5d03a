"""A report for people: a page that stands alone, escapes what it shows and survives having nothing to show."""

from __future__ import annotations

import csv
import io
from datetime import timedelta
from html.parser import HTMLParser

import pytest

from tests.unit.core_values import candles, walk
from tests.unit.results_values import field
from trading.core.candles import Candles
from trading.research import page, performance, trials
from trading.research.trials import Field


def report(ground: Field) -> dict[str, object]:
    return performance.report(trials.result_of(ground, ground.stretch.params), ground.stretch)


class Tags(HTMLParser):
    """Collects what a page is made of and refuses what is left open."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[str] = []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append(tag)
        if tag not in ("meta", "polyline"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag != "polyline":
            assert self.open.pop() == tag


def test_the_page_has_both_curves_every_group_and_asks_nobody_for_anything() -> None:
    made = report(field(walk(3, 900)))

    text = page.html(made)

    assert Tags(text).seen.count("svg") == 2
    assert Tags(text).seen.count("table") == 8
    assert "Sharpe" in text
    assert not [word for word in ("<script", "http:", "https:", "src=", "@import", "nan") if word in text]


def test_what_a_name_says_is_text_and_no_markup() -> None:
    made = report(field(walk(3, 900)))
    made["symbols"] = ["<b>X</b>"]

    assert "<b>" not in page.html(made)


@pytest.mark.parametrize("bars", [walk(1, 300), candles([(1.0, 1.0, 1.0, 1.0, 0.0)] * 3)], ids=["no trade", "3 bars"])
def test_a_page_without_trades_is_whole_too(bars: Candles) -> None:
    ground = field(bars, first=bars.closed_at(len(bars) - 1) - timedelta(minutes=15))
    made = report(ground)

    assert Tags(page.html(made)).seen.count("svg") == 2
    assert page.trades(made).count("\n") == 1


def test_the_csv_has_each_trade_as_the_report_has_it() -> None:
    made = report(field(walk(3, 900)))

    rows = list(csv.DictReader(io.StringIO(page.trades(made))))

    listed = made["trades"]
    assert isinstance(listed, list)
    assert len(rows) == len(listed) > 5
    assert [row["pnl"] for row in rows] == [each["pnl"] for each in listed]
    assert rows[0].keys() <= listed[0].keys()
