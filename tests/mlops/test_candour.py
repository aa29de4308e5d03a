"""The AI watched: one that always says the same, or promises otherwise than it came, is told to people once a day."""

from __future__ import annotations

from datetime import timedelta
from itertools import cycle, islice

import pytest

from mlops import candour, tasks
from tests.mlops.decided import advice, refused
from tests.mlops.learned import NOW
from trading.models import Event

pytestmark = pytest.mark.django_db
HOUR = timedelta(hours=1)


def answered(
    count: int, *, approve: bool | None = None, confidence: float = 0.8, won: float = 0.5, prompt: str = "v1"
) -> None:
    """Write answers with their outcomes; without `approve` the AI says yes and no in turn."""
    says = cycle([approve] if approve is not None else [True, False])
    for number, yes in enumerate(islice(says, count)):
        r = 1.0 if number % 100 < 100 * won else -1.0
        advice(refused(NOW - (count - number) * HOUR, r=r), "ai", approve=yes, confidence=confidence, prompt=prompt)


def alerts() -> list[str]:
    return list(Event.objects.filter(kind="model_alert").order_by("pk").values_list("text", flat=True))


@pytest.mark.parametrize(("approve", "word"), [(True, "yes"), (False, "no")])
def test_who_always_says_the_same_is_told_once_a_day(approve: bool, word: str) -> None:
    answered(candour.SAME, approve=approve, confidence=0.5)

    for hours in (0, 1, 23):
        candour.watch(now=NOW + hours * HOUR)
    assert alerts() == [f"The AI said {word} to all of its last 30 questions, so its answers carry no information"]

    candour.watch(now=NOW + 25 * HOUR)
    assert len(alerts()) == 2


def test_one_other_answer_or_too_few_are_no_sameness() -> None:
    answered(candour.SAME - 1, approve=True, confidence=0.5)
    candour.watch(now=NOW)

    advice(refused(NOW, r=1.0), "ai", approve=False, confidence=0.5)
    candour.watch(now=NOW)

    assert alerts() == []


def test_promises_that_did_not_come_are_told() -> None:
    answered(60, approve=True, confidence=0.9, won=0.30)
    advice(refused(NOW, r=-1.0), "ai", approve=False, confidence=0.9)

    candour.watch(now=NOW)

    assert alerts() == ["The AI promised +40% more wins than there were of 61 setups"]


def test_a_no_promises_a_loss_and_chance_is_no_broken_promise() -> None:
    answered(100, confidence=0.8, won=0.55)

    candour.watch(now=NOW)

    assert alerts() == []


def test_the_rules_without_a_key_are_left_alone() -> None:
    answered(60, approve=True, confidence=0.95, won=0.1, prompt="")

    tasks.watch_models()

    assert alerts() == []


def test_the_task_watches_the_ai_where_no_model_was_trained() -> None:
    answered(candour.SAME, approve=True, confidence=0.5)

    tasks.watch_models()

    assert len(alerts()) == 1
