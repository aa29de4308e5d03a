"""Advice from outside the tick: what waits is asked about once, in time, and the hint that speeds it up harms nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from kombu.exceptions import OperationalError

from mlops import answering, listener, tasks
from tests.advisers import Told, opinion, with_advisers
from tests.engine import SYMBOL, close_of, enter_at, ports_over, run_tick, series, set_params
from trading import events, wiring
from trading.core.advice import Advice as Advised
from trading.core.advice import Question
from trading.core.candles import Candles
from trading.core.ports import MarketDataUnavailable
from trading.core.types import Market, Ticker
from trading.models import Advice, Signal, Trade
from trading.services.context import Ports

pytestmark = pytest.mark.django_db

QUIET = (100.0, 100.5, 99.5, 100.0)
NOW = close_of(-1) + timedelta(seconds=3)
OVER = close_of(-1) + timedelta(seconds=20)


def waiting(adviser: Told, **params: Any) -> Ports:
    """Return ports over a market in which one signal waits for the adviser."""
    set_params(price_age=600, **params)
    ports = with_advisers(ports_over(series([QUIET] * 2), enter_at(-1)), adviser)
    run_tick(ports, close_of(-1))
    return ports


def answered(ports: Ports, *, clock: Callable[[], datetime] = lambda: NOW, **changes: Any) -> int:
    changed = replace(ports, **changes)
    return answering.answer_all(advisers=changed.advisers, market_data=changed.market_data, clock=clock)


def test_what_waits_is_asked_about_once_with_what_the_tick_saw() -> None:
    adviser = Told(opinion(True, 0.9), is_slow=True)
    ports = waiting(adviser)

    assert [answered(ports) for _ in range(3)] == [1, 0, 0]

    (question,), signal = adviser.asked, Signal.objects.get()
    assert question.setup.indicators.keys() == signal.indicators.keys()
    assert (question.setup.symbol, question.setup.bar_at, question.setup.score) == (SYMBOL, signal.bar_at, signal.score)
    assert question.candles.opened_at(len(question.candles) - 1) == signal.bar_at
    assert question.analysis.at(-1) == pytest.approx(question.setup.indicators)
    run_tick(ports, NOW)
    assert Trade.objects.get().signal == signal


def test_the_question_is_the_same_as_inside_the_tick() -> None:
    fast, slow = Told(opinion(source="mine"), name="mine"), Told(opinion(), is_slow=True)
    set_params(price_age=600)
    ports = with_advisers(ports_over(series([QUIET] * 2), enter_at(-1)), fast, slow)
    run_tick(ports, close_of(-1))

    answered(ports)

    (one,), (other,) = fast.asked, slow.asked
    assert one.setup == other.setup
    assert (one.params, one.losses_in_a_row, one.recent_r) == (other.params, other.losses_in_a_row, other.recent_r)
    assert (one.candles.close == other.candles.close[-len(one.candles) :]).all()


@pytest.mark.parametrize("says", [ValueError("bad"), None, opinion(True, 7.0)], ids=str)
def test_an_adviser_that_fails_has_no_opinion_and_is_not_asked_again(says: Any) -> None:
    ports = waiting(Told(says, is_slow=True))

    assert [answered(ports), answered(ports)] == [1, 0]
    assert Advice.objects.get().approve is None
    run_tick(ports, NOW)

    assert Signal.objects.get().refused_by == "ai"


def test_nobody_is_asked_about_a_signal_whose_time_is_over() -> None:
    adviser = Told(opinion(), is_slow=True)
    ports = waiting(adviser)

    assert answered(ports, clock=lambda: OVER) == 0
    assert adviser.asked == []


def test_time_that_runs_out_between_two_answers_asks_nobody_any_more() -> None:
    adviser = Told(opinion(), is_slow=True)
    ports = waiting(adviser)
    moments = iter([NOW, OVER])

    assert answered(ports, clock=lambda: next(moments)) == 0
    assert adviser.asked == []


def test_advice_that_is_only_shown_is_asked_for_after_the_entry() -> None:
    ports = waiting(Told(opinion(False), is_slow=True), ai_mode="advisory")

    assert answered(ports) == 1

    assert Advice.objects.get().is_late
    assert Signal.objects.get().status == "taken"


def test_of_two_workers_that_find_the_same_signal_one_asks() -> None:
    adviser = Told(opinion(), is_slow=True)
    ports = waiting(adviser)

    class Meanwhile(Told):
        def advise(self, question: Question) -> Advised:
            assert answered(with_advisers(ports, adviser)) == 0
            return super().advise(question)

    assert answered(with_advisers(ports, Meanwhile(opinion(), is_slow=True))) == 1
    assert adviser.asked == []


class Silent:
    """A market whose bars cannot be had, or are gone."""

    def __init__(self, candles: Candles | None = None) -> None:
        self._candles = candles

    def candles(self, symbol: str, timeframe: str, *, now: datetime, limit: int) -> Candles:
        if self._candles is None:
            raise MarketDataUnavailable("no answer")
        return self._candles

    def tickers(self, symbols: Sequence[str], *, now: datetime) -> Mapping[str, Ticker]:
        return {}

    def markets(self) -> Mapping[str, Market]:
        return {}


def test_without_bars_the_next_sweep_asks_again_and_bars_that_are_gone_are_no_opinion() -> None:
    ports = waiting(Told(opinion(), is_slow=True))

    assert answered(ports, market_data=Silent()) == 0
    assert not Advice.objects.exists()
    assert answered(ports, market_data=Silent(series([QUIET]).slice(0, 100))) == 1

    assert (Advice.objects.get().approve, Advice.objects.get().reason) == (None, "the bars are not stored any more")


def test_the_task_sweeps_what_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    ports = waiting(Told(opinion(), is_slow=True))
    monkeypatch.setattr(wiring, "advisers", lambda: ports.advisers)
    monkeypatch.setattr(wiring, "market_data", lambda: ports.market_data)
    monkeypatch.setattr("django.utils.timezone.now", lambda: NOW)

    assert [tasks.advise(), tasks.advise()] == [1, 0]


def test_the_task_loads_nothing_while_nothing_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wiring, "advisers", lambda: pytest.fail("loaded"))

    assert tasks.advise() == 0


def test_a_wrong_setting_is_said_in_words_and_ends_no_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> None:
        raise ImproperlyConfigured("ADVISERS: wrong")

    waiting(Told(opinion(), is_slow=True))
    monkeypatch.setattr(wiring, "advisers", refuse)
    monkeypatch.setattr("django.utils.timezone.now", lambda: NOW)

    assert tasks.advise() == 0


def test_a_signal_that_begins_to_wait_sends_a_hint(
    monkeypatch: pytest.MonkeyPatch, django_capture_on_commit_callbacks: Any
) -> None:
    sent: list[dict[str, Any]] = []
    monkeypatch.setattr(tasks.advise, "apply_async", lambda **options: sent.append(options))
    monkeypatch.setattr(listener, "_failed_at", None)

    with django_capture_on_commit_callbacks(execute=True):
        waiting(Told(opinion(), is_slow=True))

    assert sent == [{"retry": False, "expires": listener.EXPIRES_S}]


def test_a_lost_hint_is_no_error_and_is_not_tried_again_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[int] = []

    def refuse(**_: Any) -> None:
        tried.append(1)
        raise OperationalError("no Redis")

    monkeypatch.setattr(tasks.advise, "apply_async", refuse)
    monkeypatch.setattr(listener, "_failed_at", None)

    for kind in (events.ADVICE_WANTED, events.ADVICE_WANTED, events.TICK):
        listener.hear(kind, datetime(2026, 3, 1, tzinfo=UTC))

    assert len(tried) == 1


@pytest.mark.parametrize(
    ("paths", "words"),
    [
        (["nowhere.Nobody"], "'nowhere.Nobody' cannot be loaded"),
        (["datetime.datetime.now"], "cannot be loaded"),
        (["mlops.rules.Rules", "mlops.adviser.choose"], "two advisers have the same name"),
        (["tests.mlops.test_answering.Verbose"], "needs a name of 1 to 20 letters"),
    ],
)
def test_advisers_that_cannot_be_are_refused_in_one_sentence(settings: Any, paths: list[str], words: str) -> None:
    settings.ADVISERS = paths
    wiring.forget()

    with pytest.raises(ImproperlyConfigured, match=words):
        wiring.advisers()

    wiring.forget()


class Verbose:
    name = "a name that is longer than any row takes"
    is_slow = False


def test_those_asked_in_the_replayed_past_answer_at_once() -> None:
    assert {adviser.is_slow for adviser in wiring.demo_advisers()} == {False}
    assert [adviser.name for adviser in wiring.demo_advisers()][-1] == "ai"
