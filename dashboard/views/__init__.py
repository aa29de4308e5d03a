"""Pages of the dashboard, one module each."""

from dashboard.views.account import Password, overview, trading_state
from dashboard.views.alerts import acknowledge, alerts, keep_notices, notices
from dashboard.views.backtests import (
    annotate_backtest,
    backtest,
    backtests,
    cancel_backtest,
    compare_backtests,
    parity,
    start_backtest,
    start_parity,
)
from dashboard.views.by_hand import instruct_trade
from dashboard.views.chart import chart
from dashboard.views.chat import answer, chat, explain
from dashboard.views.decisions import decision, replay_decision, signals
from dashboard.views.journal import journal, states
from dashboard.views.notes import note_trade
from dashboard.views.pairs import history as pair_history
from dashboard.views.pairs import manage as manage_pair
from dashboard.views.pairs import pair, pairs
from dashboard.views.pairs import switches as pair_switches
from dashboard.views.parameters import parameters, revisions
from dashboard.views.performance import performance, report
from dashboard.views.positions import positions
from dashboard.views.proposals import decide_proposal, proposals
from dashboard.views.reconciliation import invariants, reconciliation
from dashboard.views.reports import ai_report, decide_model, lift_bypass, ml_report, roll_back_model, train_model
from dashboard.views.risk import risk
from dashboard.views.setup import setup
from dashboard.views.system import health
from dashboard.views.trades import close_trade, trade, trades

__all__ = [
    "Password",
    "acknowledge",
    "ai_report",
    "alerts",
    "annotate_backtest",
    "answer",
    "backtest",
    "backtests",
    "cancel_backtest",
    "chart",
    "chat",
    "close_trade",
    "compare_backtests",
    "decide_model",
    "decide_proposal",
    "decision",
    "explain",
    "health",
    "instruct_trade",
    "invariants",
    "journal",
    "keep_notices",
    "lift_bypass",
    "manage_pair",
    "ml_report",
    "note_trade",
    "notices",
    "overview",
    "pair",
    "pair_history",
    "pair_switches",
    "pairs",
    "parameters",
    "parity",
    "performance",
    "positions",
    "proposals",
    "reconciliation",
    "replay_decision",
    "report",
    "revisions",
    "risk",
    "roll_back_model",
    "setup",
    "signals",
    "start_backtest",
    "start_parity",
    "states",
    "trade",
    "trades",
    "trading_state",
    "train_model",
]
