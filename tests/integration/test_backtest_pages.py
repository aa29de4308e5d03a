"""Runs of research by page and API: asked for, refused in words, followed, canceled, read, compared, exported."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.utils import timezone

from dashboard import compare_sheet, hub, run_form, run_sheet
from dashboard.formats import MINUS
from dashboard.overview import Rendered
from dashboard.run_form import Refused
from tests import drafts, factories
from trading import runs
from trading.core import study_plan
from trading.core.params import Params
from trading.models import BacktestRun, RunKind, RunStatus, Scan, ScanRow
from trading.research import trials
from trading.research.search import METHODS, NOT_SOUGHT
from trading.services import backtesting

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 3, 10, tzinfo=UTC)
OPEN = "score_min_ranging = 0\nscore_min_choppy=0\nadx_min_choppy = 0\nvolume_min = 0"
ASKED = {"symbols": "sol/usdt", "timeframe": "15m", "days": "8", "parameters": OPEN}


@pytest.fixture
def tester(client: Client) -> Client:
    user = factories.user("tess", is_staff=False)
    user.user_permissions.add(Permission.objects.get(codename="add_backtestrun"))
    client.force_login(user)
    return client


@pytest.fixture
def viewer() -> Client:
    browser = Client()
    browser.force_login(factories.user("vera", is_staff=False))
    return browser


def ask(**changes: Any) -> BacktestRun:
    user = User.objects.filter(username="ann").first() or factories.user("ann", is_staff=False)
    return run_form.ask({**ASKED, **changes}, user=user, now=NOW)


def done(**changes: Any) -> BacktestRun:
    run = ask(**changes)
    assert runs.work()
    run.refresh_from_db()
    assert run.status == RunStatus.DONE, run.error
    return run


def test_the_form_and_the_search_agree_on_what_there_is() -> None:
    assert study_plan.OBJECTIVES == trials.OBJECTIVES
    assert study_plan.METHODS == METHODS
    assert set(study_plan.NOT_SOUGHT) <= set(NOT_SOUGHT)


def test_a_run_takes_its_parameters_from_a_source_and_from_what_was_edited() -> None:
    run = ask()
    assert (run.symbols, run.timeframe, run.exchange) == (["SOL/USDT"], "15m", "")
    assert (run.start_at, run.end_at) == (NOW - timedelta(days=8), NOW)
    assert run.parameters == Params.of({
        "score_min_ranging": 0, "score_min_choppy": 0, "adx_min_choppy": 0, "volume_min": 0, "pairs": ["SOL/USDT"], "timeframe": "15m",
    }).as_json()  # fmt: skip
    backtesting.cancel(run.pk, by="ann", now=NOW)

    draft = drafts.draft_of({"stop_atr": 3.5})
    run = ask(source=f"draft:{draft.pk}", parameters={"volume_min": 0.5}, symbols="", timeframe="")
    assert (run.parameters["stop_atr"], run.parameters["volume_min"]) == (3.5, 0.5)
    assert run.symbols == list(Params().pairs)
    backtesting.cancel(run.pk, by="ann", now=NOW)

    assert ask(source="revision:1", parameters="").parameters["stop_atr"] == Params().stop_atr
    assert [value for value, _ in run_form.sources()] == ["active", f"draft:{draft.pk}", "revision:1"]


@pytest.mark.parametrize(
    ("changes", "field", "words"),
    [
        ({"kind": "comparison"}, "kind", "'comparison' is none of backtest, sweep"),
        ({"days": "0"}, "days", "'0' is no whole number from 1 to 1100"),
        ({"days": "\u0663"}, "days", "is no whole number"),
        ({"timeframe": "7m"}, "timeframe", "'7m' is none of 1m"),
        ({"symbols": "SOLUSDT"}, "symbols", "pairs: "),
        ({"symbols": ["A/USDT"] * 41}, "symbols", "at most 40"),
        ({"parameters": "stop_atr = wide"}, "parameters", "stop_atr: "),
        ({"parameters": "stop_atr = 1000"}, "parameters", "stop_atr: "),
        ({"parameters": "pairs = X"}, "parameters", "'pairs' is no parameter that can be changed here"),
        ({"source": "draft:99"}, "source", "'draft:99' is none of active"),
        ({"source": "revision:x"}, "source", "'revision:x' is none of active"),
        ({"note": "x" * 1001}, "note", "at most 1000"),
        ({"seed": "-1"}, "seed", "'-1' is no whole number"),
        ({"top": "0"}, "top", "'0' is no whole number from 1 to 40"),
        ({"kind": "sweep"}, "vary", "name 1 to 4 parameters"),
        ({"kind": "sweep", "vary": "pairs=1"}, "vary", "'pairs' is no parameter"),
        ({"kind": "walk", "vary": "stop_atr", "train": "0"}, "train", "'0' is not a whole number from 1 to 1000"),
        ({"kind": "walk", "vary": "stop_atr", "method": "guess"}, "method", "'guess' is none of grid"),
        ({"kind": "montecarlo", "noise": "nan"}, "noise", "'nan' is not a number from 0 to 10"),
    ],
)
def test_what_cannot_be_asked_is_refused_with_the_field_and_the_cause(
    changes: dict[str, Any], field: str, words: str
) -> None:
    with pytest.raises(Refused) as refused:
        ask(**changes)

    assert refused.value.field == field
    assert words in str(refused.value)
    assert not BacktestRun.objects.exists()


def test_the_page_starts_a_run_shows_its_progress_and_what_it_found(tester: Client) -> None:
    answer = tester.post("/backtests/start/", {**ASKED, "note": "wider <doors>"})
    run = BacktestRun.objects.get()
    assert answer.headers["Location"] == f"/backtests/{run.pk}/"
    waiting = tester.get(f"/backtests/{run.pk}/").content.decode()
    assert "Waits for a worker" in waiting
    assert "Cancel this run" in waiting

    runs.work()
    run.refresh_from_db()

    page = tester.get(f"/backtests/{run.pk}/").content.decode()
    assert run.status == RunStatus.DONE, run.error
    assert run.result is not None
    assert len(run.result["trades"]) > 3
    assert "✓ Done" in page
    assert "wider &lt;doors&gt;" in page
    for title in (
        "Profit factor",
        "Deepest drawdown",
        "Months",
        "Regime",
        "Left by",
        "Hour of the entry, UTC",
        "Why no trade",
    ):
        assert title in page, title
    assert page.count('data-label="PnL"') >= len(run.result["trades"])
    listed = tester.get("/backtests/").content.decode()
    assert f"#{run.pk} backtest" in listed
    assert "✓ done" in listed


def test_a_run_trades_only_what_the_scans_of_the_time_ranked_best(tester: Client) -> None:
    then = timezone.now() - timedelta(days=80)
    scan = Scan.objects.create(at=then, timeframe="15m", finished_at=then)
    for rank, symbol in enumerate(("SOL/USDT", "BTC/USDT"), 1):
        ScanRow.objects.create(scan=scan, rank=rank, symbol=symbol, score=90 - rank, regime="trend", parts={})
    tester.post("/backtests/start/", {**ASKED, "symbols": "BTC/USDT, SOL/USDT", "top": "1"})

    runs.work()

    run = BacktestRun.objects.get()
    assert run.result is not None, run.error
    assert {trade["symbol"] for trade in run.result["trades"]} == {"SOL/USDT"}
    assert run.plan == {"top": 1}


def test_a_run_over_scans_that_nobody_made_says_so() -> None:
    run = ask(top="2")

    runs.work()

    run.refresh_from_db()
    assert (run.status, run.error[:15]) == (RunStatus.FAILED, "no scan is kept")


def test_a_wrong_form_keeps_what_was_typed_and_starts_nothing(tester: Client) -> None:
    page = tester.post("/backtests/start/", {**ASKED, "days": "many", "note": "my note"}).content.decode()

    assert "Not started: days &#x27;many&#x27; is no whole number from 1 to 1100" in page
    assert 'value="my note"' in page
    assert not BacktestRun.objects.exists()


def test_who_may_only_look_neither_starts_nor_cancels_nor_writes(viewer: Client) -> None:
    run = ask()
    for path in ("/backtests/start/", f"/backtests/{run.pk}/cancel/", f"/backtests/{run.pk}/note/", "/parity/start/"):
        assert viewer.post(path, ASKED).status_code == 403, path
    assert viewer.post("/api/v1/backtests", ASKED, content_type="application/json").status_code == 403
    assert "Start a run" not in viewer.get("/backtests/").content.decode()

    run.refresh_from_db()
    assert (run.status, run.note, BacktestRun.objects.count()) == (RunStatus.QUEUED, "", 1)


def test_a_run_is_canceled_and_annotated_once_it_exists(tester: Client) -> None:
    run = ask()
    tester.post(f"/backtests/{run.pk}/note/", {"note": " too narrow "})
    tester.post(f"/backtests/{run.pk}/cancel/")

    run.refresh_from_db()
    assert (run.status, run.note, run.error) == (RunStatus.CANCELED, "too narrow", "canceled by tess")
    page = tester.post(f"/backtests/{run.pk}/cancel/", follow=True).content.decode()
    assert "Nothing was canceled" in page
    assert "only such can be canceled" in page


@pytest.mark.parametrize(
    ("kind", "changes", "words"),
    [
        (RunKind.SWEEP, {"vary": "stop_atr=1,2", "min_trades": "1"}, "Deflated Sharpe"),
        (RunKind.WALK, {"vary": "stop_atr=1,2", "train": "3", "test": "2", "min_trades": "1"}, "Windows with a gain"),
        (RunKind.MONTECARLO, {"draws": "20", "noise_draws": "1"}, "What else could have come of it"),
    ],
)
def test_a_study_is_a_run_with_a_page_of_its_own(
    tester: Client, kind: RunKind, changes: dict[str, str], words: str
) -> None:
    run = done(kind=kind, **changes)

    assert words in tester.get(f"/backtests/{run.pk}/").content.decode()
    assert tester.get(f"/api/v1/backtests/{run.pk}").json()["result"]["from"] == "2026-03-02T00:00:00+00:00"
    assert run.data_hash


def test_a_search_that_makes_no_sense_fails_with_a_sentence() -> None:
    run = ask(kind="sweep", vary="stop_atr=9:1:1")
    runs.work()

    run.refresh_from_db()
    assert run.status == RunStatus.FAILED
    assert "is empty: write the lower bound first" in run.error


def test_two_runs_stand_side_by_side_with_the_better_figure_marked(tester: Client) -> None:
    first, second = done(), done(parameters=OPEN + "\nstop_atr = 3")

    page = tester.get(f"/backtests/compare/?run={first.pk}&run={second.pk}").content.decode()
    sheet = compare_sheet.sheet([first, second])

    assert sheet is not None
    assert [row[0].text for row in sheet.parameters.rows] == ["stop_atr"]
    assert sheet.same_candles
    assert [curve["points"][0][1] for curve in sheet.curves] == [0.0, 0.0]
    better = next(row for row in sheet.figures.rows if row[0].text == "Return")
    returns = [run.result["metrics"]["return_fraction"] for run in (first, second)]  # type: ignore[index]
    assert better[1 + returns.index(max(returns))].text.startswith("★")
    assert "different candles" not in page
    assert "2 to 4 runs can be compared, not 1" in tester.get(f"/backtests/compare/?run={first.pk}").content.decode()
    waiting = ask()
    refused = tester.get(f"/backtests/compare/?run={first.pk}&run={waiting.pk}").content.decode()
    assert "only backtests that are done can be compared" in refused
    found = tester.get("/api/v1/backtests/compare", {"runs": f"{first.pk},{second.pk}"}).json()
    assert list(found["parameters"]) == ["stop_atr"]
    assert tester.get("/api/v1/backtests/compare", {"runs": "1,x"}).json()["field"] == "runs"
    assert tester.get("/api/v1/backtests/compare", {"runs": "998,999"}).status_code == 422


def test_what_a_run_found_is_exported(tester: Client) -> None:
    run = done()
    assert run.result is not None

    csv = tester.get(f"/backtests/{run.pk}/?format=csv")
    whole = json.loads(tester.get(f"/backtests/{run.pk}/?format=json").content)

    assert csv.headers["Content-Disposition"] == f'attachment; filename="run-{run.pk}.csv"'
    assert len(csv.content.decode().strip().splitlines()) == 1 + len(run.result["trades"])
    assert whole["result"] == run.result
    assert whole["parameters"] == run.parameters
    assert tester.get(f"/api/v1/backtests/{run.pk}?format=csv").content == csv.content


def test_the_api_asks_follows_annotates_and_cancels(tester: Client) -> None:
    kind = "application/json"
    asked = {"symbols": ["SOL/USDT"], "timeframe": "15m", "days": 8, "parameters": {"stop_atr": 2.5}}
    made = tester.post("/api/v1/backtests", asked, content_type=kind)
    pk = made.json()["id"]
    assert (made.status_code, made.json()["status"]) == (202, "queued")
    second = tester.post("/api/v1/backtests", asked, content_type=kind)
    assert (second.status_code, second.json()["field"]) == (422, "run")
    assert tester.post("/api/v1/backtests", {**asked, "days": "x"}, content_type=kind).json()["field"] == "days"

    assert tester.get(f"/api/v1/backtests/{pk}/progress").json()["progress"] == 0
    noted = tester.patch(f"/api/v1/backtests/{pk}", {"note": "for later"}, content_type=kind)
    assert noted.json()["note"] == "for later"
    assert tester.patch(f"/api/v1/backtests/{pk}", {}, content_type=kind).json()["field"] == "note"
    assert tester.post(f"/api/v1/backtests/{pk}/cancel", content_type=kind).json()["status"] == "canceled"
    assert tester.post(f"/api/v1/backtests/{pk}/cancel", content_type=kind).status_code == 409
    (row,) = tester.get("/api/v1/backtests", {"status": "canceled"}).json()["results"]
    assert (row["id"], "result" in row) == (pk, False)
    for path in ("999", "999/progress", "999/cancel"):
        method = tester.post if path.endswith("cancel") else tester.get
        assert method(f"/api/v1/backtests/{path}", content_type=kind).status_code == 404, path


def test_parity_is_asked_for_stored_and_shown(tester: Client) -> None:
    now = timezone.now()
    factories.bot(now)
    factories.closed_trade(now - timedelta(hours=1), exit="68000")
    assert tester.get("/api/v1/parity").json() == {"run": None, "report": None}
    assert "manage.py parity --live" in tester.get("/parity/").content.decode()

    tester.post("/parity/start/", {"days": "7"})
    assert "Waits for a worker" in tester.get("/parity/").content.decode()
    runs.work()

    page = tester.get("/parity/").content.decode()
    report = tester.get("/api/v1/parity").json()["report"]
    assert (report["compared"], report["differences"], report["entries"]) == (1, 1, 1)
    assert report["unexplained"] == 0
    assert report["decisions"][0]["symbol"] == "BTC/USDT"
    assert "Decisions that differ" in page
    assert "68000" not in report["fills"][0]["planned"]
    again = tester.post("/api/v1/parity", {"days": 1}, content_type="application/json")
    assert (again.status_code, again.json()["kind"]) == (202, "parity")


def test_a_month_is_measured_against_the_end_of_the_one_before() -> None:
    daily = [
        ["2025-12-30", 100.0],
        ["2025-12-31", 110.0],
        ["2026-01-15", 90.0],
        ["2026-01-31", 99.0],
        ["2026-02-01", 99.0],
    ]

    found = run_sheet.months(daily)

    assert [year for year, _ in found] == ["2026", "2025"]
    assert [month.text for month in found[0][1][:3]] == [f"▼ {MINUS}10.00%", "0.00%", ""]
    assert (found[1][1][11].text, found[1][1][11].tone) == ("▲ +10.00%", "gain step-4")


def test_the_simulated_market_is_tested_on_without_a_store_and_warm_from_the_first_moment() -> None:
    run = done(days="3")

    assert run.result is not None
    first = min(trade["signal_bar"] for trade in run.result["trades"])
    assert run.result["bars"]["SOL/USDT"] > 3 * 96
    assert first >= "2026-03-06T23"
    assert run.result["metrics"]["daily_equity"][0][0] == "2026-03-06"  # what the account began with


async def test_news_of_a_run_reaches_the_pages_though_no_panel_changed() -> None:
    one, seat, nothing = hub.Hub(), hub.Seat(1), Rendered(panels={}, equity=[])
    seat.is_behind = False
    one._seats.add(seat)

    one._kinds.add("run")
    one._publish(nothing)
    one._publish(nothing)

    frame = json.loads(seat.frames.get_nowait())
    assert (frame["type"], frame["kinds"], "panels" in frame) == ("panels", ["run"], False)
    assert seat.frames.empty()
