"""The models on record: which is the champion, who made it so and why, and which one may challenge it.

Statuses move only here. Whatever of two promotions comes second finds that another one was first.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import Max

from mlops import files, influence
from mlops.models import ModelKind, ModelStatus, ModelVersion
from trading import events

EVENT = "model"
KEEP_FILES = timedelta(days=30)
RULE = "rule"
"""Who decides where no person does."""
SOURCES: dict[str, str] = {ModelKind.PREDICTOR.value: "predictor", ModelKind.REGIME.value: "regime_model"}
"""The names of the advisers."""


class ModelRefused(ValueError):
    """A change of status that cannot be; the message says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Where a model comes from, as it is kept."""

    venue: str
    timeframe: str
    samples: int
    trained_until: datetime | None
    data_hash: str
    schema_hash: str
    code_version: str
    settings: dict[str, Any]
    by: str


def champion(kind: str) -> ModelVersion | None:
    # Asked within a tick, which has no use for what is long.
    short = ModelVersion.objects.defer("profile", "importance")
    return short.filter(kind=kind, status=ModelStatus.CHAMPION).first()


def challenger(kind: str) -> ModelVersion | None:
    """Return the newest candidate, which answers beside the champion without moving anything."""
    found = ModelVersion.objects.filter(kind=kind, status=ModelStatus.CANDIDATE).order_by("-number").first()
    held = champion(kind)
    return found if found is not None and (held is None or found.number > held.number) else None


def record(
    kind: str,
    origin: Origin,
    *,
    status: ModelStatus,
    reason: str,
    now: datetime,
    columns: dict[str, Any] | None = None,
) -> ModelVersion:
    """Write a new version, a candidate or one that was refused, and say so in the journal."""
    if status not in (ModelStatus.CANDIDATE, ModelStatus.REFUSED):
        raise ModelRefused(f"a new model cannot be {status}: it begins as a candidate")
    with transaction.atomic():
        if status == ModelStatus.CANDIDATE:
            waiting = ModelVersion.objects.filter(kind=kind, status=ModelStatus.CANDIDATE)
            waiting.update(
                status=ModelStatus.RETIRED, reason="a newer candidate came", decided_by_name=RULE, decided_at=now
            )
        newest = ModelVersion.objects.filter(kind=kind).aggregate(newest=Max("number"))["newest"] or 0
        made = ModelVersion.objects.create(
            kind=kind,
            number=newest + 1,
            status=status,
            reason=reason,
            decided_by_name=RULE,
            decided_at=now,
            created_by_name=origin.by,
            created_at=now,
            venue=origin.venue,
            timeframe=origin.timeframe,
            samples=origin.samples,
            trained_until=origin.trained_until,
            data_hash=origin.data_hash,
            schema_hash=origin.schema_hash,
            code_version=origin.code_version,
            settings=origin.settings,
            **(columns or {}),
        )
        _tell(made, f"The model {made} is a {status}: {reason}", now)
    return made


def promote(version: ModelVersion, *, by: str, reason: str, now: datetime) -> ModelVersion:
    """Make a candidate, or a model that was retired, the champion of its kind.

    Raises ModelRefused, also where its file is not the one that was trained: then the champion stays.
    """
    if not reason.strip():
        raise ModelRefused("a promotion needs a reason: say why")
    if version.status not in (ModelStatus.CANDIDATE, ModelStatus.RETIRED):
        raise ModelRefused(
            f"the model {version} is {version.get_status_display()}: only a candidate or a retired one can be promoted"
        )
    try:
        files.read(version.path, sha256=version.sha256)
    except files.ModelUnusable as error:
        raise ModelRefused(str(error)) from error
    weight, why = _first_influence(version)
    try:
        with transaction.atomic():
            ModelVersion.objects.filter(kind=version.kind, status=ModelStatus.CHAMPION).update(
                status=ModelStatus.RETIRED,
                reason=f"{version} took its place: {reason}",
                decided_by_name=by,
                decided_at=now,
                influence=0.0,
                influence_reason="",
            )
            _move(
                version, ModelStatus.CHAMPION, by, reason, now, promoted_at=now, influence=weight, influence_reason=why
            )
            _tell(version, f"The model {version} is the champion, by {by}: {reason}", now)
    except IntegrityError:
        raise ModelRefused(f"another {version.kind} was promoted at the same moment: look again") from None
    return version


def retire(version: ModelVersion, *, by: str, reason: str, now: datetime) -> ModelVersion:
    """Take a champion or a candidate out; a kind without a champion has no opinion. Raises ModelRefused."""
    if not reason.strip():
        raise ModelRefused("retiring a model needs a reason: say why")
    if version.status not in (ModelStatus.CHAMPION, ModelStatus.CANDIDATE):
        raise ModelRefused(f"the model {version} is {version.get_status_display()}: it needs no retiring")
    with transaction.atomic():
        _move(version, ModelStatus.RETIRED, by, reason, now, influence=0.0, influence_reason="")
        _tell(version, f"The model {version} was retired by {by}: {reason}", now)
    return version


def roll_back(kind: str, *, by: str, reason: str, now: datetime) -> ModelVersion:
    """Make the champion before this one the champion again; raises ModelRefused where there was none."""
    held = champion(kind)
    before = ModelVersion.objects.filter(kind=kind, status=ModelStatus.RETIRED, promoted_at__isnull=False)
    if held is not None and held.promoted_at is not None:
        before = before.filter(promoted_at__lte=held.promoted_at)
    found = before.order_by("-promoted_at", "-pk").first()
    if found is None:
        raise ModelRefused(f"there is no {kind} model before this one to go back to")
    return promote(found, by=by, reason=reason, now=now)


def set_influence(version: ModelVersion, found: influence.Influence, *, now: datetime) -> None:
    """Keep what the champion has earned; where it has lost what it had, tell people."""
    if version.influence == found.weight and version.influence_reason == found.reason:
        return
    with transaction.atomic():
        changed = ModelVersion.objects.filter(
            pk=version.pk, status=ModelStatus.CHAMPION, influence=version.influence
        ).update(influence=found.weight, influence_reason=found.reason)
        if changed and found.weight == 0.0 < version.influence:
            events.emit(
                "model_alert",
                at=now,
                text=f"The model {version} moves nothing any more: {found.reason}",
                payload={"model": version.pk},
            )
    version.influence, version.influence_reason = found.weight, found.reason


def prune(*, now: datetime) -> None:
    """Remove the files of candidates that never became the champion and were retired long ago; their figures stay."""
    old = ModelVersion.objects.filter(
        status=ModelStatus.RETIRED, promoted_at__isnull=True, decided_at__lt=now - KEEP_FILES
    ).exclude(path="")
    for version in old:
        path = version.path
        ModelVersion.objects.filter(pk=version.pk).update(path="", sha256="")
        # Models that came out alike share a file.
        if not ModelVersion.objects.filter(path=path).exists():
            (files.folder() / path).unlink(missing_ok=True)


def _first_influence(version: ModelVersion) -> tuple[float, str]:
    if version.kind == ModelKind.PREDICTOR:
        return 1.0, "it passed the gate"
    found = influence.earned(samples=version.samples, accuracy=version.metrics.get("balanced_accuracy", 0.0), recent=())
    return found.weight, found.reason


def _move(version: ModelVersion, status: ModelStatus, by: str, reason: str, now: datetime, **columns: Any) -> None:
    values = {"status": status, "reason": reason, "decided_by_name": by, "decided_at": now, **columns}
    moved = ModelVersion.objects.filter(pk=version.pk, status=version.status).update(**values)
    if not moved:
        raise ModelRefused(f"the model {version} has changed meanwhile: look again")
    for name, value in values.items():
        setattr(version, name, value)


def _tell(version: ModelVersion, text: str, now: datetime) -> None:
    events.emit(EVENT, at=now, text=text, payload={"model": version.pk, "kind": version.kind, "status": version.status})
