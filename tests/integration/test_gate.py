"""The gate for parameters: what is not worse passes, what only lowers the risk skips it, and people may overrule it in words."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.db import IntegrityError, transaction
from django.test import Client

from tests.drafts import NOW, compare, draft_of, in_force, propose
from trading import runs, wiring
from trading.core.param_spec import ParamsError
from trading.models import (
    BacktestRun,
    DraftStatus,
    Event,
    Gate,
    ParameterDraft,
    ParameterRevision,
    RunKind,
    RunStatus,
)
from trading.services import backtesting, gate, parameters
from trading.services.parameters import Outcome

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _first() -> None:
    parameters.current(now=NOW)


@pytest.fixture
def operator(client: Client) -> User:
    user = User.objects.create_superuser("operator", password="long enough password")
    client.force_login(user)
    return user


def test_a_change_of_an_entry_waits_for_its_comparison() -> None:
    made = propose({"fast_sma": 10})

    assert (made.outcome, made.revision.number) == (Outcome.WAITING, 1)
    draft, run = ParameterDraft.objects.get(), BacktestRun.objects.get()
    assert made.text == (f"Draft {draft.pk} is being compared with revision 1; it comes into force if it is not worse.")
    assert run.against is not None
    assert (draft.status, draft.changes) == (DraftStatus.WAITING, [{"name": "fast_sma", "old": 15, "new": 10}])
    assert (run.kind, run.status, run.parameters["fast_sma"], run.against["fast_sma"]) == (
        *(RunKind.COMPARISON, RunStatus.QUEUED),
        *(10, 15),
    )
    assert in_force().number == 1
    assert Event.objects.filter(kind="draft", text__contains="fast_sma 15 -> 10").exists()


def test_what_is_not_worse_comes_into_force() -> None:
    draft = draft_of({"fast_sma": 10})

    compare(profit_factor=1.6)

    draft.refresh_from_db()
    revision = in_force()
    assert (revision.number, revision.gate, revision.reason, revision.author_name) == (2, Gate.PASSED, "because", "ann")
    assert (draft.status, draft.revision, draft.finding) == (
        *(DraftStatus.ACTIVE, revision),
        "not worse than revision 1 in 5000 bars",
    )
    assert parameters.params_of(revision).fast_sma == 10
    assert draft.comparison is not None
    assert draft.comparison["candidate"]["profit_factor"] == 1.6
    assert [finding["passed"] for finding in draft.comparison["findings"]] == [True] * 5


def test_what_is_worse_is_held_back_with_the_reason() -> None:
    draft = draft_of({"fast_sma": 10})

    compare(profit_factor=1.0, drawdown_fraction=0.3)

    draft.refresh_from_db()
    assert in_force().number == 1
    assert draft.status == DraftStatus.HELD
    assert draft.finding == (
        "profit factor is 1.00, that in force has 1.50; drawdown is 30.00% of the peak, that in force has 10.00%"
    )
    assert Event.objects.filter(kind="draft", text__contains="is held back, profit factor is 1.00").exists()


def test_a_comparison_that_failed_holds_it_back() -> None:
    draft = draft_of({"fast_sma": 10})
    assert draft.run is not None
    backtesting.cancel(draft.run.pk, by="ann", now=NOW)

    gate.settle(margins=runs.margins(), now=NOW)

    draft.refresh_from_db()
    assert (draft.status, draft.finding) == (DraftStatus.HELD, "not compared: canceled by ann")
    assert gate.settle(margins=runs.margins(), now=NOW) == 0


def test_less_risk_is_in_force_at_once_and_marked() -> None:
    made = propose({"risk_fraction": 0.01, "max_open_trades": 2})

    assert (made.outcome, made.revision.number, made.revision.gate) == (Outcome.ACTIVE, 2, Gate.SAFER)
    assert in_force() == made.revision
    assert not ParameterDraft.objects.exists()


@pytest.mark.parametrize("values", [{"risk_fraction": 0.03}, {"risk_fraction": 0.01, "fast_sma": 10}])
def test_more_risk_or_anything_besides_does_not_skip_the_gate(values: dict[str, Any]) -> None:
    assert propose(values).outcome is Outcome.WAITING
    assert in_force().number == 1


def test_what_changes_nothing_makes_nothing() -> None:
    made = propose({"fast_sma": 15})

    assert (made.outcome, made.draft) == (Outcome.UNCHANGED, None)
    assert not ParameterDraft.objects.exists()


def test_what_is_impossible_or_late_is_no_draft() -> None:
    with pytest.raises(ParamsError, match="must be shorter than slow_sma"):
        propose({"fast_sma": 60})
    with pytest.raises(parameters.RevisionConflict):
        propose({"fast_sma": 10}, expected=7)

    assert not ParameterDraft.objects.exists()
    assert not BacktestRun.objects.exists()


def test_a_person_overrules_with_a_reason_and_the_revision_says_so(operator: User) -> None:
    draft = draft_of({"fast_sma": 10})
    compare(profit_factor=1.0)

    with pytest.raises(gate.GateRefused, match="say why the gate is overruled"):
        gate.overrule(draft.pk, reason="  ", author=operator, now=NOW)
    made = gate.overrule(draft.pk, reason="the market has changed", author=operator, now=NOW)

    draft.refresh_from_db()
    assert (made.number, made.gate, made.author) == (2, Gate.OVERRULED, operator)
    assert made.reason == "because - gate overruled by operator: the market has changed"
    assert (draft.status, draft.revision, draft.settled_by) == (DraftStatus.ACTIVE, made, "operator")
    assert draft.finding.startswith("profit factor is 1.00")
    with pytest.raises(gate.GateRefused, match="only one that waits or is held back"):
        gate.overrule(draft.pk, reason="again", author=operator, now=NOW)


def test_who_overrules_does_not_wait_for_the_comparison() -> None:
    draft = draft_of({"fast_sma": 10})

    gate.overrule(draft.pk, reason="now", author=None, by="ann", now=NOW)

    assert BacktestRun.objects.get().status == RunStatus.CANCELED
    assert gate.settle(margins=runs.margins(), now=NOW) == 0
    assert in_force().number == 2


def test_a_discarded_draft_is_over(operator: User) -> None:
    draft = draft_of({"fast_sma": 10})

    gate.discard(draft.pk, by="ann", now=NOW)

    draft.refresh_from_db()
    assert (draft.status, draft.settled_by) == (DraftStatus.DISCARDED, "ann")
    assert BacktestRun.objects.get().status == RunStatus.CANCELED
    with pytest.raises(gate.GateRefused):
        gate.overrule(draft.pk, reason="after all", author=operator, now=NOW)


def test_of_two_drafts_the_second_is_overtaken() -> None:
    first, second = draft_of({"fast_sma": 10}), draft_of({"fast_sma": 12})

    compare()

    first.refresh_from_db()
    second.refresh_from_db()
    assert (first.status, second.status) == (DraftStatus.ACTIVE, DraftStatus.STALE)
    assert second.finding == "revision 2 came first: propose it again"
    with pytest.raises(gate.GateRefused):
        gate.overrule(second.pk, reason="still", author=None, by="ann", now=NOW)
    assert parameters.params_of(in_force()).fast_sma == 10


def test_a_draft_that_a_revision_did_not_see_is_never_in_force() -> None:
    draft = draft_of({"fast_sma": 10})
    parameters.revise(values={"stop_atr": 3}, reason="x", author=None, expected_number=1, now=NOW)
    # As if it had been proposed in the very moment of the revision.
    ParameterDraft.objects.update(status=DraftStatus.WAITING)

    compare()

    draft.refresh_from_db()
    assert (draft.status, in_force().number) == (DraftStatus.STALE, 2)
    assert "revision 2 came after revision 1" in draft.finding


def test_the_database_itself_wants_a_revision_for_what_is_active() -> None:
    draft = draft_of({"fast_sma": 10})

    with pytest.raises(IntegrityError), transaction.atomic():
        ParameterDraft.objects.filter(pk=draft.pk).update(status=DraftStatus.ACTIVE)


def test_a_roll_back_is_a_new_revision_with_the_old_values() -> None:
    parameters.revise(values={"fast_sma": 10}, reason="x", author=None, expected_number=1, now=NOW)

    made = parameters.roll_back(number=1, reason="it lost", author=None, by="ann", expected_number=2, now=NOW)

    assert (made.number, made.gate, made.reason, made.author_name) == (
        *(3, Gate.ROLLED_BACK),
        *("Back to revision 1: it lost", "ann"),
    )
    assert made.values == ParameterRevision.objects.get(number=1).values
    for number, words in ((1, "has the values that are in force"), (9, "there is no revision 9")):
        with pytest.raises(parameters.NothingToRollBack, match=words):
            parameters.roll_back(number=number, reason="x", author=None, expected_number=3, now=NOW)


def test_the_comparison_is_made_on_the_same_candles(settings: Any) -> None:
    settings.GATE_BARS, settings.GATE_TRADES = 1500, 1
    doors = {
        name: 0 for name in parameters.params_of(in_force()).as_json() if name.startswith(("score_min", "adx_min"))
    }
    base = {**doors, "volume_min": 0, "pairs": ["BTC/USDT", "ETH/USDT"], "timeframe": "5m"}
    parameters.revise(values=base, reason="x", author=None, expected_number=1, now=NOW)
    # No trade differs: the time stop lies beyond the end.
    draft = draft_of({"time_stop": 10_000}, expected=2)

    assert runs.work()

    draft.refresh_from_db()
    run = BacktestRun.objects.get()
    assert (run.status, run.error) == (RunStatus.DONE, "")
    assert (draft.status, in_force().gate) == (DraftStatus.ACTIVE, Gate.PASSED)
    comparison = draft.comparison
    assert comparison is not None
    assert comparison["active"] == comparison["candidate"]
    assert comparison["active"]["closed_trades"] > 0
    assert (comparison["bars"], comparison["symbols"]) == (3000, ["BTC/USDT", "ETH/USDT"])
    assert comparison["to"] == "2026-03-10T00:00:00+00:00"
    assert len(run.data_hash) == 64


def test_symbols_without_candles_are_left_out_and_named(settings: Any) -> None:
    settings.GATE_BARS = 500
    draft_of({"pairs": ["BTC/USDT", "NOPE/USDT"]})

    runs.work()

    run = BacktestRun.objects.get()
    assert run.status == RunStatus.DONE
    assert "left out for want of candles: NOPE/USDT" in [line["text"] for line in run.log]


def test_without_candles_a_person_has_to_decide(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "JULABA_DATA_DIR", tmp_path)
    monkeypatch.setattr(wiring, "is_simulated", lambda: False)
    draft = draft_of({"fast_sma": 10})

    runs.work()

    draft.refresh_from_db()
    assert draft.status == DraftStatus.HELD
    assert draft.finding.startswith("not compared: no more than 201 15m bars in a row are stored of any symbol")
    assert gate.overrule(draft.pk, reason="a new venue", author=None, by="ann", now=NOW).gate == Gate.OVERRULED


def test_what_a_backtest_does_not_model_a_person_decides(settings: Any) -> None:
    settings.GATE_BARS = 500
    draft = draft_of({"entry_order": "limit", "pairs": ["BTC/USDT"]})

    runs.work()

    draft.refresh_from_db()
    assert (draft.status, in_force().number) == (DraftStatus.HELD, 1)
    assert draft.finding.startswith("not compared: a backtest models market entries only")


def test_runs_of_settled_drafts_are_forgotten_and_their_findings_stay() -> None:
    draft = draft_of({"fast_sma": 10})
    compare(profit_factor=1.0)

    backtesting.prune(now=NOW + backtesting.KEEP_COMPARISONS + timedelta(days=1))

    draft.refresh_from_db()
    assert (draft.run, BacktestRun.objects.count()) == (None, 0)
    assert draft.comparison is not None
    assert draft.comparison["candidate"]["profit_factor"] == 1.0
