"""When a better pair replaces one: a lead that is clear and lasts, after a hold and a pause, never under an open trade."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import product

import pytest

from trading.core import pair_switch
from trading.core.pair_switch import Question
from trading.core.params import Params

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
PARAMS = Params()
READY = Question(
    out_symbol="OP/USDT",
    in_symbol="SUI/USDT",
    leads=(11.0, 10.0, 12.0),
    watched_since=NOW - timedelta(hours=4),
    switched_at=NOW - timedelta(hours=12),
    has_trade=False,
)


def refused(asked: Question) -> dict[str, str]:
    return {each.name: each.reason for each in pair_switch.judge(asked, params=PARAMS, now=NOW) if not each.passed}


def test_what_leads_clearly_and_long_enough_may_switch() -> None:
    assert refused(READY) == {}
    assert refused(replace(READY, switched_at=None)) == {}


@pytest.mark.parametrize(
    ("_case", "asked", "expected"),
    [
        (
            "a narrow lead",
            replace(READY, leads=(11.0, 10.0, 9.9)),
            {
                "score_gap": "SUI/USDT leads OP/USDT by 9.9 points, needs 10.0",
                "hysteresis": "the lead has lasted 0 scans in a row, needs 3",
            },
        ),
        (
            "a lead that was lost in between",
            replace(READY, leads=(11.0, math.nan, 12.0)),
            {"hysteresis": "the lead has lasted 1 scans in a row, needs 3"},
        ),
        (
            "a lead of one scan",
            replace(READY, leads=(30.0,)),
            {"hysteresis": "the lead has lasted 1 scans in a row, needs 3"},
        ),
        (
            "a pair that came lately",
            replace(READY, watched_since=NOW - timedelta(minutes=239)),
            {"hold": "OP/USDT is watched for 239 min, needs 240 min"},
        ),
        (
            "a switch not long ago",
            replace(READY, switched_at=NOW - timedelta(minutes=719)),
            {"cool_down": "the last switch was 719 min ago, needs 720 min"},
        ),
        ("an open trade", replace(READY, has_trade=True), {"open_trade": "a trade is open on OP/USDT"}),
        ("no scan at all", replace(READY, leads=()), {"score_gap": "", "hysteresis": ""}),
    ],
)
def test_each_rule_refuses_alone_and_says_why(_case: str, asked: Question, expected: dict[str, str]) -> None:
    found = refused(asked)

    assert set(found) == set(expected)
    assert all(not reason or found[name] == reason for name, reason in expected.items())


def test_of_all_cases_around_the_limits_only_those_that_break_no_rule_switch() -> None:
    around = (9.9, 10.0, math.nan)
    made = 0
    for leads in product(around, repeat=3):
        for minutes, since, has_trade in product((239, 240), (719, 720), (False, True)):
            asked = replace(
                READY,
                leads=leads,
                watched_since=NOW - timedelta(minutes=minutes),
                switched_at=NOW - timedelta(minutes=since),
                has_trade=has_trade,
            )
            is_sound = leads == (10.0, 10.0, 10.0) and (minutes, since, has_trade) == (240, 720, False)
            assert (not refused(asked)) is is_sound
            made += is_sound
    assert made == 1
