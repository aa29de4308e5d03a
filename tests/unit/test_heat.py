"""Results as pictures: each closed trade stands in its hour of its weekday and in its bar."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

from dashboard import heat
from dashboard.formats import MINUS
from dashboard.sums import Sums
from trading.selectors import Result

MONDAY = datetime(2026, 3, 2, 14, 59, tzinfo=UTC)


def result(*, pnl: str, r: float | None, after: timedelta = timedelta()) -> Result:
    at = MONDAY + after
    return Result(
        symbol="BTC/USDT",
        side="long",
        exit_reason="stop",
        pnl=Decimal(pnl),
        fees=Decimal(1),
        r=r,
        opened_at=at - timedelta(hours=1),
        closed_at=at,
    )


def test_a_square_holds_the_sum_of_its_hour_and_is_shaded_by_the_largest() -> None:
    rows = dict(
        heat.hours(
            Sums.of([result(pnl="8", r=1), result(pnl="2", r=1), result(pnl="-5", r=-1, after=timedelta(hours=1))])
        )
    )

    assert (rows["Mon"][14].tone, rows["Mon"][14].arrow) == ("gain step-4", "▲")
    assert rows["Mon"][14].hint == "Mon 14:00 to 15:00: ▲ +10.00, 2 trades"
    assert (rows["Mon"][15].tone, rows["Mon"][15].arrow) == ("loss step-3", "▼")
    assert sum(bool(square.tone) for squares in rows.values() for square in squares) == 2
    assert [len(squares) for squares in rows.values()] == [24] * 7


def test_a_result_of_nothing_is_flat_and_no_result_is_empty() -> None:
    assert dict(heat.hours(Sums.of([result(pnl="0", r=0)])))["Mon"][14].tone == "flat"
    assert not any(square.tone for _, squares in heat.hours(Sums.of([])) for square in squares)


def test_every_result_is_in_one_bar_and_the_outermost_take_what_lies_beyond() -> None:
    bins = heat.distribution(Sums.of([result(pnl="1", r=r) for r in (-9.0, -0.2, 0.0, 0.4, 0.5, 99.0)]))

    assert [each.hint for each in bins if each.height] == [
        f"below {MINUS}1.5 R: 1 of 6",
        f"{MINUS}0.5 to +0.0 R: 1 of 6",
        "+0.0 to +0.5 R: 2 of 6",
        "+0.5 to +1.0 R: 1 of 6",
        "+3.5 R and more: 1 of 6",
    ]
    assert [each.tone for each in bins].count("loss") == 4
    assert heat.distribution(Sums.of([result(pnl="1", r=None)])) == []
