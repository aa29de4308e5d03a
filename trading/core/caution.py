"""Which changes of parameters can only make trading more careful; they need no comparison before they are in force."""

from __future__ import annotations

from trading.core.params import SPECS, Params

LOWER = frozenset(
    {
        *("risk_fraction", "risk_floor", "risk_ceiling", "volatile_atr", "volatile_factor"),
        *("losing_streak", "losing_factor", "winning_factor"),
        *("drawdown_reduced", "drawdown_cautious", "drawdown_emergency"),
        *("drawdown_reduced_factor", "drawdown_cautious_factor", "drawdown_emergency_factor"),
        *("kelly_scale", "kelly_min_trades", "kelly_low", "kelly_high", "max_leverage"),
        *("max_open_trades", "max_open_risk", "max_cluster_risk", "cluster_correlation", "daily_loss", "weekly_loss"),
        *("local_max_trades", "local_max_notional_fraction", "cooldown_losses"),
    }
)
"""Parameters whose lower values risk less, or stop earlier."""
HIGHER = frozenset(
    {
        *("winning_streak", "cooldown_minutes", "kelly"),
        *("ai_confidence", "ai_confidence_one_loss", "ai_confidence_two_losses", "ml_filter", "ml_min_probability"),
    }
)
"""Parameters whose higher values do; the Kelly cap and the filter of the model are more careful on than off.

The distance of the stop, the assumed slippage and the window of the Kelly fraction are in neither: which way is safer
depends on the market.
"""


def is_safer(old: Params, new: Params) -> bool:
    """Return whether something changed, and everything that did lowers the risk."""
    changed = [name for name in SPECS if getattr(old, name) != getattr(new, name)]
    return bool(changed) and all(_is_safer(name, old, new) for name in changed)


def _is_safer(name: str, old: Params, new: Params) -> bool:
    before, after = getattr(old, name), getattr(new, name)
    if name.startswith("drawdown_") and not (_falls(old) and _falls(new)):
        return False
    return (name in LOWER and after < before) or (name in HIGHER and after > before)


def _falls(params: Params) -> bool:
    """Return whether a deeper drawdown never has a larger factor: else an earlier limit could mean more risk."""
    return params.drawdown_reduced_factor >= params.drawdown_cautious_factor >= params.drawdown_emergency_factor
