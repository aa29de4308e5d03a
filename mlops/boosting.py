"""XGBoost for arrays alone: with pandas and scikit-learn, which it loads where they are installed, it takes 130 MB more."""

from __future__ import annotations

from trading.core.alone import without

with without("pandas", "sklearn", "pyarrow", "polars", "cupy", "matplotlib", "graphviz"):
    import xgboost

__all__ = ["device", "xgboost"]


def device() -> str:
    """Return where trees are grown: on a graphics card where this XGBoost was made for one and finds it."""
    if not xgboost.build_info().get("USE_CUDA"):
        return "cpu"
    try:
        probe = xgboost.DMatrix([[0.0], [1.0]], label=[0.0, 1.0])
        xgboost.train({"device": "cuda", "tree_method": "hist", "verbosity": 0}, probe, num_boost_round=1)
    except xgboost.core.XGBoostError:  # there is none, or its driver is too old
        return "cpu"
    return "cuda"
