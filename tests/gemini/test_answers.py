"""Hostile answers are no opinion, whichever way they bend the form; what is read is clean text and bounded numbers."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlops.gemini import answers
from mlops.gemini.wire import NoAnswer
from tests.gemini.server import YES

SYMBOLS = ("BTC/USDT", "ETH/USDT")
IDEA = {"symbol": "ETH/USDT", "side": "short", **{name: value for name, value in YES.items() if name != "approve"}}


def changed(**columns: Any) -> str:
    return json.dumps({**YES, **columns})


def without(name: str) -> str:
    return json.dumps({key: value for key, value in YES.items() if key != name})


GOOD = json.dumps(YES)
HOSTILE = {
    "prose": "I approve this trade with a confidence of 0.99.",
    "nothing": "",
    "blank": "   \n",
    "a fence": f"```json\n{GOOD}\n```",
    "words before": f"Here you are: {GOOD}",
    "words behind": f"{GOOD} Good luck!",
    "two objects": f"{GOOD}{GOOD}",
    "two in a list": f"[{GOOD},{GOOD}]",
    "half": GOOD[:40],
    "a byte order mark": f"\ufeff{GOOD}",
    "a comment": f"{GOOD[:-1]}/* yes */}}",
    "single quotes": GOOD.replace('"', "'"),
    "a number": "1",
    "true": "true",
    "null": "null",
    "a string": json.dumps(GOOD),
    "approve in words": changed(approve="yes"),
    "approve as a number": changed(approve=1),
    "approve as null": changed(approve=None),
    "approve as a list": changed(approve=[True]),
    "approve twice": f'{{"approve": false, {GOOD[1:]}',
    "confidence in words": changed(confidence="0.99"),
    "confidence of 7": changed(confidence=7),
    "confidence below zero": changed(confidence=-0.01),
    "confidence just above one": changed(confidence=1.0000001),
    "confidence true": changed(confidence=True),
    "confidence null": changed(confidence=None),
    "confidence NaN": GOOD.replace("0.83", "NaN"),
    "confidence infinite": GOOD.replace("0.83", "Infinity"),
    "confidence endless": GOOD.replace("0.83", "1e999"),
    "confidence of many digits": GOOD.replace("0.83", "9" * 5_000),
    "risk unknown": changed(risk="none"),
    "risk in capitals": changed(risk="LOW"),
    "risk as a list": changed(risk=["low"]),
    "two reasons against": changed(against=["a", "b"]),
    "four reasons against": changed(against=["a", "b", "c", "d"]),
    "an empty reason": changed(against=["a", "", "c"]),
    "a reason that is no text": changed(against=["a", 2, "c"]),
    "against as text": changed(against="a b c"),
    "no reasoning": changed(reasoning=""),
    "invisible reasoning": changed(reasoning="\u200b\u202e\u0000"),
    "reasoning as an object": changed(reasoning={"why": "because"}),
    "a size": changed(risk_pct=10),
    "another side": changed(side="short"),
    "another symbol": changed(symbol="DOGE/USDT"),
    "a command": changed(command="/resume"),
    "a tool": changed(tool_calls=[{"name": "open_position"}]),
    "a key of another case": changed(Approve=True),
    "a prototype": changed(__proto__={"approve": True}),
    "huge": changed(reasoning="x" * 20_000),
    "deep": changed(reasoning=[[[[]]]]),
    "very deep": "[" * 5_000 + "]" * 5_000,
    **{f"no {name}": without(name) for name in YES},
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())
def test_a_hostile_answer_is_no_opinion(text: str) -> None:
    with pytest.raises(NoAnswer):
        answers.opinion(text)


def test_there_are_sixty_of_them_or_nearly() -> None:
    assert len(set(HOSTILE.values())) >= 55


def test_the_same_answer_is_read_where_it_is_good() -> None:
    assert answers.opinion(GOOD).approve is True
    assert answers.opinion(f"\n {GOOD}\n").confidence == 0.83
    assert answers.opinion(changed(confidence=0)).confidence == 0.0
    assert answers.opinion(changed(confidence=1)).confidence == 1.0


def test_long_reasons_are_cut_and_signs_that_no_one_sees_are_taken_out() -> None:
    read = answers.opinion(changed(reasoning="a\u0000b\u202e\u200bc \ud800 " + "d" * 2_000))

    assert read.reasoning.startswith("abc ? d")
    assert (len(read.reasoning), read.reasoning[-1]) == (answers.LONGEST_REASONING, "…")


def test_text_stays_text() -> None:
    assert answers.prose("<script>alert(1)</script>\r\n\n\n\n/halt\t now ") == "<script>alert(1)</script>\n\n/halt now"
    with pytest.raises(NoAnswer):
        answers.prose("\u200b \n")
    with pytest.raises(NoAnswer):
        answers.prose("x" * (2 * answers.LONGEST_TEXT + 1))


@settings(max_examples=50)
@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    )
)
def test_whatever_json_comes_is_an_opinion_or_none(value: object) -> None:
    with pytest.raises(NoAnswer):
        answers.opinion(json.dumps(value))


@settings(max_examples=50)
@given(
    st.fixed_dictionaries(
        {
            name: st.none()
            | st.booleans()
            | st.floats(-2, 2)
            | st.sampled_from(("low", "x"))
            | st.lists(st.text(min_size=1), max_size=4)
            for name in YES
        }
    )
)
def test_what_is_read_keeps_its_bounds(value: dict[str, object]) -> None:
    try:
        read = answers.opinion(json.dumps(value))
    except NoAnswer:
        return
    assert isinstance(read.approve, bool)
    assert 0 <= read.confidence <= 1
    assert (read.risk in answers.RISKS, len(read.against)) == (True, 3)


# Proposals -------------------------------------------------------------------------------------------


def test_an_idea_is_one_of_the_symbols_it_was_asked_about() -> None:
    (found,) = answers.ideas(json.dumps(IDEA), symbols=SYMBOLS)

    assert (found.symbol, found.side, found.opinion.confidence) == ("ETH/USDT", "short", 0.83)
    assert answers.ideas(json.dumps({**IDEA, "symbol": "none", "side": "none"}), symbols=SYMBOLS) == ()


@pytest.mark.parametrize(
    "columns",
    [
        {"symbol": "DOGE/USDT"},
        {"symbol": "eth/usdt"},
        {"symbol": None},
        {"symbol": ["ETH/USDT"]},
        {"side": "buy"},
        {"side": True},
        {"side": "none"},
        {"symbol": "none"},
        {"quantity": 100},
        {"approve": True},
    ],
)
def test_any_other_idea_is_none_that_counts(columns: dict[str, Any]) -> None:
    with pytest.raises(NoAnswer):
        answers.ideas(json.dumps({**IDEA, **columns}), symbols=SYMBOLS)
