"""The models in memory: loaded once per process, and again when another one is in force."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.utils import timezone

from mlops import features, formats
from mlops.calibration import Calibration
from mlops.files import ModelUnusable
from mlops.models import ModelKind, ModelVersion
from trading import events

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Loaded:
    """A model that can be asked. `trained` is training.Trained or regime_training.Trained."""

    version: ModelVersion
    trained: Any


class Holder:
    """Keeps the one model it was last asked for."""

    def __init__(self) -> None:
        self._held: Loaded | None = None
        self._refused: tuple[tuple[int, str], str] | None = None

    def get(self, version: ModelVersion, *, now: datetime) -> Loaded:
        """Return the model of a version, loaded when it is another than before; raises ModelUnusable.

        A file that cannot be used is said in the journal once, and tried again only when the version is another.
        """
        key = (version.pk, version.sha256)
        if self._held is not None and (self._held.version.pk, self._held.version.sha256) == key:
            return Loaded(version=version, trained=self._held.trained)
        if self._refused is not None and self._refused[0] == key:
            raise ModelUnusable(self._refused[1])
        self._held = None
        try:
            trained = load(version)
        except ModelUnusable as error:
            self._refused = (key, str(error))
            events.emit(
                "model_alert",
                at=now,
                text=f"The model {version} has no opinion: {error}",
                payload={"model": version.pk},
            )
            raise
        self._held = Loaded(version=version, trained=trained)
        return self._held


def load(version: ModelVersion) -> Any:
    """Return the model of a version from its file; raises ModelUnusable."""
    if version.schema_hash != features.schema_hash():
        raise ModelUnusable(f"the model {version} was trained on other features than those of now: train again")
    if version.kind == ModelKind.PREDICTOR:
        calibration = Calibration(**version.calibration)
        return formats.load_predictor(version.path, sha256=version.sha256, calibration=calibration)
    return formats.load_regime(version.path, sha256=version.sha256, made_with=version.settings.get("sklearn", ""))


def fits(trained_on: str, traded_on: str) -> bool:
    """Return whether a model of one venue's candles may speak of another's: real ones may, a simulated one only of itself."""
    return trained_on == traded_on or not any(name.startswith("simulated") for name in (trained_on, traded_on))


def warm(holder: Holder, version: ModelVersion | None) -> None:
    """Load a model before it is asked, so that no tick waits for it; what cannot be used is said when it is asked."""
    if version is None:
        return
    try:
        holder.get(version, now=timezone.now())
    except ModelUnusable as error:
        logger.warning("%s", error)
