"""From models to bytes and back: XGBoost's own binary JSON and skops with one trusted type; the libraries load when asked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlops import files
from mlops.files import ModelUnusable

if TYPE_CHECKING:
    from mlops import regime_training, training
    from mlops.calibration import Calibration

TRUSTED = ("sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",)
"""The one type, beside those that skops knows, of which a classifier's file may hold objects."""


def predictor_bytes(trained: training.Trained) -> bytes:
    return bytes(trained.booster.save_raw(raw_format="ubj"))


def load_predictor(name: str, *, sha256: str, calibration: Calibration) -> training.Trained:
    """Return the predictor of a file; raises ModelUnusable."""
    content = files.read(name, sha256=sha256)
    from mlops import training
    from mlops.boosting import xgboost

    booster = xgboost.Booster({"nthread": 1})
    try:
        booster.load_model(bytearray(content))
    except (xgboost.core.XGBoostError, ValueError) as error:
        raise ModelUnusable(
            f"the model file {name} cannot be read by XGBoost {xgboost.__version__}: train again"
        ) from error
    return training.Trained(booster=booster, calibration=calibration)


def regime_bytes(trained: regime_training.Trained) -> bytes:
    import skops.io

    return bytes(skops.io.dumps(trained.classifier))


def load_regime(name: str, *, sha256: str, made_with: str) -> regime_training.Trained:
    """Return the classifier of a file that scikit-learn `made_with` wrote; raises ModelUnusable."""
    content = files.read(name, sha256=sha256)
    from mlops import regime_training

    if made_with != regime_training.LIBRARY:
        raise ModelUnusable(
            f"the model file {name} was made with scikit-learn {made_with}, and this is {regime_training.LIBRARY}: train again"
        )
    # Only now: it would load scikit-learn with everything.
    import skops.io
    from skops.io.exceptions import UntrustedTypesFoundException

    try:
        classifier = skops.io.loads(content, trusted=list(TRUSTED))
    except (UntrustedTypesFoundException, ValueError, KeyError, TypeError, OSError) as error:
        raise ModelUnusable(f"the model file {name} holds what may not be loaded: train again") from error
    return regime_training.Trained(classifier=classifier)
