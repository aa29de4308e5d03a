"""The reports in a few words, as messages show them: settings.REPORTER names it, for notifications may not import mlops."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mlops import selectors
from mlops.models import ModelVersion
from mlops.selectors import ADVISERS, Models

Part = tuple[str, Sequence[Sequence[str]]]
"""A sentence or a heading, and the rows below it."""

MOST_ROWS = 8
NOTHING = "\N{EN DASH}"
MINUS = "\N{MINUS SIGN}"


class Reporter:
    """Reads what is kept and counts nothing, so it answers at once."""

    def ai_report(self, *, days: int) -> Sequence[Part]:
        """Return how right the AI was, and who earns and who costs, over the shortest kept span that holds `days`."""
        span = min((kept for kept in selectors.SPANS.values() if kept >= days > 0), default=0)
        kept = selectors.scorecard(span)
        over = f"the last {span} days" if span else "everything on record"
        if kept is None or not kept.figures["outcomes"]:
            return [(f"No setup has ended yet over {over}: refused ones are followed, and counted when they end.", [])]
        sources: Mapping[str, Any] = kept.figures["sources"]
        parts: list[Part] = [(f"Over {over}, {kept.figures['outcomes']} setups with an outcome.", [])]
        if (score := sources.get("ai")) is not None:
            parts.append(("The AI:", _score(score)))
        else:
            parts.append(("The AI has no decision with an outcome.", []))
        parts.append(("Who earns, who costs, in R with 95 % interval:", _values(sources)))
        parts += [
            (f"{row.source} counts for nothing: {row.reason}.", [])
            for row in selectors.bypasses()
            if row.ended_at is None
        ]
        return parts

    def ml(self) -> Sequence[Part]:
        """Return which models speak now, and how much they move."""
        return [("", [(_title(each), *_champion(each.champion)) for each in selectors.models()])]

    def ml_report(self) -> Sequence[Part]:
        """Return every newest model, drift, samples, trainings."""
        parts = list(self.ml())
        for each in selectors.models():
            rows = [(f"#{row.number}", row.get_status_display(), _auc(row)) for row in each.versions[:MOST_ROWS]]
            parts.append((f"{_title(each)}:" if rows else f"{_title(each)}: no model was trained yet.", rows))
            if each.drift is not None:
                worst = NOTHING if each.drift.worst is None else f"{each.drift.worst:.3f}"
                alerts = "".join(f" {text}." for text in each.drift.alerts)
                parts.append((f"Largest drift of a feature {worst}.{alerts}", []))
        counts = [(name, f"{count}") for name, count in sorted(selectors.samples().items())]
        parts.append(("Samples:" if counts else "There are no samples yet.", counts))
        runs = [
            (run.kind, f"{run.get_status_display()}{f' {run.progress} %' if run.finished_at is None else ''}")
            for run in selectors.trainings(limit=3)
        ]
        parts.append(
            ("Newest trainings:" if runs else "Nothing was trained yet: /ml tells when there is a model.", runs)
        )
        return parts

    def opinions(self) -> Mapping[str, str]:
        """Return by symbol what the regime model last thought of the market."""
        return {
            symbol: f"{row.confidence:.0%} favourable"
            for symbol, row in selectors.last_opinions().items()
            if row.confidence is not None
        }

    def accuracy(self) -> Mapping[str, float]:
        """Return by model which share of its newest answers was right, where enough of them have been judged."""
        found = {_title(each): each.drift.accuracy for each in selectors.models() if each.drift is not None}
        return {title: share for title, share in found.items() if share is not None}

    def brief(self, *, days: int) -> Sequence[tuple[str, str]]:
        """Return the figures of AI and models that fit below a picture, over the shortest kept span that holds `days`."""
        span = min((kept for kept in selectors.SPANS.values() if kept >= days > 0), default=0)
        kept = selectors.scorecard(span)
        score = kept.figures["sources"].get("ai") if kept is not None else None
        rows = [("AI decisions", "none with an outcome")]
        if score is not None:
            over = f", {span} days" if span else ""
            rows = [(f"AI decisions{over}", f"{score['total']}, precision {_share(score['precision'])}")]
            rows.append(("AI value", f"{_signed(score['value']['r']['actual'])} R"))
        return [*rows, *((_title(each), ", ".join(_champion(each.champion))) for each in selectors.models())]


def _score(score: Mapping[str, Any]) -> list[tuple[str, str]]:
    spread = score["value"]["r"]
    return [
        ("Decisions", f"{score['total']}"),
        ("Approved", _share(score["approval"])),
        ("Approved, won / lost", f"{score['tp']} / {score['fp']}"),
        ("Refused, would have won / lost", f"{score['fn']} / {score['tn']}"),
        ("Precision", _share(score["precision"])),
        ("Recall", _share(score["recall"])),
        ("Brier score", NOTHING if score["brier"] is None else f"{score['brier']:.3f}"),
        ("Value", f"{_signed(spread['actual'])} R"),
        ("Cost", f"{score['cost']:.4f} $"),
    ]


def _values(sources: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """Return those that refused anything, who earns most first; of many, those at both ends."""
    shown = [(name, each["value"]["r"]) for name, each in sources.items() if each["tn"] + each["fn"]]
    shown.sort(key=lambda pair: -pair[1]["actual"])
    if len(shown) > MOST_ROWS:
        shown = [*shown[: MOST_ROWS // 2], *shown[-MOST_ROWS // 2 :]]
    return [
        (
            ADVISERS.get(name, name.replace("_", " ")),
            _signed(spread["actual"]),
            f"{_signed(spread['low'])} to {_signed(spread['high'])}" if spread["low"] is not None else NOTHING,
        )
        for name, spread in shown
    ]


def _title(models: Models) -> str:
    return ADVISERS["predictor" if models.kind == "predictor" else "regime_model"]


def _champion(row: ModelVersion | None) -> tuple[str, str]:
    if row is None:
        return "no model", "no opinion"
    return f"#{row.number}", f"influence {row.influence:.0%}"


def _auc(row: ModelVersion) -> str:
    found = row.metrics.get("auc")
    return f"AUC {found:.3f}" if isinstance(found, float) else NOTHING


def _share(value: float | None) -> str:
    return NOTHING if value is None else f"{value:.0%}"


def _signed(value: float) -> str:
    return f"{value:+.2f}".replace("-", MINUS)
