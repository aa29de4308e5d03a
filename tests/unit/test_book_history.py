"""What was known of a book at a moment: the same as whoever reads all records one by one finds, and nothing of later."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from trading.core import timeframes
from trading.core.book_history import CHANGE, FAST, REACH, SETTLED, SLOW, BookHistory, known_at, spans

MINUTE = 60_000
START = 1_767_225_600_000
Record = tuple[int, float | None, float | None, float | None]
value = st.none() | st.floats(-2.0, 2.0)
"""Milliseconds after START; then imbalance, funding rate and open interest."""
records = st.lists(st.tuples(st.integers(0, 1800 * MINUTE), value, value, st.none() | st.floats(0.0, 1e6)), max_size=30)


def history(told: list[Record]) -> BookHistory:
    rows = np.array([[START + at, *each] for at, *each in sorted(told, key=lambda each: each[0])], dtype=np.float64)
    at, imbalance, funding_rate, open_interest = rows.reshape(-1, 4).T
    return BookHistory(
        at=at.astype(np.int64), imbalance=imbalance, funding_rate=funding_rate, open_interest=open_interest
    )


def slowly(told: list[Record], column: int, moment: int, oldest: timedelta) -> float:
    """Read all records one by one."""
    found = float("nan")
    for record in sorted(told, key=lambda each: each[0]):
        said, known = record[column], timedelta(milliseconds=moment - START - record[0]) - SETTLED
        if said is not None and timedelta(0) <= known <= oldest:
            found = said
    return found


@given(told=records, minutes=st.lists(st.integers(0, 1900), min_size=1, max_size=5))
def test_it_is_what_a_slow_reader_finds(told: list[Record], minutes: list[int]) -> None:
    moments = START + MINUTE * np.array(sorted(minutes), dtype=np.int64)

    made = known_at(history(told), moments)

    for place, moment in enumerate(moments.tolist()):
        now, before = (slowly(told, 3, each, SLOW) for each in (moment, moment - CHANGE // timedelta(milliseconds=1)))
        np.testing.assert_equal(made.imbalance[place], slowly(told, 1, moment, FAST))
        np.testing.assert_equal(made.funding_rate[place], slowly(told, 2, moment, SLOW))
        np.testing.assert_equal(made.open_interest_change[place], now / before - 1.0 if before > 0 else np.nan)


@given(told=records, minute=st.integers(0, 1900))
def test_the_records_of_its_spans_are_all_that_a_moment_needs_and_none_is_beyond_its_reach(
    told: list[Record], minute: int
) -> None:
    moment = timeframes.from_ms(START + minute * MINUTE)
    at = np.array([START + minute * MINUTE], dtype=np.int64)
    inside = [
        record
        for record in told
        if any(start <= timeframes.from_ms(START + record[0]) <= end for start, end in spans(moment))
    ]

    whole, part = known_at(history(told), at), known_at(history(inside), at)

    np.testing.assert_array_equal(
        [whole.imbalance, whole.funding_rate, whole.open_interest_change],
        [part.imbalance, part.funding_rate, part.open_interest_change],
    )
    assert min(start for start, _ in spans(moment)) == moment - REACH
