"""The AI report as its page shows it: how right an adviser was, what each filter was worth, and what became of its answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.urls import reverse

from dashboard import cells, formats, reliability
from dashboard.figures import Figure
from dashboard.formats import NOTHING
from dashboard.plain_table import Head, PlainTable
from dashboard.reliability import Bar, Dot
from dashboard.table import Cell
from mlops import selectors
from mlops.models import Bypass, Scorecard
from mlops.selectors import ADVISERS, Shadows
from trading.models import Advice

Score = Mapping[str, Any]

GROUP_TITLES = {
    "confidence": "By confidence",
    "regime": "By regime",
    "session": "By session, UTC",
    "symbol": "By pair",
    "prompt": "By prompt",
    "model": "By model",
}
FEWEST = 30
"""Decisions below which an interval says little."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Square:
    """One field of the confusion matrix."""

    label: str
    count: int
    share: str
    tone: str
    hint: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    """`score` is None where the adviser has no decision with an outcome in the span."""

    at: datetime | None
    outcomes: int
    is_cut: bool
    is_few: bool
    shadows: Shadows
    figures: Sequence[Figure]
    matrix: Sequence[Square]
    bars: Sequence[Bar]
    quiet: Sequence[str]
    """Sources that refused nothing."""
    dots: Sequence[Dot]
    line: str
    groups: Sequence[PlainTable]
    bypasses: Sequence[Bypass]
    recent: PlainTable


def sheet(
    source: str, kept: Scorecard | None, *, bypasses: Sequence[Bypass], advices: Sequence[Advice], shadows: Shadows
) -> Sheet:
    figures: Mapping[str, Any] = kept.figures if kept else {"outcomes": 0, "is_cut": False, "sources": {}}
    sources: Mapping[str, Score] = figures["sources"]
    score = sources.get(source)
    standing = frozenset(row.source for row in bypasses if row.ended_at is None)
    found = reliability.dots(score["reliability"]) if score else []
    shown = reliability.bars(sources, standing, ADVISERS)
    return Sheet(
        at=kept.at if kept else None,
        outcomes=figures["outcomes"],
        is_cut=figures["is_cut"],
        is_few=bool(score and score["total"] < FEWEST),
        shadows=shadows,
        figures=_figures(score) if score else [],
        matrix=_matrix(score) if score else [],
        bars=shown,
        quiet=sorted(formats.words(name) for name in sources.keys() - {bar.key for bar in shown}),
        dots=found,
        line=reliability.path(found),
        groups=[_group(title, score["groups"][name]) for name, title in GROUP_TITLES.items() if name in score["groups"]]
        if score
        else [],
        bypasses=bypasses,
        recent=_recent(advices),
    )


def _figures(score: Score) -> list[Figure]:
    spread, pnl = score["value"]["r"], score["value"]["pnl"]
    value = formats.multiple(spread["actual"])
    return [
        Figure(
            key="value",
            label="Value of its word",
            value=value.text,
            tone=value.tone,
            note=f"95 %: {reliability.interval(spread)}",
            hint=f"PnL with it less PnL without it: {pnl['actual']:+,.2f} in quote. It alone stopped {score['value']['stopped']} setups.",
        ),
        Figure(
            key="approval",
            label="Approved",
            value=reliability.share(score["approval"]),
            note=f"{score['tp'] + score['fp']} of {score['total']} decisions",
        ),
        Figure(
            key="precision",
            label="Precision",
            value=reliability.share(score["precision"]),
            note=f"recall {reliability.share(score['recall'])}, F1 {_number(score['f1'])}",
            hint="Of what it approved, how much won; recall: of what won, how much it approved.",
        ),
        Figure(
            key="accuracy",
            label="Accuracy",
            value=reliability.share(score["accuracy"]),
            note=f"{score['tp'] + score['tn']} right, {score['fp'] + score['fn']} wrong",
        ),
        Figure(
            key="brier",
            label="Brier score",
            value=_number(score["brier"], places=3),
            note="0.250 is a coin's, less is better",
            hint="Mean squared error of the probabilities that it named.",
        ),
        Figure(
            key="cost",
            label="Cost",
            value=f"{score['cost']:,.2f} $",
            note=f"{score['cost_each'] or 0:.4f} $ a decision",
        ),
    ]


def _matrix(score: Score) -> list[Square]:
    total = max(1, score["total"])
    return [
        Square(label=label, count=score[name], share=f"{score[name] / total:.0%}", tone=tone, hint=hint)
        for name, label, tone, hint in (
            ("tp", "✓ Approved, won", "gain", "True positive"),
            ("fp", "✕ Approved, lost", "loss", "False positive"),
            ("fn", "✕ Refused, would have won", "loss", "False negative"),
            ("tn", "✓ Refused, would have lost", "gain", "True negative"),
        )
    ]


def _group(title: str, groups: Sequence[Mapping[str, Any]]) -> PlainTable:
    return PlainTable(
        title=title,
        heads=(
            Head(label=_sentence(title.removeprefix("By ")), css="pair"),
            Head(label="Decided", css="num"),
            Head(label="Approved", css="num minor"),
            Head(label="Precision", css="num", hint="Of what it approved, how much won"),
            Head(label="Accuracy", css="num minor"),
            Head(label="Brier", css="num minor"),
            Head(label="Value", css="num", hint="PnL with it less PnL without it, in R"),
        ),
        rows=[
            (
                Cell(text=formats.words(each["name"])),
                Cell(text=str(each["total"])),
                Cell(text=reliability.share(each["approval"])),
                Cell(text=reliability.share(each["precision"])),
                Cell(text=reliability.share(each["accuracy"])),
                Cell(text=_number(each["brier"], places=3)),
                Cell.signed(formats.multiple(each["value_r"])),
            )
            for each in groups
        ],
        empty="No decision of this kind has ended yet.",
    )


def _sentence(words: str) -> str:
    return words[:1].upper() + words[1:]


def _recent(advices: Sequence[Advice]) -> PlainTable:
    return PlainTable(
        title="Its newest answers",
        heads=(
            Head(label="Pair", css="pair"),
            Head(label="Side"),
            Head(label="Said"),
            Head(label="Confidence", css="num"),
            Head(label="What became of it", css="wide"),
            Head(label="Why", css="wrap wide"),
            Head(label="Model", css="minor"),
            Head(label="Took", css="num minor"),
            Head(label="Asked", css="num"),
        ),
        rows=[_answer(row) for row in advices],
        empty="Each answer will stand here with what became of the setup. It is asked once a setup has passed every filter.",
    )


def _answer(row: Advice) -> tuple[Cell, ...]:
    became = selectors.became(row.signal)
    said, tone = {True: ("✓ approved", "gain"), False: ("✕ refused", "loss"), None: ("○ no opinion", "faint")}[
        row.approve
    ]
    return (
        Cell(text=row.signal.symbol, href=reverse("decision", args=[row.signal_id])),
        cells.side(row.signal.side),
        Cell(text=said, tone=tone, tag="late" if row.is_late else ""),
        Cell(text=reliability.share(row.confidence)),
        outcome(became),
        Cell(text=row.reason),
        Cell(text=row.model or NOTHING),
        Cell(text=f"{row.latency_ms:,.0f} ms"),
        cells.moment(row.at),
    )


def outcome(became: selectors.Became | None) -> Cell:
    """Return what became of a setup: with an arrow where it ended, in words where it did not."""
    if became is None:
        return cells.NONE
    if became.won is None:
        return Cell(text=became.text, tone="faint")
    return Cell(text=f"{'▲' if became.won else '▼'} {became.text}", tone="gain" if became.won else "loss")


def _number(value: float | None, *, places: int = 2) -> str:
    return f"{value:.{places}f}" if value is not None else NOTHING
