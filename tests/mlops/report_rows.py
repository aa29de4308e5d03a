"""Rows that fill the reports on AI and ML: decisions with outcomes, models, trainings, drift, a bypass; all made up."""

from __future__ import annotations

from datetime import datetime, timedelta

import numpy as np

from mlops import scorecards
from mlops.features import NAMES
from mlops.models import Bypass, DriftReport, ModelKind, ModelStatus, ModelVersion, Sample, TrainingRun
from tests import factories
from tests.mlops import decided
from trading.models import Signal

REASONS = ("adx 18.2 is weak for a trend", "volume ratio 1.9 speaks for the breakout", "three losses in this regime")
SYMBOLS = ("BTC/USDT", "ETH/USDT", "SOL/USDT", "LINK/USDT", "ARB/USDT")
REGIMES = ("trend", "strong_trend", "ranging", "choppy")
FILTERS = ("volume_ratio", "adx", "confluence", "open_trades", "score")


def decisions(now: datetime, count: int = 70) -> None:
    """Make decisions, an hour apart, the newest one now: the AI is rather good, one filter is rather bad."""
    rng = np.random.default_rng(5)
    for number in range(count):
        at = now - timedelta(hours=count - 1 - number)
        r = round(float(rng.normal(0.1, 1.3)), 2)
        columns = {"symbol": SYMBOLS[number % 5], "regime": REGIMES[number % 4]}
        name = FILTERS[int(rng.integers(5))]
        if rng.random() < 0.45 and (name != "adx" or r > -0.3):
            decided.refused(at, r=r, by=(name,) if rng.random() < 0.7 else (name, "cluster_risk"), **columns)
            continue
        approve = bool(rng.random() < (0.75 if r > 0 else 0.35))
        signal = decided.taken(at, r=r, **columns) if approve else decided.refused(at, r=r, by=("ai",), **columns)
        _advices(signal, approve=approve, r=r, number=number, rng=rng)


def _advices(signal: Signal, *, approve: bool, r: float, number: int, rng: np.random.Generator) -> None:
    decided.advice(
        signal,
        "ai",
        approve=approve,
        confidence=round(float(rng.uniform(0.7, 0.95)), 2),
        reason=REASONS[number % 3],
        cost_usd=0.0004,
        latency_ms=820.0,
        tokens=900,
        model="gemini-3.5-flash-lite" if number % 3 else "rules-1",
        prompt=f"filter-{1 + number % 2} 3f9a1c",
    )
    chance = float(np.clip(0.5 + 0.15 * r + rng.normal(0, 0.1), 0.02, 0.98))
    decided.advice(signal, "predictor", approve=chance > 0.5, confidence=chance, influence=1.0, model="predictor 2")


def version(now: datetime, kind: str, number: int, *, status: str, **columns: object) -> ModelVersion:
    shares = np.linspace(2, 0.1, len(NAMES)) ** 2
    values: dict[str, object] = {
        "reason": "AUC 0.612 beats 0.5 surely, Brier 0.2311 beats the base rate's 0.2402",
        "decided_by_name": "rule",
        "decided_at": now,
        "created_by_name": "operator",
        "created_at": now - timedelta(days=9 - number),
        "promoted_at": now - timedelta(days=9 - number) if status in ("champion", "retired") else None,
        "venue": "simulated",
        "timeframe": "15m",
        "samples": 4_210 if kind == ModelKind.PREDICTOR else 164,
        "data_hash": "0" * 64,
        "schema_hash": "1" * 64,
        "code_version": "test",
        "metrics": {"auc": 0.612, "auc_low": 0.571, "auc_high": 0.649, "brier": 0.2311, "brier_base": 0.2402, "balanced_accuracy": 0.584},
        "importance": dict(zip(NAMES, (shares / shares.sum()).round(4).tolist(), strict=True)),
        "influence": (1.0 if kind == ModelKind.PREDICTOR else 0.128) if status == ModelStatus.CHAMPION else 0.0,
        "influence_reason": "164 samples, 58.4 % right out of sample" if status == ModelStatus.CHAMPION else "",
    }  # fmt: skip
    return ModelVersion.objects.create(kind=kind, number=number, status=status, **{**values, **columns})


def models(now: datetime) -> None:
    refused = "AUC out of sample 0.512 (0.470 to 0.551) does not beat 0.5 by 0.02 and surely"
    version(now, ModelKind.PREDICTOR, 1, status=ModelStatus.RETIRED, reason="predictor 2 took its place: better")
    champion = version(now, ModelKind.PREDICTOR, 2, status=ModelStatus.CHAMPION)
    version(now, ModelKind.PREDICTOR, 3, status=ModelStatus.REFUSED, reason=refused)
    candidate = version(now, ModelKind.PREDICTOR, 4, status=ModelStatus.CANDIDATE)
    version(now, ModelKind.REGIME, 1, status=ModelStatus.CHAMPION)
    moved = {name: round(0.3 / (place + 1), 3) for place, name in enumerate(NAMES)}
    DriftReport.objects.create(
        version=champion, at=now - timedelta(hours=3), asked=212, features=moved, worst=0.3, judged=64, calibration=0.04,
        accuracy=0.55, alerts=[f"{NAMES[0].replace('_', ' ')} has moved far: 0.300"],
    )  # fmt: skip
    common = {"requested_by_name": "operator", "requested_at": now - timedelta(minutes=4)}
    TrainingRun.objects.create(kind="predictor", status="running", progress=62, log=[{"at": "", "text": "4,210 samples, 1,902 won"}], **common)  # fmt: skip
    TrainingRun.objects.create(
        kind="regime", status="failed", error="142 samples are too few: 200 are needed", **common
    )
    TrainingRun.objects.create(kind="predictor", status="done", progress=100, version=candidate, **common)
    for number in range(6):
        Sample.objects.create(
            source="shadow" if number else "live", venue="simulated", mode="paper", weight=0.3, symbol="BTC/USDT",
            timeframe="15m", bar_at=now - timedelta(hours=number), ended_at=now, side="long", features=b"",
            schema_hash="1" * 64, passed=True, won=True, r=1.0, at=now,
        )  # fmt: skip


def bypasses(now: datetime) -> None:
    figures = {"decisions": 100, "stopped": 31, "value": -18.2, "low": -29.1, "high": -4.3}
    reason = "over its last 100 decisions it was worth -18.20 R, with 95 % certainty between -29.10 and -4.30 R"
    Bypass.objects.create(source="regime_model", began_at=now - timedelta(hours=5), reason=reason, figures=figures)
    Bypass.objects.create(
        source="ai", began_at=now - timedelta(days=6), reason=reason, figures=figures, ended_at=now - timedelta(days=5),
        ended_by="operator", ended_reason="the prompt was mended",
    )  # fmt: skip


def fill(now: datetime) -> None:
    """Fill both reports; an account is made where there is none."""
    from trading.models import Bot

    if not Bot.objects.exists():
        factories.bot(now)
    decisions(now)
    models(now)
    bypasses(now)
    scorecards.refresh(now=now)
