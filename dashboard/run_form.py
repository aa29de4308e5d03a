"""Asking for a run of research, from the page and from the API alike: which candles, which parameters, which study."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from django.contrib.auth.models import AbstractBaseUser, User

from trading import selectors
from trading.core import study_plan, timeframes
from trading.core.param_spec import ParamsError
from trading.core.params import SPECS, Params
from trading.core.study_plan import PlanError
from trading.models import BacktestRun, ParameterDraft, ParameterRevision, RunKind
from trading.services import backtesting
from trading.services.backtesting import RunRefused

PERMISSION = "trading.add_backtestrun"
MOST_DAYS, MOST_SYMBOLS = 1100, 40
USUAL_DAYS = 30
ASKABLE = (RunKind.BACKTEST, RunKind.SWEEP, RunKind.WALK, RunKind.MONTECARLO, RunKind.PARITY)
ACTIVE = "active"


class Refused(Exception):
    """A run that was not asked for: `field` is what to correct, the text says how."""

    def __init__(self, field: str, cause: str) -> None:
        super().__init__(cause)
        self.field = field


def ask(asked: Mapping[str, Any], *, user: AbstractBaseUser, now: datetime) -> BacktestRun:
    """Ask for the run that `asked` describes, and return its row; raises Refused.

    `kind`; `source`: active, draft:ID or revision:NUMBER; `parameters`: changes to it, an object or lines of name = value;
    `symbols`, `timeframe`: those of the source where they are empty; `days`: up to now; `note`, `seed`; `top` of a
    backtest: trade only so many, those that the scans of the time ranked best; and what the study wants.
    """
    kind = _kind(asked.get("kind"))
    days = _whole("days", asked.get("days"), default=USUAL_DAYS, low=1, high=MOST_DAYS)
    note = str(asked.get("note") or "").strip()
    if len(note) > backtesting.LONGEST_NOTE:
        raise Refused("note", f"has {len(note)} characters: at most {backtesting.LONGEST_NOTE} are kept")
    seed = asked.get("seed")
    try:
        return backtesting.queue(
            params=_params(asked),
            exchange="",
            start=now - timedelta(days=days),
            end=now,
            seed=_whole("seed", seed, default=0, low=0, high=2**31 - 1) if seed not in (None, "") else None,
            note=note,
            author=user if isinstance(user, User) else None,
            by=user.get_username(),
            now=now,
            kind=kind,
            plan=_plan(kind, asked),
        )
    except PlanError as refusal:
        raise Refused(refusal.field, str(refusal)) from refusal
    except RunRefused as refusal:
        raise Refused("run", str(refusal)) from refusal


def _plan(kind: RunKind, asked: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return what a study looks for, or how many of the scans' best pairs a backtest trades; None: all of them."""
    if kind in study_plan.KINDS:
        return study_plan.checked(kind, asked)
    if kind != RunKind.BACKTEST or asked.get("top") in (None, ""):
        return None
    return {"top": _whole("top", asked.get("top"), default=1, low=1, high=MOST_SYMBOLS)}


def sources() -> list[tuple[str, str]]:
    """Return the parameters that a run may begin from: those in force, drafts that are not settled, earlier revisions."""
    drafts = ParameterDraft.objects.filter(revision__isnull=True).order_by("-pk")[:10]
    revisions = ParameterRevision.objects.order_by("-number").values_list("number", "reason")[:20]
    return [
        (ACTIVE, "in force"),
        *((f"draft:{draft.pk}", f"draft {draft.pk}: {draft.reason[:60]}") for draft in drafts),
        *((f"revision:{number}", f"revision {number}: {reason[:60]}") for number, reason in revisions),
    ]


def _kind(value: Any) -> RunKind:
    if value in (None, ""):
        return RunKind.BACKTEST
    if value not in ASKABLE:
        raise Refused("kind", f"{str(value)[:20]!r} is none of {', '.join(ASKABLE)}")
    return RunKind(str(value))


def _params(asked: Mapping[str, Any]) -> Params:
    values = {**_source(str(asked.get("source") or ACTIVE)), **_changes(asked.get("parameters"))}
    if symbols := _words(asked.get("symbols")):
        if len(symbols) > MOST_SYMBOLS:
            raise Refused("symbols", f"has {len(symbols)} symbols: at most {MOST_SYMBOLS} fit into a run")
        values["pairs"] = symbols
    if timeframe := str(asked.get("timeframe") or ""):
        if timeframe not in timeframes.MILLISECONDS:
            raise Refused("timeframe", f"{timeframe[:10]!r} is none of {', '.join(timeframes.MILLISECONDS)}")
        values["timeframe"] = timeframe
    try:
        return Params.of(values)
    except ParamsError as error:
        name, problem = next(iter(error.problems.items()))
        raise Refused("symbols" if name == "pairs" else "parameters", f"{name}: {problem}") from error


def _source(name: str) -> dict[str, Any]:
    kind, _, number = name.partition(":")
    if name == ACTIVE:
        return selectors.params().as_json()
    values = None
    if number.isascii() and number.isdecimal() and len(number) <= 9:
        if kind == "draft":
            values = ParameterDraft.objects.filter(pk=int(number)).values_list("values", flat=True).first()
        elif kind == "revision":
            values = ParameterRevision.objects.filter(number=int(number)).values_list("values", flat=True).first()
    if values is None:
        raise Refused("source", f"{name[:40]!r} is none of active, draft:ID, revision:NUMBER")
    return {known: value for known, value in values.items() if known in SPECS}


def _changes(asked: Any) -> dict[str, Any]:
    """Return what differs from the source, as typed values."""
    if asked in (None, ""):
        return {}
    if isinstance(asked, Mapping):
        pairs = {str(name): value for name, value in asked.items()}
    else:
        lines = [line for line in str(asked).splitlines() if line.strip()]
        pairs = {name.strip(): value.strip() for name, _, value in (line.partition("=") for line in lines)}
    for name in pairs:
        if name not in SPECS or name in ("pairs", "timeframe"):
            raise Refused("parameters", f"{name[:40]!r} is no parameter that can be changed here: write name = value")
    return {name: _typed(name, value) for name, value in pairs.items()}


def _typed(name: str, value: Any) -> Any:
    """Return a value of the parameter's kind where text says it; what cannot be read is refused by the parameter itself."""
    if not isinstance(value, str):
        return value
    kind = SPECS[name].kind
    if kind is bool:
        return {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}.get(
            value.lower(), value
        )
    if kind in (int, float):
        try:
            return kind(value)
        except ValueError:
            return value
    return value.replace(",", " ").split() if kind is tuple else value


def _words(asked: Any) -> list[str]:
    if isinstance(asked, list | tuple):
        return [str(each) for each in asked]
    return str(asked or "").upper().replace(",", " ").split()


def _whole(field: str, value: Any, *, default: int, low: int, high: int) -> int:
    if value in (None, ""):
        return default
    text = str(value)
    if not (text.isascii() and text.isdecimal() and len(text) <= 10 and low <= int(text) <= high):
        raise Refused(field, f"{text[:20]!r} is no whole number from {low} to {high}")
    return int(text)
