"""Sums of parts are the sum of all, and both are what one calculation over every trade says."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard.sums import Sums
from trading import selectors
from trading.selectors import Group, Result, Summary

MONDAY = datetime(2026, 3, 2, tzinfo=UTC)


@st.composite
def lists_of_results(draw: st.DrawFn) -> list[Result]:
    """Results of a few days, oldest first; few values, so that there are equal ones, draws and runs."""
    made, at = [], MONDAY
    for _ in range(draw(st.integers(0, 40))):
        at += timedelta(minutes=draw(st.integers(0, 600)))
        made.append(
            Result(
                symbol=draw(st.sampled_from(["BTC/USDT", "ETH/USDT"])),
                side=draw(st.sampled_from(["long", "short"])),
                exit_reason=draw(st.sampled_from(["stop", "target_1", ""])),
                pnl=draw(
                    st.sampled_from([Decimal(each) for each in ("-3.5", "-0.00000001", "0", "2", "2.25", "900000")])
                ),
                fees=Decimal("0.1"),
                r=draw(st.sampled_from([None, -1.0, -0.25, 0.0, 1.7, 12.0])),
                opened_at=at - timedelta(seconds=draw(st.integers(0, 90_000))),
                closed_at=at,
                regime=draw(st.sampled_from(["trending", "choppy", ""])),
            )
        )
    return made


def assert_same(found: Summary | None, wanted: Summary | None) -> None:
    assert (found is None) == (wanted is None)
    if found is None or wanted is None:
        return
    for name in ("gained", "lost", "fees", "best", "worst", "wins_in_row", "losses_in_row"):
        assert getattr(found, name) == getattr(wanted, name), name
    assert found.expectancy == wanted.expectancy
    assert found.held.total_seconds() == pytest.approx(wanted.held.total_seconds(), abs=1e-3)
    assert found.mean_win_r == pytest.approx(wanted.mean_win_r)
    assert found.mean_loss_r == pytest.approx(wanted.mean_loss_r)
    assert_groups([found.total], [wanted.total])
    assert list(found.groups) == list(wanted.groups)
    for name, groups in wanted.groups.items():
        assert_groups(found.groups[name], groups)


def assert_groups(found: list[Group], wanted: list[Group]) -> None:
    assert [(each.name, each.trades, each.won, each.pnl) for each in found] == [
        (each.name, each.trades, each.won, each.pnl) for each in wanted
    ]
    for mine, theirs in zip(found, wanted, strict=True):
        assert mine.profit_factor == pytest.approx(theirs.profit_factor)
        assert mine.mean_r == pytest.approx(theirs.mean_r)


@given(results=lists_of_results(), cuts=st.lists(st.integers(0, 40), max_size=5))
def test_parts_in_their_order_are_the_whole(results: list[Result], cuts: list[int]) -> None:
    whole, begin = Sums(), 0
    for end in [*sorted(cuts), len(results)]:
        kept = json.loads(json.dumps(Sums.of(results[begin:end]).as_json()))
        whole.add(Sums.from_json(kept))
        begin = max(begin, end)

    assert_same(whole.summary(), selectors.summary(results))
    assert sum(whole.bins) == sum(result.r is not None for result in results)
    assert sum(each.trades for each in whole.groups["square"].values()) == len(results)
