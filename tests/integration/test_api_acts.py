"""What programs do by the API: parameters, the trading state by name, closing by hand, replays, and freqtrade's names."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from dashboard import limits
from tests import api_world, factories
from trading.models import BacktestRun, Bot, DraftStatus, ParameterDraft, ParameterRevision, RunStatus, Trade
from trading.services import parameters

pytestmark = pytest.mark.django_db


@pytest.fixture
def client() -> Client:
    now = timezone.now()
    limits.forget()
    factories.overview(now)
    operator = factories.user()
    return Client(headers={"Authorization": f"Bearer {api_world.token_of(operator, now)}"})


def post(client: Client, path: str, body: dict[str, Any] | None = None, **headers: str) -> Any:
    return client.post(f"/api/v1/{path}", body or {}, content_type="application/json", headers=headers)


@pytest.mark.parametrize(
    ("_case", "body"),
    [("too deep", "[" * 100_000), ("a number beyond all", '{"days": 1' + "0" * 5000 + "}"), ("", "{")],
)
def test_a_body_that_cannot_be_read_is_the_callers_mistake(client: Client, _case: str, body: str) -> None:
    answer = client.post("/api/v1/backtests", body, content_type="application/json")

    assert answer.status_code == 400
    assert not BacktestRun.objects.exists()


def test_checking_values_tells_what_would_become_of_them_and_changes_nothing(client: Client) -> None:
    told = post(client, "parameters/validate", {"values": {"max_open_trades": 2}}).json()

    assert told["changes"] == [{"name": "max_open_trades", "old": 3, "new": 2}]
    assert (told["is_safer"], told["revision"]) == (True, 1)
    assert (ParameterRevision.objects.count(), ParameterDraft.objects.count()) == (1, 0)


@pytest.mark.parametrize(
    ("values", "field"), [({"max_open_trades": 10_000}, "values.max_open_trades"), ({"no_such": 1}, "values.no_such")]
)
def test_impossible_values_are_refused_by_name(client: Client, values: dict[str, Any], field: str) -> None:
    for path in ("parameters/validate", "parameters/drafts"):
        answer = post(client, path, {"values": values, "reason": "x"})

        assert (answer.status_code, answer.json()["field"]) == (422, field)
    assert ParameterRevision.objects.count() == 1


def test_a_proposal_is_compared_put_in_force_by_hand_and_rolled_back(client: Client) -> None:
    asked = {"values": {"max_open_trades": 4}, "reason": "more at once", "revision": 1}
    made = post(client, "parameters/drafts", asked, **{"Idempotency-Key": "one"})
    again = post(client, "parameters/drafts", asked, **{"Idempotency-Key": "one"})

    assert (made.status_code, made.json()["outcome"]) == (202, "waiting")
    assert (again.json(), again.headers["Idempotent-Replayed"]) == (made.json(), "true")
    draft = ParameterDraft.objects.get()
    assert client.get(f"/api/v1/parameters/drafts/{draft.pk}").json()["status"] == DraftStatus.WAITING

    done = post(client, f"parameters/drafts/{draft.pk}/activate", {"reason": "checked by hand"})
    assert (done.status_code, done.json()["status"]) == (200, DraftStatus.ACTIVE)
    assert parameters.current(now=timezone.now()).values["max_open_trades"] == 4
    assert post(client, f"parameters/drafts/{draft.pk}/discard").status_code == 409

    back = post(client, "parameters/roll-back", {"revision": 1, "reason": "worse"})
    assert (back.status_code, back.json()["number"]) == (201, 3)
    assert post(client, "parameters/roll-back", {"revision": 99, "reason": "x"}).json()["field"] == "revision"


def test_what_was_proposed_for_an_older_revision_conflicts(client: Client) -> None:
    post(client, "parameters/drafts", {"values": {"max_open_trades": 2}, "reason": "less at once"})

    late = post(client, "parameters/drafts", {"values": {"max_open_trades": 1}, "reason": "even less", "revision": 1})

    assert (late.status_code, ParameterRevision.objects.count()) == (409, 2)


@pytest.mark.parametrize(
    ("path", "state"),
    [("state/pause", "close_only"), ("stopentry", "close_only"), ("state/close-only", "close_only"),
     ("state/halt", "halted"), ("stop", "halted")],
)  # fmt: skip
def test_the_state_is_set_by_name_and_lifted_again(client: Client, path: str, state: str) -> None:
    assert post(client, path, {"reason": "looks odd"}).json()["state"] == state
    assert (Bot.objects.get().trading_state, Bot.objects.get().state_reason) == (state, "looks odd")

    assert post(client, "start").json()["state"] == "active"


def test_closing_by_hand_is_asked_for_once(client: Client) -> None:
    first, *rest = Trade.objects.filter(status="open").order_by("pk").values_list("pk", flat=True)

    assert post(client, f"trades/{first}/close").status_code == 202
    assert post(client, f"trades/{first}/close").status_code == 409
    assert post(client, "forceexit", {"tradeid": first}).status_code == 409
    assert post(client, "forceexit", {"tradeid": "all"}).json()["trades"] == rest
    assert post(client, "forceexit", {"tradeid": "some"}).json()["field"] == "tradeid"
    assert post(client, "trades/999999/close").status_code == 404
    assert not Trade.objects.filter(status="open", remaining_fraction__gt=0).exists()


def test_nothing_is_entered_past_the_guards(client: Client) -> None:
    answer = post(client, "forceenter", {"pair": "BTC/USDT"})

    assert (answer.status_code, answer.headers["Content-Type"]) == (409, "application/problem+json")
    assert "proposal" in answer.json()["detail"]


def test_a_decision_is_computed_again_by_a_worker(client: Client) -> None:
    pk = Trade.objects.earliest("pk").signal_id
    assert client.get(f"/api/v1/decisions/{pk}/replay").json() == {"replay": None}

    asked = post(client, f"decisions/{pk}/replay")

    assert asked.status_code == 202
    assert BacktestRun.objects.get(plan__signal=pk).status == RunStatus.QUEUED
    assert client.get(f"/api/v1/decisions/{pk}/replay").json()["replay"]["match"] is None


def test_freqtrades_names_tell_the_same_as_ours(client: Client) -> None:
    def get(path: str) -> Any:
        return client.get(f"/api/v1/{path}").json()

    count, profit, stats, config = get("count"), get("profit"), get("stats"), get("show_config")
    closed = Trade.objects.filter(status="closed").count()
    assert (count["current"], count["max"]) == (3, 3)
    assert (profit["closed_trade_count"], profit["winning_trades"] + profit["losing_trades"]) == (closed, closed)
    assert profit["profit_closed_coin"] == get("performance")["summary"]["pnl"]
    assert sum(sum(kinds.values()) for kinds in stats["exit_reasons"].values()) == closed
    assert (config["dry_run"], config["state"], config["stake_currency"]) == (True, "running", "USDT")
    assert get("whitelist")["length"] == len(get("watchlist")["results"])
    candles, bars = get("candles?symbol=BTC/USDT&limit=3"), get("pair_candles?pair=BTC/USDT&limit=3")
    assert (bars["length"], bars["data"]) == (3, candles["candles"])
    assert get("decisions?limit=2") == get("signals?limit=2")
    assert sum(hour["trades"] for hour in get("sessions")["results"]) == closed
