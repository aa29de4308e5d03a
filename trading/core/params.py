"""Every tunable of Julaba, once: default, unit, range, help, group and whether it bears on risk.

The mechanism (ranges, unknown names, cross checks) lives in param_spec; this file is the list that
the admin form, the API, the documentation and the engine all read.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from trading.core import param_spec
from trading.core.param_spec import choice, names, number, switch, symbols, whole
from trading.core.timeframes import MILLISECONDS
from trading.core.types import Regime

DEFAULT_PAIRS = tuple(
    f"{base}/USDT"
    for base in ["BTC", "ETH", "SOL", "LINK", "AVAX", "ARB", "SUI", "APT", "OP", "NEAR", "INJ", "TIA", "SEI", "WLD"]
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Params:
    """One consistent set of parameters; build with `Params.of`, which checks what it is given."""

    # What is watched
    timeframe: str = choice("15m", tuple(MILLISECONDS), "Watch", "Length of the bars that are judged.")
    pairs: tuple[str, ...] = symbols(DEFAULT_PAIRS, "Watch", "Symbols that are watched and scanned.")

    # Which of them are traded
    watch: str = choice("fixed", ("fixed", "scan"), "Scan", "Trade all listed pairs, or the best of the scan.")
    watch_count: int = whole(5, 1, 50, "pairs", "Scan", "How many of the scan are traded.")
    scan_universe: str = choice("pairs", ("pairs", "venue"), "Scan", "Scan the listed pairs, or all of the venue.")
    scan_most: int = whole(300, 1, 2000, "pairs", "Scan", "Most pairs of the venue that are scanned.")
    pair_filters: tuple[str, ...] = names(
        ("blacklist", "age", "volume", "volatility", "correlation"),
        ("blacklist", "age", "volume", "spread", "volatility", "correlation"),
        "Scan",
        "What a scanned pair must pass, in this order.",
    )
    pair_min_bars: int = whole(400, 10, 1000, "bars", "Scan", "A pair with fewer bars is too young.")
    pair_min_volume: float = number(1e6, 0, 1e9, "quote", "Scan", "Least volume of a pair in 24 hours.")
    pair_max_spread: float = number(0.002, 0.0, 0.1, "of price", "Scan", "Most that bid and ask may lie apart.")
    pair_min_volatility: float = number(0.0005, 0.0, 1.0, "of price", "Scan", "Least ATR of a pair.")
    pair_max_volatility: float = number(0.05, 0.0001, 1.0, "of price", "Scan", "Most ATR of a pair.")
    pair_max_correlation: float = number(
        0.97, 0.0, 1.0, "of 1", "Scan", "Most correlation of returns with a pair that ranks better."
    )
    switch_gap: float = number(10, 0, 100, "points", "Scan", "So much better a pair must be to replace another.")
    switch_scans: int = whole(3, 1, 20, "scans", "Scan", "In so many scans in a row.")
    switch_hold_minutes: int = whole(240, 0, 10_080, "minutes", "Scan", "A pair stays on the watch list so long.")
    switch_cooldown_minutes: int = whole(720, 0, 10_080, "minutes", "Scan", "Pause after each switch.")

    # Indicators
    fast_sma: int = whole(15, 2, 200, "bars", "Indicators", "Short moving average of the trend entry.")
    slow_sma: int = whole(40, 3, 400, "bars", "Indicators", "Long moving average of the trend entry.")
    rsi_period: int = whole(14, 2, 100, "bars", "Indicators", "Wilder's relative strength index.")
    atr_period: int = whole(14, 2, 100, "bars", "Indicators", "Wilder's average true range.")
    adx_period: int = whole(14, 2, 100, "bars", "Indicators", "Wilder's average directional index.")
    bollinger_period: int = whole(20, 5, 200, "bars", "Indicators", "Middle of the Bollinger bands.")
    bollinger_sigma: float = number(2.0, 0.5, 5.0, "deviations", "Indicators", "Width of the Bollinger bands.")
    macd_fast: int = whole(12, 2, 100, "bars", "Indicators", "Fast average of MACD.")
    macd_slow: int = whole(26, 3, 200, "bars", "Indicators", "Slow average of MACD.")
    macd_signal: int = whole(9, 2, 100, "bars", "Indicators", "Signal line of MACD.")
    volume_period: int = whole(20, 5, 200, "bars", "Indicators", "Volume is compared with its mean over these bars.")
    hurst_window: int = whole(200, 100, 1000, "bars", "Indicators", "Bars over which the Hurst exponent is estimated.")

    # Entries
    trend_entries: bool = switch(True, "Entries", "Enter when the short average crosses the long one.")
    trend_rsi_long_max: float = number(75, 50, 100, "RSI", "Entries", "No long trend entry above this RSI.")
    trend_rsi_short_min: float = number(25, 0, 50, "RSI", "Entries", "No short trend entry below this RSI.")
    reversion_entries: bool = switch(True, "Entries", "Enter against the Bollinger bands in a ranging market.")
    reversion_rsi_long_max: float = number(30, 1, 50, "RSI", "Entries", "A long reversion entry needs a lower RSI.")
    reversion_rsi_short_min: float = number(70, 50, 99, "RSI", "Entries", "A short reversion entry needs a higher RSI.")

    # Regime
    adx_strong: float = number(30, 0, 100, "ADX", "Regime", "Strong trend from this ADX (and Hurst) on.")
    adx_trend: float = number(25, 0, 100, "ADX", "Regime", "Trend from this ADX on.")
    adx_weak: float = number(20, 0, 100, "ADX", "Regime", "Weak trend from this ADX on; ranging below.")
    hurst_strong: float = number(0.55, 0.3, 1.0, "Hurst", "Regime", "Strong trend from this Hurst exponent on.")
    hurst_choppy: float = number(0.40, 0.0, 0.6, "Hurst", "Regime", "Choppy below this Hurst exponent.")
    volatility_short: int = whole(20, 5, 200, "bars", "Regime", "Volatility now: deviation of so many returns.")
    volatility_long: int = whole(100, 20, 1000, "bars", "Regime", "Usual volatility: deviation of so many returns.")

    # Filters
    score_min_strong_trend: float = number(35, 0, 100, "points", "Filters", "Lowest technical score, strong trend.")
    score_min_trend: float = number(40, 0, 100, "points", "Filters", "Lowest technical score, trend.")
    score_min_weak_trend: float = number(30, 0, 100, "points", "Filters", "Lowest technical score, weak trend.")
    score_min_ranging: float = number(55, 0, 100, "points", "Filters", "Lowest technical score, ranging.")
    score_min_choppy: float = number(80, 0, 100, "points", "Filters", "Lowest technical score, choppy.")
    score_min_unknown: float = number(50, 0, 100, "points", "Filters", "Lowest technical score, regime unknown.")
    adx_min_strong_trend: float = number(25, 0, 100, "ADX", "Filters", "Lowest ADX, strong trend.")
    adx_min_trend: float = number(25, 0, 100, "ADX", "Filters", "Lowest ADX, trend.")
    adx_min_weak_trend: float = number(20, 0, 100, "ADX", "Filters", "Lowest ADX, weak trend.")
    adx_min_ranging: float = number(0, 0, 100, "ADX", "Filters", "Lowest ADX, ranging.")
    adx_min_choppy: float = number(40, 0, 100, "ADX", "Filters", "Lowest ADX, choppy.")
    adx_min_unknown: float = number(25, 0, 100, "ADX", "Filters", "Lowest ADX, regime unknown.")
    adx_danger: bool = switch(False, "Filters", "Refuse entries while ADX lies inside the danger zone.")
    adx_danger_low: float = number(30, 0, 100, "ADX", "Filters", "Lower bound of the danger zone.")
    adx_danger_high: float = number(40, 0, 100, "ADX", "Filters", "Upper bound of the danger zone.")
    volume_min: float = number(0.9, 0, 10, "ratio", "Filters", "Lowest volume against its mean.")
    volume_quiet_factor: float = number(1.5, 1, 10, "times", "Filters", "More volume asked outside busy sessions.")
    session_one_start: int = whole(0, 0, 24, "hour UTC", "Filters", "First busy session, start.")
    session_one_end: int = whole(8, 0, 24, "hour UTC", "Filters", "First busy session, end.")
    session_two_start: int = whole(13, 0, 24, "hour UTC", "Filters", "Second busy session, start.")
    session_two_end: int = whole(20, 0, 24, "hour UTC", "Filters", "Second busy session, end.")
    confluence_min: int = whole(2, 0, 3, "of 3", "Filters", "How many of RSI, ADX and volume must agree.")
    confluence_rsi_long: float = number(65, 0, 100, "RSI", "Filters", "RSI agrees with a long below this.")
    confluence_rsi_short: float = number(35, 0, 100, "RSI", "Filters", "RSI agrees with a short above this.")
    confluence_adx: float = number(25, 0, 100, "ADX", "Filters", "ADX agrees from here on (ranging: below).")
    confluence_volume: float = number(1.0, 0, 10, "ratio", "Filters", "Volume agrees from this ratio on.")
    cost_multiple: float = number(1.5, 0, 20, "times", "Filters", "First target must be worth so many round trips.")
    correlation_bars: int = whole(96, 20, 1000, "bars", "Filters", "Correlations are of the returns of so many bars.")
    timeframes_filter: bool = switch(False, "Filters", "Refuse what two longer timeframes contradict.")
    timeframes_min: float = number(45, 0, 100, "points", "Filters", "Least agreement of all timeframes.")
    bitcoin_filter: bool = switch(False, "Filters", "Refuse entries against BTC, at its extremes and after its crash.")
    bitcoin_correlation: float = number(
        0.7, 0.0, 1.0, "of 1", "Filters", "A pair that follows BTC more than this must go its way."
    )
    bitcoin_rsi_high: float = number(80, 50, 100, "RSI", "Filters", "No long while the RSI of BTC is above this.")
    bitcoin_rsi_low: float = number(20, 0, 50, "RSI", "Filters", "No short while the RSI of BTC is below this.")
    bitcoin_crash: float = number(0.05, 0.001, 1.0, "of price", "Filters", "A fall of BTC by so much is a crash.")
    bitcoin_crash_minutes: int = whole(60, 1, 1440, "minutes", "Filters", "Within so long.")
    bitcoin_pause_minutes: int = whole(30, 1, 1440, "minutes", "Filters", "Nothing is entered so long after a crash.")
    divergence_filter: bool = switch(False, "Filters", "Refuse entries that the flow of volume contradicts.")
    divergence_bars: int = whole(20, 5, 200, "bars", "Filters", "Bars over which price and volume are compared.")

    # Risk
    risk_fraction: float = number(
        0.02, 0.001, 0.10, "of equity", "Risk", "Lost at the stop, before multipliers.", risk=True
    )
    risk_floor: float = number(0.002, 0.0001, 0.10, "of equity", "Risk", "Least risk after multipliers.", risk=True)
    risk_ceiling: float = number(0.03, 0.001, 0.10, "of equity", "Risk", "Most risk after multipliers.", risk=True)
    volatile_atr: float = number(0.05, 0.001, 1.0, "of price", "Risk", "ATR above this lowers risk.", risk=True)
    volatile_factor: float = number(0.5, 0.05, 1.0, "times", "Risk", "Multiplier when ATR is high.", risk=True)
    losing_streak: int = whole(2, 1, 20, "trades", "Risk", "Losses in a row that lower risk.", risk=True)
    losing_factor: float = number(0.5, 0.05, 1.0, "times", "Risk", "Multiplier in a losing streak.", risk=True)
    winning_streak: int = whole(3, 1, 20, "trades", "Risk", "Wins in a row that raise risk.", risk=True)
    winning_factor: float = number(1.5, 1.0, 3.0, "times", "Risk", "Multiplier in a winning streak.", risk=True)
    drawdown_reduced: float = number(0.05, 0.0, 1.0, "of peak", "Risk", "Drawdown: reduced from here on.", risk=True)
    drawdown_cautious: float = number(0.10, 0.0, 1.0, "of peak", "Risk", "Drawdown: cautious from here on.", risk=True)
    drawdown_emergency: float = number(
        0.20, 0.0, 1.0, "of peak", "Risk", "Drawdown: emergency from here on.", risk=True
    )
    drawdown_reduced_factor: float = number(0.75, 0.0, 1.0, "times", "Risk", "Multiplier when reduced.", risk=True)
    drawdown_cautious_factor: float = number(0.5, 0.0, 1.0, "times", "Risk", "Multiplier when cautious.", risk=True)
    drawdown_emergency_factor: float = number(0.25, 0.0, 1.0, "times", "Risk", "Multiplier in an emergency.", risk=True)
    kelly: bool = switch(True, "Risk", "Cap risk at a part of the Kelly fraction of recent trades.", risk=True)
    kelly_scale: float = number(
        0.5, 0.05, 1.0, "times", "Risk", "Part of the Kelly fraction that caps risk.", risk=True
    )
    kelly_window: int = whole(50, 10, 500, "trades", "Risk", "Closed trades the Kelly fraction looks at.", risk=True)
    kelly_min_trades: int = whole(10, 5, 500, "trades", "Risk", "No Kelly cap before so many closed trades.", risk=True)
    kelly_low: float = number(0.005, 0.0001, 0.10, "of equity", "Risk", "Least value of the Kelly cap.", risk=True)
    kelly_high: float = number(0.04, 0.0001, 0.20, "of equity", "Risk", "Most value of the Kelly cap.", risk=True)
    max_leverage: float = number(
        3.0,
        0.1,
        10.0,
        "times equity",
        "Risk",
        "Notional of all positions together; on spot markets never more than equity.",
        risk=True,
    )

    # Exits
    stop_atr: float = number(2.0, 0.2, 10.0, "ATR", "Exits", "Distance from entry to stop; it is 1 R.", risk=True)
    target_one_r: float = number(1.5, 0.1, 20.0, "R", "Exits", "First target.")
    target_two_r: float = number(2.5, 0.2, 40.0, "R", "Exits", "Second target.")
    target_three_r: float = number(4.0, 0.3, 80.0, "R", "Exits", "Third target, closes the rest.")
    target_one_fraction: float = number(0.4, 0.0, 1.0, "of quantity", "Exits", "Closed at the first target.")
    target_two_fraction: float = number(0.3, 0.0, 1.0, "of quantity", "Exits", "Closed at the second target.")
    break_even: bool = switch(True, "Exits", "Stop to entry plus costs once the first target is hit.")
    trailing: bool = switch(True, "Exits", "Let the stop follow the best price.")
    trail_start_r: float = number(1.0, 0.0, 20.0, "R", "Exits", "The stop follows from this profit on.")
    trail_distance_r: float = number(0.5, 0.05, 20.0, "R", "Exits", "Distance of the stop from the best price.")
    time_stop: int = whole(0, 0, 10_000, "bars", "Exits", "Close after so many bars; 0 never.")

    # Limits
    max_open_trades: int = whole(3, 1, 50, "trades", "Limits", "Most trades open at once.", risk=True)
    max_open_risk: float = number(0.06, 0.001, 0.5, "of equity", "Limits", "Most equity at risk at once.", risk=True)
    max_cluster_risk: float = number(
        1.0,
        0.001,
        1.0,
        "of equity",
        "Limits",
        "Most equity at risk in pairs that move together; 1: no limit.",
        risk=True,
    )
    cluster_correlation: float = number(
        0.7, 0.0, 1.0, "of 1", "Limits", "Pairs whose returns correlate so much move together.", risk=True
    )
    daily_loss: float = number(
        0.05, 0.001, 1.0, "of equity", "Limits", "No entry until 00:00 UTC after this loss.", risk=True
    )
    weekly_loss: float = number(
        0.10, 0.001, 1.0, "of equity", "Limits", "No entry until Monday after this loss.", risk=True
    )
    local_max_trades: int = whole(
        1, 1, 50, "trades", "Limits", "Most trades open at once whose stops only Julaba keeps.", risk=True
    )
    local_max_notional_fraction: float = number(
        0.1, 0.001, 10.0, "of equity", "Limits", "Notional of all trades whose stops only Julaba keeps.", risk=True
    )
    cooldown_losses: int = whole(2, 1, 20, "trades", "Limits", "Losses in a row that start the cool-down.", risk=True)
    cooldown_minutes: int = whole(30, 0, 10_080, "minutes", "Limits", "Length of the cool-down.", risk=True)

    # Execution
    slippage: float = number(0.0005, 0.0, 0.05, "of price", "Execution", "Assumed for every market order.", risk=True)
    entry_deadline: float = number(0.5, 0.05, 1.0, "of a bar", "Execution", "A setup older than this expires.")
    price_age: float = number(15, 1, 600, "seconds", "Execution", "No entry on a price older than this.")
    entry_order: str = choice("market", ("market", "limit"), "Execution", "How positions are entered.")
    entry_limit_offset: float = number(
        0.0, 0.0, 0.05, "of price", "Execution", "How much better than the last price an entry's limit is."
    )
    entry_timeout_s: float = number(
        30, 1, 3600, "seconds", "Execution", "How long a limit rests before it is canceled."
    )
    entry_requotes: int = whole(2, 0, 20, "orders", "Execution", "Limits at the price then that follow a canceled one.")
    entry_fallback: str = choice(
        "market", ("market", "abandon"), "Execution", "What becomes of the rest after the last limit."
    )

    # AI
    ai_mode: str = choice(
        "filter",
        ("off", "filter", "advisory", "hybrid", "autonomous"),
        "AI",
        "What the AI may do: nothing, veto, only be shown, veto and propose, veto and enter.",
    )
    ai_confidence: float = number(0.70, 0.0, 1.0, "of 1", "AI", "Lowest confidence of an approval.", risk=True)
    ai_confidence_one_loss: float = number(
        0.80, 0.0, 1.0, "of 1", "AI", "Lowest confidence of an approval after a loss.", risk=True
    )
    ai_confidence_two_losses: float = number(
        0.90, 0.0, 1.0, "of 1", "AI", "Lowest confidence of an approval after two losses or more.", risk=True
    )
    ai_down: str = choice(
        "refuse", ("refuse", "technical"), "AI", "Without an opinion of the AI: enter nothing, or by the rules alone."
    )
    ai_patience_s: float = number(20, 1, 300, "seconds", "AI", "How long a setup waits for an opinion.")
    proposal_minutes: int = whole(20, 1, 1440, "minutes", "AI", "A proposal of the AI expires after this.")

    # ML
    ml_filter: bool = switch(True, "ML", "Let a promoted model refuse setups that are likely to lose.", risk=True)
    ml_min_probability: float = number(
        0.50, 0.0, 1.0, "of 1", "ML", "Lowest probability of a win after costs.", risk=True
    )

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Params:
        """Return the defaults overridden by `values`, or raise param_spec.ParamsError naming what is wrong."""
        checked = param_spec.clean(SPECS, values)
        params = replace(cls(), **checked)
        param_spec.refuse_if(_contradictions(params))
        return params

    def as_json(self) -> dict[str, Any]:
        """Return every value by name, ready for JSON."""
        return {name: spec.to_json(getattr(self, name)) for name, spec in SPECS.items()}

    def score_min(self, regime: Regime) -> float:
        return float(getattr(self, f"score_min_{regime.value}"))

    def adx_min(self, regime: Regime) -> float:
        return float(getattr(self, f"adx_min_{regime.value}"))


SPECS = param_spec.specs_of(Params)
ADVICE = tuple(name for name, spec in SPECS.items() if spec.group in ("AI", "ML"))
"""What replays and backtests never read: they run without advisers."""
SELECTION = tuple(name for name, spec in SPECS.items() if spec.group == "Scan")
"""What says which pairs are traded; replays and backtests are told which."""


def _contradictions(p: Params) -> dict[str, str]:
    """Return what is wrong with the set as a whole, by the name of the parameter to change."""
    rules = (
        ("fast_sma", p.fast_sma < p.slow_sma, "must be shorter than slow_sma"),
        ("macd_fast", p.macd_fast < p.macd_slow, "must be shorter than macd_slow"),
        ("volatility_short", p.volatility_short < p.volatility_long, "must be shorter than volatility_long"),
        (
            "adx_weak",
            p.adx_weak <= p.adx_trend <= p.adx_strong,
            "must not be above adx_trend, nor that above adx_strong",
        ),
        ("hurst_choppy", p.hurst_choppy < p.hurst_strong, "must be below hurst_strong"),
        ("adx_danger_low", p.adx_danger_low < p.adx_danger_high, "must be below adx_danger_high"),
        ("session_one_start", p.session_one_start <= p.session_one_end, "must not be after session_one_end"),
        ("session_two_start", p.session_two_start <= p.session_two_end, "must not be after session_two_end"),
        ("target_one_r", p.target_one_r < p.target_two_r < p.target_three_r, "targets must lie one beyond the other"),
        (
            "target_one_fraction",
            p.target_one_fraction + p.target_two_fraction <= 1.0,
            "together with target_two_fraction must not be above 1",
        ),
        (
            "risk_floor",
            p.risk_floor <= min(p.risk_fraction, p.risk_ceiling),
            "must not be above risk_fraction or risk_ceiling",
        ),
        ("kelly_low", p.kelly_low <= p.kelly_high, "must not be above kelly_high"),
        ("kelly_min_trades", p.kelly_min_trades <= p.kelly_window, "must not be above kelly_window"),
        (
            "drawdown_reduced",
            p.drawdown_reduced <= p.drawdown_cautious <= p.drawdown_emergency,
            "must not be above drawdown_cautious, nor that above drawdown_emergency",
        ),
        (
            "ai_confidence",
            p.ai_confidence <= p.ai_confidence_one_loss <= p.ai_confidence_two_losses,
            "must not be above ai_confidence_one_loss, nor that above ai_confidence_two_losses",
        ),
    )
    return {name: problem for name, holds, problem in rules if not holds}
