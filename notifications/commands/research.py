"""Runs of research: asked for here, computed by the research worker, followed in one message that is edited."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from notifications.models import Role
from notifications.rendering import text
from notifications.services import following
from notifications.services.contacts import Caller
from notifications.services.registry import BadRequest, Proposal, Reply, Request, action, command, whole
from trading import selectors
from trading.core import study_plan
from trading.core.param_spec import ParamsError
from trading.core.params import Params
from trading.core.study_plan import PlanError
from trading.models import UNFINISHED, BacktestRun, RunKind
from trading.services import backtesting
from trading.services.backtesting import RunRefused

GROUP = "Research"
MOST_DAYS = 1100
USUAL_DAYS = {RunKind.BACKTEST: 30, RunKind.SWEEP: 30, RunKind.PARITY: 7}
USUAL_AXES = ("stop_atr=1.5:3:0.5", "target_one_r=1:2:0.5")
NOTE = "by Telegram"


@command("backtest", group=GROUP, usage="[days] [symbol ...]", role=Role.TRADER, help="Test the parameters in force")
def backtest(request: Request) -> Reply:
    return _begun(request, RunKind.BACKTEST, params=_of_symbols(request.args))


@command(
    "optimize",
    group=GROUP,
    usage="[days] [name=from:to:step ...]",
    role=Role.TRADER,
    help="Try values of parameters; nothing is put in force",
)
def optimize(request: Request) -> Reply:
    axes = tuple(word for word in request.args if "=" in word) or USUAL_AXES
    try:
        plan = study_plan.checked(RunKind.SWEEP, {"vary": [word.lower() for word in axes]})
    except PlanError as refusal:
        raise BadRequest(str(refusal)) from None
    return _begun(request, RunKind.SWEEP, params=selectors.params(), plan=plan)


@command(
    "parity",
    group=GROUP,
    usage="[days]",
    role=Role.TRADER,
    help="Compute again what was really decided, and say what differs",
)
def parity(request: Request) -> Reply:
    return _begun(request, RunKind.PARITY, params=selectors.params())


@command("runs", group=GROUP, help="The newest runs and what they found")
def runs(request: Request) -> Reply:
    found = BacktestRun.objects.exclude(kind=RunKind.COMPARISON).defer("parameters", "against").order_by("-pk")[:3]
    lines = []
    for run in found:
        title, told = following.told(run)
        lines += [*text(f"{title}, asked for by {run.requested_by_name}"), *told, *text("")]
    return Reply(title="Runs", lines=lines or text("Nothing was run yet: /backtest does."), is_refreshed=True)


@command("cancel", group=GROUP, usage="[run]", role=Role.TRADER, is_act=True, help="Cancel a run of research")
def cancel(request: Request) -> Proposal:
    known = [
        str(pk) for pk in BacktestRun.objects.filter(status__in=UNFINISHED).order_by("pk").values_list("pk", flat=True)
    ]
    if not known:
        raise BadRequest("nothing waits or runs")
    if (not request.args and len(known) > 1) or (request.args and request.args[0] not in known):
        raise BadRequest(f"name a run: {', '.join(known)}", offers=known)
    pk = int(request.args[0] if request.args else known[0])
    return Proposal(title=f"Cancel run {pk}?", lines=text("What it has found so far is lost."), action="cancel",
                    arguments={"run": pk})  # fmt: skip


@action("cancel", role=Role.TRADER)
def do_cancel(arguments: Mapping[str, Any], caller: Caller, now: datetime) -> str:
    try:
        backtesting.cancel(arguments["run"], by=caller.name, now=now)
    except RunRefused as refusal:
        raise BadRequest(str(refusal)) from None
    return f"Run {arguments['run']} is canceled."


def _begun(request: Request, kind: RunKind, *, params: Params, plan: Mapping[str, Any] | None = None) -> Reply:
    numbers = tuple(word for word in request.args if word.isdecimal())
    days = whole(numbers, default=USUAL_DAYS[kind], most=MOST_DAYS)
    try:
        run = backtesting.queue(
            params=params,
            exchange="",
            start=request.now - timedelta(days=days),
            end=request.now,
            seed=None,
            note=NOTE,
            author=request.caller.contact.user,
            by=request.caller.name,
            now=request.now,
            kind=kind,
            plan=plan,
        )
    except RunRefused as refusal:
        raise BadRequest(str(refusal)) from None
    title, lines = following.told(run)
    return Reply(title=f"{title}, {days} days", lines=lines, follows=run.pk)


def _of_symbols(args: tuple[str, ...]) -> Params:
    """Return the parameters in force, for the symbols that are named where any are."""
    params = selectors.params()
    quote = params.pairs[0].partition("/")[2]
    named = [word.upper() for word in args if not word.isdecimal()]
    if not named:
        return params
    pairs = tuple(name if "/" in name else f"{name}/{quote}" for name in named)
    try:
        return Params.of({**params.as_json(), "pairs": list(dict.fromkeys(pairs))})
    except ParamsError as refusal:
        raise BadRequest(str(refusal)) from None
