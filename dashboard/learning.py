"""What people decide about models, trainings and bypassed advisers, from the pages and from the API alike; each is audited."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction

from mlops import bypass, registry, runs
from mlops.models import ModelKind, ModelVersion, TrainingRun
from trading.services import audit

MAY_DECIDE = "mlops.promote_model"
MAY_LIFT = "mlops.change_bypass"
MAY_TRAIN = "mlops.add_trainingrun"
ACTS = ("promote", "retire")
LONGEST_REASON = 200


class Refused(ValueError):
    """Something that was not done: `field` is what to correct, the text says how."""

    def __init__(self, field: str, cause: str) -> None:
        super().__init__(cause)
        self.field = field


def decide(pk: int, act: object, *, reason: object, by: str, now: datetime) -> ModelVersion:
    """Promote or retire a model; raises Refused."""
    if act not in ACTS:
        raise Refused("act", f"is none of {', '.join(ACTS)}")
    version, why = ModelVersion.objects.filter(pk=pk).first(), _reason(reason)
    if version is None:
        raise Refused("model", f"there is no model {pk}")
    try:
        with transaction.atomic():
            done = (registry.promote if act == "promote" else registry.retire)(version, by=by, reason=why, now=now)
            audit.record(f"model_{act}d", actor=by, at=now, about=f"model {done}", text=why)
    except registry.ModelRefused as refusal:
        raise Refused("model", str(refusal)) from refusal
    return done


def roll_back(kind: object, *, reason: object, by: str, now: datetime) -> ModelVersion:
    """Make the champion before this one the champion again; raises Refused."""
    known, why = _kind(kind), _reason(reason)
    try:
        with transaction.atomic():
            done = registry.roll_back(known, by=by, reason=why, now=now)
            audit.record("model_rolled_back", actor=by, at=now, about=f"model {done}", text=why)
    except registry.ModelRefused as refusal:
        raise Refused("kind", str(refusal)) from refusal
    return done


def train(kind: object, *, by: str, now: datetime) -> TrainingRun:
    """Ask for a training on what is traded; raises Refused."""
    known = _kind(kind)
    try:
        with transaction.atomic():
            run = runs.queue(known, options={}, by=by, now=now)
            audit.record("training_asked", actor=by, at=now, about=f"training {run.pk}", text=f"Asked to train {known}")
    except runs.TrainingRefused as refusal:
        raise Refused("kind", str(refusal)) from refusal
    return run


def lift(source: object, *, reason: object, by: str, now: datetime) -> None:
    """Give an adviser its word back; raises Refused."""
    name, why = str(source), _reason(reason)
    try:
        with transaction.atomic():
            bypass.lift(name, reason=why, by=by, now=now)
            audit.record("bypass_lifted", actor=by, at=now, about=name, text=why)
    except bypass.NotBypassed as refusal:
        raise Refused("source", str(refusal)) from refusal


def _kind(kind: object) -> str:
    if kind not in ModelKind.values:
        raise Refused("kind", f"is none of {', '.join(ModelKind.values)}")
    return str(kind)


def _reason(reason: object) -> str:
    if not isinstance(reason, str) or not reason.strip():
        raise Refused("reason", "is missing: say why, it is kept and shown")
    if len(reason) > LONGEST_REASON:
        raise Refused("reason", f"has more than {LONGEST_REASON} characters: say it shorter")
    return reason.strip()
