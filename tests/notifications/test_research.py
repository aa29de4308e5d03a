"""Runs of research by message: asked for, followed in one message that is edited, and told when they are over."""

from __future__ import annotations

from typing import Any

import pytest
from django.utils import timezone

from notifications import tasks
from notifications.commands.research import USUAL_AXES
from notifications.models import Delivery, DeliveryStatus, FollowedRun, Role
from notifications.services import following
from tests import factories
from tests.notifications.conftest import ROLES, Chat
from tests.telegram.launch import BotApi
from trading.models import BacktestRun, RunKind, RunStatus
from trading.services import backtesting
from trading.services.backtesting import Work

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("account")]
VIEWER, TRADER = ROLES[Role.VIEWER], ROLES[Role.TRADER]
POINT = {"trades": 12, "return_fraction": 0.05, "sharpe": 1.2, "drawdown_fraction": 0.03, "values": {"stop_atr": 2.5}}
RESULTS: dict[RunKind, dict[str, Any]] = {
    RunKind.BACKTEST: {
        "summary": {"return_fraction": 0.0123, "closed_trades": 7, "win_rate": 0.5714, "pnl": "12", "fees": "3.5"},
        "metrics": {"buy_and_hold": None, "profit_factor": 1.4, "sharpe": None, "drawdown_fraction": 0.02},
        "setups": 20, "taken": 7, "refusals": {"volume_ratio": 9, "score": 4},
    },
    RunKind.SWEEP: {
        "tried": 20, "min_trades": 10, "objective": "sharpe", "usual": {**POINT, "values": {}},
        "best": [POINT], "deflated_sharpe": 0.42,
    },
    RunKind.PARITY: {
        "compared": 31, "differences": 1, "unexplained": 0, "entries": 4, "causes": {"same": 30, "late_data": 1},
        "decisions": [{"symbol": "BTC/USDT", "bar_at": "2026-03-04T10:15:00+00:00", "text": "the bar came late"}],
    },
}  # fmt: skip


def claimed() -> Work:
    work = backtesting.claim(owner="worker", clock=timezone.now)
    assert work is not None
    return work


def about(api: BotApi, run: BacktestRun) -> list[dict[str, Any]]:
    """Return what was sent of a run, and not of the trades."""
    return [message for message in api.sent() if f"Run {run.pk}" in message["text"]]


def test_a_backtest_is_one_message_that_is_edited_until_it_is_over(chat: Chat, api: BotApi) -> None:
    chat.message("/backtest 14 sol eth", TRADER)
    run = BacktestRun.objects.get()
    assert (run.symbols, run.requested_by_name, (run.end_at - run.start_at).days) == (  # type: ignore[operator]
        ["SOL/USDT", "ETH/USDT"], "user22", 14)  # fmt: skip
    first = api.sent()[0]

    work = claimed()
    work.step(40, "testing 1000 bars")
    tasks.sweep()
    tasks.sweep()
    shown = about(api, run)[-1]["text"]
    assert "40 %" in shown
    assert "testing 1000 bars" in shown
    work.finish(RESULTS[RunKind.BACKTEST], data_hash="x", code_version="test")
    tasks.sweep()
    tasks.sweep()

    sent = about(api, run)
    assert [each["method"] for each in sent] == ["sendMessage", "editMessageText", "editMessageText"]
    assert {each["message_id"] for each in sent} == {first["message_id"]}
    assert "+1.23%" in sent[-1]["text"]
    assert "Refused most by volume ratio (9)" in sent[-1]["text"]
    assert FollowedRun.objects.get().is_over


@pytest.mark.parametrize(
    ("text", "kind", "words"),
    [
        ("/optimize 20", RunKind.SWEEP, "#1: stop_atr 2.5"),
        ("/parity 3", RunKind.PARITY, "BTC/USDT 2026-03-04T10:15: the bar came late"),
    ],
)
def test_other_runs_are_followed_too(chat: Chat, api: BotApi, text: str, kind: RunKind, words: str) -> None:
    chat.message(text, TRADER)
    run = BacktestRun.objects.get()
    assert run.kind == kind
    claimed().finish(RESULTS[kind], data_hash="", code_version="test")

    tasks.sweep()

    assert words in about(api, run)[-1]["text"]
    assert (run.plan or {"vary": list(USUAL_AXES)})["vary"] == list(USUAL_AXES)


def test_a_run_that_fails_says_why(chat: Chat, api: BotApi) -> None:
    chat.message("/backtest", TRADER)
    BacktestRun.objects.update(status=RunStatus.FAILED, error="no candles are stored")

    tasks.sweep()

    assert "It is failed: no candles are stored." in about(api, BacktestRun.objects.get())[-1]["text"]


def test_while_an_edit_is_on_its_way_no_other_is_written(chat: Chat, api: BotApi) -> None:
    chat.message("/backtest", TRADER)
    work = claimed()
    api.fault("down", "editMessageText")
    for percent in (10, 20, 30):
        work.step(percent)
        following.refresh(now=timezone.now())

    waiting = Delivery.objects.filter(status=DeliveryStatus.PENDING)
    assert [row.key.rpartition(" ")[2] for row in waiting] == ["10"]


def test_a_message_that_was_deleted_is_sent_anew(chat: Chat, api: BotApi) -> None:
    chat.message("/backtest", TRADER)
    claimed().step(50)
    told = {"ok": False, "error_code": 400, "description": "Bad Request: message to edit not found"}
    api.fault("refuse", "editMessageText", told=told)

    tasks.sweep()

    told_of = about(api, BacktestRun.objects.get())
    assert [each["method"] for each in told_of] == ["sendMessage", "sendMessage"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("/backtest 0", "give a whole number from 1 to 1100"),
        ("/backtest 99999999", "give a whole number"),
        ("/backtest <b>", "pairs"),
        ("/optimize nothing=1:2:1", "is no parameter that can be searched"),
        ("/optimize a=1 b=1 c=1 d=1 e=1", "name 1 to 4 parameters"),
        ("/cancel", "nothing waits or runs"),
    ],
)
def test_what_cannot_be_run_is_told_in_words(chat: Chat, api: BotApi, text: str, words: str) -> None:
    chat.message(text, TRADER)

    assert words.lower() in api.texts()[0].lower()
    assert not BacktestRun.objects.exists()


def test_one_run_of_each_person_waits_and_a_viewer_starts_none(chat: Chat, api: BotApi) -> None:
    for sender in (TRADER, TRADER, VIEWER):
        chat.message("/backtest", sender)

    assert BacktestRun.objects.count() == 1
    assert "waits already" in api.texts()[1]
    assert "it needs the role trader" in api.texts()[2]


def test_the_newest_runs_are_listed_and_one_is_canceled(chat: Chat, api: BotApi) -> None:
    from tests.notifications.conftest import buttons

    chat.message("/backtest", TRADER)
    chat.message("/runs", VIEWER)
    chat.message("/cancel", TRADER)
    asked = api.sent()[-1]
    chat.press(buttons(asked)["Confirm"], TRADER, asked["message_id"])

    assert "asked for by user22" in api.texts()[1]
    assert BacktestRun.objects.get().status == RunStatus.CANCELED
    assert factories.PASSWORD not in str(api.sent())
