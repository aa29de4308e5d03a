"""What the pages compute: the funnel, limits as the guards see them, results, days, one trade, one decision."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest

from dashboard import decision_sheet, formats, health_sheet, performance_sheet, trade_sheet
from tests import factories, page_factories
from trading import selectors
from trading.core import guards
from trading.core.params import Params
from trading.core.sizing import Record
from trading.models import Bot, DayOpening, LastPrice, Lease, OrderEvent, SideChoice, SignalStatus, Trade

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)
"""A Wednesday."""


def limit(name: str, params: Params | None = None) -> selectors.Limit:
    bot, trades = Bot.objects.get(), selectors.open_trades()
    found = selectors.limits(bot=bot, params=params or Params(), trades=trades, now=NOW)
    return next(each for each in found if each.name == name)


def test_the_funnel_ends_with_what_was_taken() -> None:
    for hours, name in ((1, "adx"), (2, "score"), (3, "score"), (30, "score")):
        factories.signal(NOW - timedelta(hours=hours), refused_by=name, reason="no")
    factories.signal(NOW - timedelta(hours=4), status=SignalStatus.EXPIRED, refused_by="setup_age", reason="old")
    factories.trade(NOW - timedelta(hours=5))
    factories.trade(NOW - timedelta(hours=6), symbol="ETH/USDT", quantity="0.1", status="canceled")
    Trade.objects.filter(symbol="ETH/USDT").update(quantity=0)

    funnel = selectors.funnel(since=NOW - timedelta(hours=24))

    assert (funnel.setups, funnel.taken, funnel.entered) == (6, 2, 1)
    rows = [(row.name, row.stopped, row.left, row.share) for row in decision_sheet.funnel_rows(funnel)]
    assert rows == [("score", 2, 4, 67), ("adx", 1, 3, 50), ("setup age", 1, 2, 33)]


def test_an_empty_span_has_an_empty_funnel() -> None:
    funnel = selectors.funnel(since=NOW)

    assert (funnel.setups, funnel.steps, funnel.taken, funnel.entered) == (0, [], 0, 0)


def test_limits_say_what_the_guards_say() -> None:
    factories.bot(
        NOW,
        equity=Decimal(9_400),
        peak_equity=Decimal(10_500),
        losses_in_row=2,
        last_loss_at=NOW - timedelta(minutes=10),
    )
    DayOpening.objects.create(date=NOW.date(), equity=Decimal(10_000))
    DayOpening.objects.create(date=date(2026, 3, 2), equity=Decimal(10_300))
    DayOpening.objects.create(date=date(2026, 2, 27), equity=Decimal(20_000))
    factories.trade(NOW, entry="67000", risk="1000", quantity="0.1")
    LastPrice.objects.create(symbol="BTC/USDT", price=66_500.0, at=NOW)
    params = Params()
    bot, held = Bot.objects.get(), selectors.open_trades()
    account = guards.Account(
        now=NOW,
        accepts_entries=True,
        equity=bot.equity,
        peak_equity=bot.peak_equity,
        day_opening=Decimal(10_000),
        week_opening=Decimal(10_300),
        open_symbols=frozenset({"BTC/USDT"}),
        open_risk=held[0].loss_at_stop,
        open_notional=Decimal("6650.0"),
        last_loss_at=bot.last_loss_at,
        record=Record(losses_in_row=2, wins_in_row=0, returns=[]),
    )
    verdicts = {verdict.name: verdict for verdict in guards.evaluate(account, params, "ETH/USDT")}

    for name in ("open_trades", "open_risk", "leverage", "daily_loss", "weekly_loss"):
        found = limit(name)
        assert found.value == pytest.approx(verdicts[name].value), name
        assert found.limit == verdicts[name].limit
        assert found.is_reached == (not verdicts[name].passed), name
    cooling = limit("cool_down")
    assert (cooling.value, cooling.limit, cooling.is_reached) == (20.0, 30.0, True)
    assert cooling.is_reached == (not verdicts["cool_down"].passed)
    assert limit("drawdown").value == pytest.approx(account.drawdown)
    assert limit("losses_in_row").is_reached


def test_a_cool_down_that_is_over_is_none() -> None:
    factories.bot(NOW, losses_in_row=2, last_loss_at=NOW - timedelta(minutes=31))

    assert (limit("cool_down").value, limit("cool_down").is_reached) == (0.0, False)


def results() -> list[selectors.Result]:
    """Make five closed trades of one unit at 100 with 1 R of 5: +10, +5, -5, -5, +20 before fees."""
    for day, (left, symbol, side) in enumerate(
        (("110", "A", "long"), ("95", "B", "short"), ("95", "A", "long"), ("105", "B", "short"), ("120", "A", "long"))
    ):
        at = NOW + timedelta(days=day)
        factories.closed_trade(
            at, symbol=f"{symbol}/USDT", entry="100", exit=left, quantity="1", side=side, risk="5", fees=0
        )
    return selectors.closed(since=None, until=None)


def test_results_are_summed_up() -> None:
    summary = selectors.summary(results())

    assert summary is not None
    assert (summary.total.trades, summary.total.won, summary.total.pnl) == (5, 3, Decimal(25))
    assert summary.total.profit_factor == pytest.approx(3.5)
    assert summary.total.mean_r == pytest.approx(1.0)
    assert (summary.gained, summary.lost, summary.expectancy) == (Decimal(35), Decimal(10), Decimal(5))
    assert (summary.wins_in_row, summary.losses_in_row) == (2, 2)
    assert (summary.best.pnl, summary.worst.pnl) == (Decimal(20), Decimal(-5))
    assert summary.held == timedelta(hours=2, minutes=14)
    by_symbol = {group.name: (group.trades, group.won, group.pnl) for group in summary.groups["symbol"]}
    assert by_symbol == {"A/USDT": (3, 2, Decimal(25)), "B/USDT": (2, 1, Decimal(0))}
    assert [group.name for group in summary.groups["hour"]] == ["12"]
    assert {group.name for group in summary.groups["weekday"]} == {"Wed", "Thu", "Fri", "Sat", "Sun"}


def test_without_a_loss_there_is_no_factor_and_without_a_trade_no_summary() -> None:
    assert selectors.summary([]) is None
    factories.closed_trade(NOW, entry="100", exit="110", quantity="1")

    summary = selectors.summary(selectors.closed(since=NOW - timedelta(days=1), until=None))

    assert summary is not None
    assert summary.total.profit_factor is None
    assert selectors.closed(since=NOW + timedelta(days=1), until=None) == []


def test_the_drawdown_is_measured_from_the_peak_so_far() -> None:
    falls = performance_sheet.drawdown([(1, 100.0), (2, 90.0), (3, 120.0), (4, 108.0)])

    assert [round(fall, 9) for _, fall in falls] == [0.0, -10.0, 0.0, -10.0]


def test_the_calendar_begins_on_a_monday_and_shades_by_size() -> None:
    factories.bot(NOW, equity=Decimal(1001))
    for ago, equity in ((0, 1000), (1, 1030), (2, 1030), (5, 1000)):
        DayOpening.objects.create(date=NOW.date() - timedelta(days=ago), equity=Decimal(equity))

    squares = performance_sheet.calendar(selectors.days(limit=30))

    assert [square.tone for square in squares] == [
        "", "", "", "", "gain step-4", "", "", "flat", "loss step-4", "gain step-1",
    ]  # fmt: skip
    assert squares[4].arrow == "▲"
    assert squares[-1].hint == "Wed 04 Mar 2026: ▲ +1.00 (▲ +0.10%), 0 trades"


def test_a_trade_shows_what_was_meant_beside_what_came() -> None:
    trade = factories.closed_trade(NOW, entry="100.2", exit="105", quantity="2", risk="5", planned_entry=Decimal(100))
    page_factories.orders_of(trade)
    found = selectors.trade(trade.pk)
    assert found is not None

    sheet = trade_sheet.sheet(found, now=NOW)

    assert [order.slip for order in sheet.orders] == ["+20.0 bp", formats.NOTHING, "0.0 bp"]
    assert sheet.facts[1] == trade_sheet.Fact(name="Entry", meant="100.00", came="100.20")
    assert sheet.chart["stops"][0][1] == 95.2
    assert [mark["buys"] for mark in sheet.chart["marks"]] == [True, False]
    assert len(sheet.chart["candles"]) > 20
    times = [bar[0] for bar in sheet.chart["candles"]]
    assert times == sorted(set(times))


def test_a_short_that_sold_lower_than_planned_slipped() -> None:
    trade = factories.trade(NOW, entry="99.9", quantity="1", side=SideChoice.SHORT, planned_entry=Decimal(100))
    page_factories.order(trade, NOW, number=1, role="entry")
    found = selectors.trade(trade.pk)
    assert found is not None

    assert trade_sheet.sheet(found, now=NOW).orders[0].slip == "+10.0 bp"


@pytest.mark.parametrize(("side", "worst"), [("long", -0.5), ("short", 0.0)])
def test_the_worst_price_while_it_was_held_is_told_in_units_of_the_first_risk(side: str, worst: float) -> None:
    held = NOW - timedelta(hours=1)
    row = Trade(side=side, entry_price=Decimal(100), first_stop=98.0 if side == "long" else 102.0)
    row.opened_at, row.closed_at = held, NOW
    first = int(held.timestamp())
    # (seconds, open, high, low, close): the bars before the entry and after the exit do not count.
    bars = [
        (first - 900, 100.0, 120.0, 80.0, 100.0),
        (first, 100.0, 100.0, 99.0, 100.0),
        (first + 3600, 100.0, 120.0, 80.0, 100.0),
    ]

    assert trade_sheet.worst_r(row, bars, now=NOW) == worst
    # What is not kept from the entry on is not told.
    assert trade_sheet.worst_r(row, bars[2:], now=NOW) is None
    assert trade_sheet.worst_r(row, [], now=NOW) is None


def test_a_decision_is_a_line_of_moments_with_the_pauses_between() -> None:
    signal = page_factories.explained(NOW)
    trade = factories.trade(NOW, signal=signal)
    page_factories.order(trade, NOW, number=1, role="entry")
    found = selectors.decision(signal.pk)
    assert found is not None

    sheet = decision_sheet.sheet(found)

    assert [moment.text for moment in sheet.moments] == [
        "entry 1: recorded", "entry 1: permitted", "entry 1: open", "entry 1: filled", "entry 1: 0.1 at 67,000.00",
    ]  # fmt: skip
    assert [moment.waited for moment in sheet.moments] == ["", "+0.4 s", "+0.4 s", "+0.4 s", "+0.1 s"]
    assert OrderEvent.objects.count() == 4
    spare = {row.name: row.spare for row in sheet.verdicts if row.spare != formats.NOTHING}
    assert spare == {
        "score": "52% to spare", "adx": "9% to spare", "volume ratio": "46% to spare", "confluence": "50% to spare",
        "daily loss": "92% to spare", "open risk": "65% to spare",
    }  # fmt: skip


def states(now: datetime) -> dict[str, str]:
    return {check.name: check.state for check in health_sheet.checks(selectors.bot(), now=now)}


def test_health_is_the_worst_of_its_checks() -> None:
    page_factories.fill(NOW)

    fresh, stale = states(NOW), states(NOW + timedelta(minutes=11))

    assert {name for name, state in fresh.items() if state != "ok"} == {"Redis"}  # none runs beside the tests
    assert {name for name, state in stale.items() if state == "bad"} == {
        "Redis", "Tick", "Prices", "Trader", "Worker for everything else", "Beat",
    }  # fmt: skip
    assert stale["Comparison with the venue"] == "warn"
    assert health_sheet.overall([health_sheet.Check(name="a", state="ok", text=""), health_sheet.Check(name="b", state="warn", text="")]) == "warn"  # fmt: skip


def test_health_names_what_needs_people() -> None:
    factories.bot(NOW)
    factories.trade(NOW, unprotected_at=NOW)
    Lease.objects.create(name="trader", owner="gone", epoch=1, expires_at=NOW - timedelta(minutes=1))

    found = states(NOW)

    assert (found["Stops"], found["Trader"], found["Comparison with the venue"]) == ("bad", "bad", "warn")
