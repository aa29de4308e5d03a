"""Who replaces whom on the watch list: by a lead that lasts, by a person, never under an open trade."""

from __future__ import annotations

from typing import Any

import pytest

from tests.factories import trade
from tests.integration.test_watching import BY_SCAN, NOW, after, minutes, scanned, watched
from trading.core.params import Params
from trading.models import Event, PairSwitch
from trading.services import pair_locks, switching
from trading.services.pair_locks import PairRefused

pytestmark = pytest.mark.django_db


def begun() -> None:
    """Watch B and A since long ago."""
    after(minutes(-600), A=50, B=70, C=40)


def test_a_lead_that_lasts_three_scans_replaces_the_worst() -> None:
    begun()

    first, second = after(minutes(0), A=50, B=70, C=61), after(minutes(5), A=50, B=70, C=62)
    made = after(minutes(10), A=50, B=70, C=64)

    assert first is not None
    assert (first.is_made, first.refused_by, first.in_symbol) == (False, "hysteresis", "C/USDT")
    assert second is None  # the same refusal is written once
    assert made is not None
    assert (made.is_made, made.out_symbol, made.in_symbol, made.in_score) == (True, "A/USDT", "C/USDT", 64)
    assert watched() == ["B", "C"]
    assert Event.objects.get(kind="pair_switch").text == (
        "Julaba switched from A/USDT to C/USDT: C/USDT leads A/USDT by 14.0 points, needs 10.0"
    )
    assert {verdict["name"] for verdict in made.verdicts} == {
        "score_gap",
        "hysteresis",
        "hold",
        "cool_down",
        "open_trade",
    }


def test_a_lead_that_comes_and_goes_never_switches() -> None:
    begun()

    for number in range(12):
        after(minutes(5 * number), A=50, B=70, C=80 if number % 3 else 55)

    assert watched() == ["B", "A"]
    assert not PairSwitch.objects.filter(is_made=True).exists()


def lasting(at: int, opinion: Any = None, **scores: float) -> PairSwitch | None:
    """Scan three times, so that a lead lasts."""
    made = [
        switching.after_scan(scanned(moment, scores), params=BY_SCAN, now=moment, opinion=opinion)
        for moment in (minutes(at), minutes(at + 5), minutes(at + 10))
    ]
    return made[-1]


def test_after_a_switch_the_next_one_waits() -> None:
    begun()
    assert lasting(0, A=50, B=70, C=90) is not None

    lasting(20, A=50, B=70, C=40, D=95)

    assert watched() == ["B", "C"]
    refused = PairSwitch.objects.order_by("-pk").first()
    assert refused is not None
    assert (refused.is_made, refused.refused_by) == (False, "hold")
    lasting(740, A=50, B=70, C=40, D=95)
    assert watched() == ["B", "D"]


def test_a_pair_with_an_open_trade_stays() -> None:
    begun()
    trade(NOW, symbol="A/USDT")

    lasting(0, A=50, B=70, C=90)

    assert watched() == ["B", "A"]
    assert PairSwitch.objects.order_by("-pk")[0].refused_by == "open_trade"


@pytest.mark.parametrize(
    ("answer", "list_after", "reason"),
    [
        (True, ["B", "C"], None),
        (False, ["B", "A"], "the AI vetoes it"),
        (None, ["B", "A"], "the AI has no opinion now"),
    ],
)
def test_the_ai_may_veto_and_without_its_answer_nothing_is_switched(
    answer: bool | None, list_after: list[str], reason: str | None
) -> None:
    asked: list[dict[str, Any]] = []

    def opinion(**question: Any) -> bool | None:
        asked.append(question)
        return answer

    begun()
    lasting(0, opinion=opinion, A=50, B=70, C=90)

    assert watched() == list_after
    # It is asked of the one switch that everything else allows, and told what was measured.
    assert [(each["current"], each["candidate"], each["rows"]["C/USDT"]["score"]) for each in asked] == [
        ("A/USDT", "C/USDT", 90)
    ]
    last = PairSwitch.objects.order_by("-pk")[0]
    if reason:
        assert (last.refused_by, last.reason) == ("advice", reason)


def test_a_trade_that_is_opened_while_the_ai_thinks_keeps_its_pair() -> None:
    def opinion(*, current: str, **_: Any) -> bool:
        trade(NOW, symbol=current)
        return True

    begun()
    lasting(0, opinion=opinion, A=50, B=70, C=90)

    row = PairSwitch.objects.order_by("-pk")[0]
    assert (row.is_made, row.refused_by) == (False, "open_trade")
    assert watched() == ["B", "A"]


def test_a_locked_and_a_refused_pair_are_no_candidates() -> None:
    begun()
    pair_locks.lock("C/USDT", until=minutes(600), reason="unlock", by="ann", now=NOW)

    assert lasting(0, A=50, B=70, C=95) is None
    assert [after(minutes(20 + 5 * number), refused=["D"], A=50, B=70, D=95) for number in range(3)] == [None] * 3
    assert watched() == ["B", "A"]


def test_a_blacklisted_pair_leaves_at_once_and_the_next_best_takes_its_place() -> None:
    begun()
    pair_locks.ban("B/USDT", reason="hack", by="ann", now=NOW)

    after(minutes(0), A=50, B=70, C=60, refused=["B"])

    assert watched() == ["A", "C"]
    assert "B/USDT left the watch list: it is on the blacklist" in Event.objects.values_list("text", flat=True)


def test_fewer_places_let_the_worst_go_but_not_under_an_open_trade() -> None:
    begun()
    trade(NOW, symbol="A/USDT")
    one = Params.of({**BY_SCAN.as_json(), "watch_count": 1})

    after(minutes(0), params=one, A=50, B=70)

    assert watched() == ["A"]


def test_a_person_switches_at_once_but_never_under_an_open_trade() -> None:
    begun()
    trade(NOW, symbol="A/USDT")

    made = switching.request("c/usdt", by="ann", reason="I like it", params=BY_SCAN, now=NOW)

    assert (made.out_symbol, made.in_symbol, made.by, made.is_made) == ("B/USDT", "C/USDT", "ann", True)
    assert watched() == ["A", "C"]
    for symbol, out_symbol, why in (
        ("D/USDT", "", "is not in the last scan"),
        ("C/USDT", "", "is watched already"),
        ("B/USDT", "A/USDT", "a trade is open on A/USDT"),
        ("B/USDT", "D/USDT", "has no place of its own"),
    ):
        with pytest.raises(PairRefused, match=why):
            switching.request(symbol, out_symbol=out_symbol, by="ann", reason="again", params=BY_SCAN, now=NOW)
    pair_locks.ban("B/USDT", reason="hack", by="ann", now=NOW)
    with pytest.raises(PairRefused, match="on the blacklist"):
        switching.request("B/USDT", by="ann", reason="again", params=BY_SCAN, now=NOW)
    assert watched() == ["A", "C"]


def test_of_a_fixed_list_nothing_can_be_switched() -> None:
    fixed = Params.of({"pairs": ["A/USDT"]})

    with pytest.raises(PairRefused, match="fixed by the parameter pairs"):
        switching.request("B/USDT", by="ann", reason="better", params=fixed, now=NOW)
