"""What is read of the books for a decision equals what is read of them for training, though it is far less."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from pytest_django import DjangoAssertNumQueries

from trading.core import book_history, timeframes
from trading.models import Scan, ScanRow
from trading.selectors.books import books_at, books_between

pytestmark = pytest.mark.django_db

MOMENT = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
SYMBOLS = ("SOL/USDT", "BTC/USDT", "DOGE/USDT")
VALUES = ("imbalance", "funding_rate", "open_interest")


def told(ranked_at: datetime | None, symbol: str, **book: float | None) -> None:
    begun_at = (ranked_at or MOMENT) - timedelta(seconds=40)
    scan, _ = Scan.objects.get_or_create(at=begun_at, defaults={"timeframe": "15m", "finished_at": ranked_at})
    ScanRow.objects.create(scan=scan, symbol=symbol, rank=1, score=1.0, regime="trend", parts={}, book=book)


def known(symbol: str, moment: datetime, *, by_all: bool) -> list[float]:
    history = books_between(symbol, moment, moment) if by_all else books_at(SYMBOLS, moment).get(symbol)
    found = book_history.known_at(history, np.array([timeframes.to_ms(moment)], dtype=np.int64))
    return [float(getattr(found, name)[0]) for name in ("imbalance", "funding_rate", "open_interest_change")]


@pytest.mark.parametrize("seed", range(8))
def test_a_decision_knows_what_training_knows(seed: int) -> None:
    rng = np.random.default_rng(seed)
    edges = {edge for span in book_history.spans(MOMENT) for edge in span}  # a record on the very edge counts
    moments = edges | {MOMENT - timedelta(seconds=int(back)) for back in rng.integers(0, 100_000, 120)}
    for ranked_at in (*moments, None):
        for symbol in SYMBOLS:
            if rng.random() < 0.8:
                book = {name: float(rng.normal(2, 1)) if rng.random() < 0.3 else None for name in VALUES}
                told(ranked_at, symbol, **(book if rng.random() < 0.9 else {}))

    for symbol in SYMBOLS:
        np.testing.assert_array_equal(known(symbol, MOMENT, by_all=False), known(symbol, MOMENT, by_all=True))


def test_of_what_is_told_again_only_the_newest_is_kept() -> None:
    for minutes in range(5, 60, 5):
        told(
            MOMENT - timedelta(minutes=minutes),
            SYMBOLS[0],
            imbalance=minutes / 100,
            funding_rate=1e-4,
            open_interest=1.0,
        )

    (history,) = books_at(SYMBOLS, MOMENT).values()

    assert history.imbalance.tolist() == [0.05]


def test_it_takes_two_queries(django_assert_num_queries: DjangoAssertNumQueries) -> None:
    told(MOMENT - timedelta(minutes=5), SYMBOLS[0], imbalance=0.1)
    with django_assert_num_queries(2):
        books_at(SYMBOLS, MOMENT)
