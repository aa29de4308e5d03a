"""Words and numbers of the overview, from rows that were never saved."""

# ruff: noqa: RUF001 typographic signs are what is tested

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from dashboard import figures, formats, presenters
from trading.core.params import Params
from trading.models import Bot, DayOpening, LastPrice, Mode, SideChoice, Signal, SignalVerdict, Trade, TradeStatus
from trading.selectors import OpenTrade, Record, Refusals

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
RULES = {"target_1": 115.0, "target_2": 125.0, "target_3": 140.0}


def make_trade(**columns: Any) -> Trade:
    """Return an open long of 2 at 100 with its stop at 90; 1 R is 10."""
    values: dict[str, Any] = {
        "symbol": "BTC/USDT",
        "side": SideChoice.LONG,
        "status": TradeStatus.OPEN,
        "created_at": NOW,
        "opened_at": NOW,
        "planned_quantity": Decimal(2),
        "planned_entry": Decimal(100),
        "quantity": Decimal(2),
        "remaining": Decimal(2),
        "entry_price": Decimal(100),
        "fees": Decimal("0.2"),
        "rules": RULES,
        "first_stop": 90.0,
        "stop": 90.0,
        "best": 100.0,
    }
    return Trade(**{**values, **columns})


def make_position(mark: float | None = None, **columns: Any) -> OpenTrade:
    price = LastPrice(symbol="BTC/USDT", price=mark, at=NOW) if mark is not None else None
    return OpenTrade(trade=make_trade(**columns), mark=price)


def make_bot(**columns: Any) -> Bot:
    values = {"initial_balance": Decimal(1000), "equity": Decimal(1000), "peak_equity": Decimal(1000)}
    return Bot(**{**values, **columns})


def figure(key: str, **given: Any) -> figures.Figure:
    parts: dict[str, Any] = {
        "bot": make_bot(),
        "opening": None,
        "params": Params(),
        "record": Record(closed=0, won=0),
        "trades": [],
    }
    return next(shown for shown in figures.figures(**{**parts, **given}) if shown.key == key)


@pytest.mark.parametrize(
    ("_case", "value", "text", "tone"),
    [
        ("gain", "1234.5", "▲ +1,234.50", "gain"),
        ("loss", "-1.5", "▼ −1.50", "loss"),
        ("zero", "0", "0.00", "flat"),
        ("too small to show is no loss", "-0.001", "0.00", "flat"),
    ],
)
def test_money_has_a_sign_and_an_arrow(_case: str, value: str, text: str, tone: str) -> None:
    assert formats.signed_money(Decimal(value)) == formats.Signed(text, tone)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (67123.456, "67,123.46"),
        (142.519, "142.52"),
        (14.2531, "14.253"),
        (0.81234, "0.81234"),
        (0.0000123456, "0.000012346"),
        (0.0, "–"),
        (float("nan"), "–"),
    ],
)
def test_a_price_shows_five_digits_and_at_least_cents(value: float, text: str) -> None:
    assert formats.price(value) == text


@pytest.mark.parametrize(
    ("delta", "text"),
    [
        (timedelta(seconds=59), "59 s"),
        (timedelta(minutes=134), "2 h 14 min"),
        (timedelta(days=3, hours=4, minutes=9), "3 d 4 h"),
    ],
)
def test_a_duration_shows_its_two_largest_units(delta: timedelta, text: str) -> None:
    assert formats.span(delta) == text


def test_percent_and_quantities_read_plainly() -> None:
    assert formats.percent(-0.05) == "−5.00%"
    assert formats.signed_percent(0.0123) == formats.Signed("▲ +1.23%", "gain")
    assert formats.quantity(Decimal("1532.400000000000")) == "1,532.4"
    assert formats.quantity(Decimal("1000")) == "1,000"


@pytest.mark.parametrize(
    ("_case", "bot", "state", "tone"),
    [
        ("no tick yet", None, "STARTING", "waiting"),
        ("running", make_bot(), "RUNNING", "paper"),
        ("exits only", make_bot(trading_state="close_only"), "EXITS ONLY", "paused"),
        ("halted", make_bot(trading_state="halted"), "HALTED", "paused"),
        ("the past comes first", make_bot(trading_state="paused", is_replaying=True), "REPLAYING THE PAST", "waiting"),
    ],
)
def test_the_banner_says_mode_and_state(_case: str, bot: Bot | None, state: str, tone: str) -> None:
    shown = presenters.banner(bot, Mode.PAPER)

    assert (shown.mode, shown.state, shown.tone) == ("PAPER", state, tone)


def test_what_is_not_known_to_be_paper_is_shown_as_live() -> None:
    assert presenters.mode_of("trading.adapters.paper_broker.PaperBroker") == Mode.PAPER
    assert presenters.mode_of("somebody.NotPaperBroker") == Mode.LIVE
    assert presenters.banner(make_bot(), Mode.LIVE).tone == "live"


def test_todays_pnl_is_measured_from_the_days_opening() -> None:
    opening = DayOpening(date=date(2026, 3, 1), equity=Decimal(1000))

    shown = figure("today", bot=make_bot(equity=Decimal(975)), opening=opening)

    assert (shown.value, shown.tone) == ("▼ −25.00", "loss")
    assert shown.delta == formats.Signed("▼ −2.50%", "loss")
    assert shown.used == 50  # of the daily loss limit of 5 %


def test_a_day_without_an_opening_has_no_pnl() -> None:
    assert figure("today").value == formats.NOTHING


def test_open_risk_is_the_loss_at_the_stops_with_fees() -> None:
    # 2 x 10 to the stop, and a fee rate of 0.2 / 200 on entry and stop: 2 x 0.001 x 190.
    shown = figure("risk", trades=[make_position()])

    assert shown.value == "2.04%"
    assert shown.used == 34


def test_a_position_on_its_way_in_counts_with_its_plan() -> None:
    nothing: dict[str, Any] = {
        "quantity": Decimal(0),
        "remaining": Decimal(0),
        "entry_price": Decimal(0),
        "fees": Decimal(0),
    }

    assert make_position(status=TradeStatus.OPENING, **nothing).loss_at_stop == Decimal(20)


def test_a_stop_in_profit_risks_nothing() -> None:
    assert make_position(stop=101.0).loss_at_stop == 0
    assert make_position(side=SideChoice.SHORT, stop=99.0).loss_at_stop == 0


@pytest.mark.parametrize(
    ("_case", "equity", "value", "note", "used"),
    [
        ("none", 1000, "0.00%", "risk × 0.75 from 5.00%", 0),
        ("between two steps", 930, "7.00%", "risk × 0.5 from 10.00%", 70),
        ("beyond the last", 750, "25.00%", "risk × 0.25 now", 100),
    ],
)
def test_drawdown_says_what_happens_next(_case: str, equity: int, value: str, note: str, used: int) -> None:
    shown = figure("drawdown", bot=make_bot(equity=Decimal(equity)))

    assert (shown.value, shown.note, shown.used) == (value, note, used)


def test_the_win_rate_says_of_how_many() -> None:
    shown = figure("wins", record=Record(closed=12, won=7))

    assert (shown.value, shown.note) == ("58.3%", "7 of 12 closed trades")
    assert figure("wins").value == formats.NOTHING


def test_an_open_long_shows_profit_in_quote_and_r() -> None:
    row = presenters.open_row(make_position(120.0, targets_hit=1, remaining=Decimal("1.2"), stop=100.4, stop_reason=1))

    assert row.pnl == formats.Signed("▲ +24.00", "gain")
    assert row.r == formats.Signed("▲ +2.00 R", "gain")
    assert (row.stop, row.stop_kind) == ("100.40", "break-even")
    assert [(target.name, target.is_hit) for target in row.targets] == [("T1", True), ("T2", False), ("T3", False)]


def test_a_shorts_track_runs_from_its_stop_to_its_last_target() -> None:
    rules = {"target_1": 85.0, "target_2": 75.0, "target_3": 60.0}

    row = presenters.open_row(make_position(95.0, side=SideChoice.SHORT, first_stop=110.0, stop=110.0, rules=rules))

    assert (row.track.stop, row.track.entry, row.track.mark) == (0.0, 20.0, 30.0)
    assert [target.x for target in row.targets] == [50.0, 70.0, 100.0]
    assert row.r == formats.Signed("▲ +0.50 R", "gain")


def test_without_a_price_nothing_is_made_up() -> None:
    row = presenters.open_row(make_position())

    assert (row.mark, row.pnl, row.r, row.track.mark) == (formats.NOTHING, None, None, None)


def test_a_position_that_is_opening_shows_its_plan() -> None:
    nothing: dict[str, Any] = {
        "quantity": Decimal(0),
        "remaining": Decimal(0),
        "entry_price": Decimal(0),
        "opened_at": None,
    }

    row = presenters.open_row(make_position(101.0, status=TradeStatus.OPENING, **nothing))

    assert (row.quantity, row.entry, row.pnl, row.since) == ("2", "100.00", None, NOW)


def test_targets_that_a_rule_leaves_out_are_not_shown() -> None:
    assert presenters.open_row(make_position(100.0, rules={"target_1": None})).targets == []


def test_a_closed_trade_shows_its_mean_exit_and_r_after_fees() -> None:
    closed = make_trade(
        status=TradeStatus.CLOSED,
        remaining=Decimal(0),
        gross_pnl=Decimal(30),  # 2 left at 115 on average
        fees=Decimal("0.5"),
        closed_at=NOW + timedelta(minutes=134),
        exit_reason="target_2",
    )

    row = presenters.closed_row(closed)

    assert (row.entry, row.exit, row.reason, row.held) == ("100.00", "115.00", "target 2", "2 h 14 min")
    assert row.pnl == formats.Signed("▲ +29.50", "gain")
    assert row.r == formats.Signed("▲ +1.48 R", "gain")


def make_signal(**columns: Any) -> Signal:
    return Signal(symbol="BTC/USDT", strategy="trend", regime="weak_trend", score=61.4, **columns)


def test_a_refusal_is_said_in_the_words_that_were_stored_and_leads_the_chips() -> None:
    verdicts = [
        SignalVerdict(name="score", passed=True, reason="score 61.40, needs 30.00"),
        SignalVerdict(name="volume_ratio", passed=False, reason="volume ratio 0.62, needs 0.90"),
        SignalVerdict(name="trading_state", passed=True, reason="active"),
        SignalVerdict(name="cool_down", passed=True, reason="no cool-down"),
    ]

    row = presenters.decision_row(make_signal(status="refused", reason="volume ratio 0.62, needs 0.90"), verdicts)

    assert row.outcome == "Refused: volume ratio 0.62, needs 0.90"
    assert (row.regime, row.score) == ("weak trend", "61")
    assert [(chip.passed, chip.text) for chip in row.chips] == [
        (False, "volume ratio 0.62, needs 0.90"),
        (True, "score 61.40, needs 30.00"),
        (True, "trading state: active"),
        (True, "no cool-down"),
    ]


@pytest.mark.parametrize(
    ("status", "reason", "outcome"),
    [("taken", "", "Taken"), ("expired", "", "Expired"), ("expired", "too old", "Expired: too old")],
)
def test_other_outcomes_are_one_word_and_their_reason(status: str, reason: str, outcome: str) -> None:
    assert presenters.decision_row(make_signal(status=status, reason=reason), []).outcome == outcome


def test_refusals_are_drawn_against_the_most_frequent_one() -> None:
    rows = presenters.refusal_rows([Refusals(name="volume_ratio", count=8), Refusals(name="adx", count=2)])

    assert [(row.name, row.count, row.share) for row in rows] == [("volume ratio", 8, 100), ("adx", 2, 25)]
    assert presenters.refusal_rows([]) == []
