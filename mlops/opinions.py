"""Every filter's, guard's and adviser's decisions with what became of them, read from rows into arrays."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from mlops import scorecard
from mlops.models import ShadowOutcome, ShadowState
from mlops.scorecard import Decisions, Labels
from trading.core import timeframes
from trading.core.advising import AI, PREDICTOR, REGIME
from trading.core.params import Params
from trading.models import Advice, SignalVerdict, Trade, TradeStatus
from trading.research.inputs import VERDICTS

MOST = 5_000
"""So many of the newest outcomes are counted."""
ADVISERS = (AI, PREDICTOR, REGIME)
_GUARDS = frozenset(VERDICTS[VERDICTS.index("trading_state") :])
_COLUMNS = ("decided_at", "symbol", "regime", "timeframe", "bar_at")


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of a setup, traded or followed: R and quote after costs."""

    signal: int
    decided_at: datetime
    symbol: str
    regime: str
    hour: int
    """Of the bar's close, UTC."""
    won: bool
    r: float
    pnl: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Source:
    """One source: `kind` is adviser, filter or guard, `at` when each decision was made, in ms since 1970."""

    name: str
    kind: str
    decisions: Decisions
    at: NDArray[np.int64]

    def since(self, moment: datetime) -> Source:
        """Return the decisions from a moment on."""
        left = len(self.at) - int(np.searchsorted(self.at, timeframes.to_ms(moment)))
        return Source(
            name=self.name, kind=self.kind, decisions=self.decisions.tail(left), at=self.at[len(self.at) - left :]
        )


@dataclass(slots=True)
class _Row:
    """One decision of one source while it is collected."""

    outcome: Outcome
    approved: bool
    alone: bool
    probability: float = float("nan")
    cost: float = 0.0
    confidence: str = ""
    model: str = ""
    prompt: str = ""


def outcomes(*, most: int = MOST) -> list[Outcome]:
    """Return the newest outcomes, oldest first."""
    found = [*_shadows(most), *_trades(most)]
    found.sort(key=lambda each: (each.decided_at, each.signal))
    return found[-most:]


def sources(known: Sequence[Outcome], *, params: Params) -> dict[str, Source]:
    """Return every source's decisions about these outcomes; `params` say which hours are busy."""
    if not known:
        return {}
    by_signal = {each.signal: each for each in known}
    asked = _verdicts(known[0].decided_at, by_signal)
    refusing = {pk: {name for name, passed in answers.items() if not passed} for pk, answers in asked.items()}
    rows: dict[str, list[_Row]] = {}
    for each in known:
        for name, passed in asked.get(each.signal, {}).items():
            if name not in ADVISERS:
                rows.setdefault(name, []).append(
                    _Row(outcome=each, approved=passed, alone=not refusing[each.signal] - {name})
                )
    for name, collected in _advices(known[0].decided_at, by_signal, refusing).items():
        rows[name] = collected
    return {name: _source(name, collected, params) for name, collected in rows.items()}


def _shadows(most: int) -> Iterator[Outcome]:
    closed = ShadowOutcome.objects.filter(state=ShadowState.CLOSED).order_by("-signal__decided_at")
    columns = [f"signal__{name}" for name in _COLUMNS]
    for pk, won, r, pnl, *rest in closed.values_list("signal_id", "won", "r", "pnl", *columns)[:most]:
        yield _outcome(pk, rest, won=won, r=r, pnl=float(pnl))


def _trades(most: int) -> Iterator[Outcome]:
    closed = Trade.objects.filter(status=TradeStatus.CLOSED, quantity__gt=0).order_by("-signal__decided_at")
    columns = [f"signal__{name}" for name in _COLUMNS]
    money = ("gross_pnl", "fees", "entry_price", "first_stop", "quantity")
    for pk, gross, fees, entry, stop, quantity, *rest in closed.values_list("signal_id", *money, *columns)[:most]:
        risked = abs(float(entry) - stop) * float(quantity)
        if risked > 0:
            pnl = float(gross - fees)
            yield _outcome(pk, rest, won=pnl > 0, r=pnl / risked, pnl=pnl)


def _outcome(pk: int, columns: Sequence[object], *, won: bool, r: float, pnl: float) -> Outcome:
    decided_at, symbol, regime, timeframe, bar_at = columns
    assert isinstance(decided_at, datetime)
    assert isinstance(bar_at, datetime)
    closed_at = bar_at + timeframes.length(str(timeframe))
    return Outcome(
        signal=pk,
        decided_at=decided_at,
        symbol=str(symbol),
        regime=str(regime),
        hour=closed_at.hour,
        won=won,
        r=r,
        pnl=pnl,
    )


def _verdicts(since: datetime, known: Mapping[int, Outcome]) -> dict[int, dict[str, bool]]:
    """Return what each filter and guard answered to each signal."""
    rows = SignalVerdict.objects.filter(signal__decided_at__gte=since)
    found: dict[int, dict[str, bool]] = {}
    for pk, name, passed in rows.values_list("signal_id", "name", "passed").iterator(chunk_size=5_000):
        if pk in known:
            found.setdefault(pk, {})[name] = passed
    return found


def _advices(since: datetime, known: Mapping[int, Outcome], refusing: Mapping[int, set[str]]) -> dict[str, list[_Row]]:
    """Return what advisers thought, oldest first: an approval that was not sure enough is a refusal."""
    rows = Advice.objects.filter(signal__decided_at__gte=since, approve__isnull=False, is_late=False)
    columns = ("signal_id", "source", "approve", "confidence", "cost_usd", "model", "prompt")
    found: dict[str, list[_Row]] = {}
    for pk, source, approve, confidence, cost, model, prompt in rows.values_list(*columns).iterator():
        if pk not in known:
            continue
        refused = refusing.get(pk, set())
        said = float("nan") if confidence is None else confidence
        found.setdefault(source, []).append(
            _Row(
                outcome=known[pk],
                approved=approve and source not in refused,
                alone=not refused - {source},
                # The AI's confidence is of its answer, a model's is of the win itself.
                probability=said if source != AI or approve else 1.0 - said,
                cost=cost,
                confidence=scorecard.bucket(said),
                model=model or "unnamed",
                prompt=prompt or "none",
            )
        )
    for collected in found.values():
        collected.sort(key=lambda row: (row.outcome.decided_at, row.outcome.signal))
    return found


def _source(name: str, rows: Sequence[_Row], params: Params) -> Source:
    kind = "adviser" if rows[0].confidence else "guard" if name in _GUARDS else "filter"
    labels: dict[str, Iterable[str]] = {
        "symbol": (row.outcome.symbol for row in rows),
        "regime": (row.outcome.regime for row in rows),
        "session": (_session(row.outcome.hour, params) for row in rows),
    }
    if kind == "adviser":
        labels |= {
            "confidence": (row.confidence for row in rows),
            "model": (row.model for row in rows),
            "prompt": (row.prompt for row in rows),
        }
    return Source(
        name=name,
        kind=kind,
        decisions=Decisions(
            approved=np.array([row.approved for row in rows], dtype=np.bool_),
            won=np.array([row.outcome.won for row in rows], dtype=np.bool_),
            r=np.array([row.outcome.r for row in rows], dtype=np.float64),
            pnl=np.array([row.outcome.pnl for row in rows], dtype=np.float64),
            alone=np.array([row.alone for row in rows], dtype=np.bool_),
            probability=np.array([row.probability for row in rows], dtype=np.float64),
            cost=np.array([row.cost for row in rows], dtype=np.float64),
            labels={label: _labels(values) for label, values in labels.items()},
        ),
        at=np.array([timeframes.to_ms(row.outcome.decided_at) for row in rows], dtype=np.int64),
    )


def _labels(values: Iterable[str]) -> Labels:
    return scorecard.labels_of(list(values))


def _session(hour: int, params: Params) -> str:
    """Return which busy session an hour is in, as the volume filter has them."""
    if params.session_one_start <= hour < params.session_one_end:
        return "busy, first"
    return "busy, second" if params.session_two_start <= hour < params.session_two_end else "quiet"
