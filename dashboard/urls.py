"""Addresses of the dashboard; everything but the log-in and the icon asks for a user (LoginRequiredMiddleware)."""

from django.contrib.auth.decorators import login_not_required
from django.templatetags.static import static
from django.urls import include, path
from django.views.generic import RedirectView

from dashboard import health_views, logs_views, metrics, views
from dashboard.api import documents
from dashboard.views import audit

urlpatterns = [
    path("", views.overview, name="overview"),
    path("positions/", views.positions, name="positions"),
    path("trades/", views.trades, name="trades"),
    path("trades/<int:pk>/", views.trade, name="trade"),
    path("trades/<int:pk>/notes/", views.note_trade, name="note-trade"),
    path("signals/", views.signals, name="signals"),
    path("signals/<int:pk>/", views.decision, name="decision"),
    path("chart/", views.chart, name="chart"),
    path("pairs/", views.pairs, name="pairs"),
    path("pairs/switches/", views.pair_switches, name="pair-switches"),
    path("pairs/history/", views.pair_history, name="pair-history"),
    path("pairs/manage/", views.manage_pair, name="manage-pair"),
    path("pairs/<slug:base>-<slug:quote>/", views.pair, name="pair"),
    path("backtests/", views.backtests, name="backtests"),
    path("backtests/start/", views.start_backtest, name="start-backtest"),
    path("backtests/compare/", views.compare_backtests, name="compare-backtests"),
    path("backtests/<int:pk>/", views.backtest, name="backtest"),
    path("backtests/<int:pk>/cancel/", views.cancel_backtest, name="cancel-backtest"),
    path("backtests/<int:pk>/note/", views.annotate_backtest, name="annotate-backtest"),
    path("parity/", views.parity, name="parity"),
    path("parity/start/", views.start_parity, name="start-parity"),
    path("performance/", views.performance, name="performance"),
    path("ai-report/", views.ai_report, name="ai-report"),
    path("ai-report/lift/", views.lift_bypass, name="lift-bypass"),
    path("ml-report/", views.ml_report, name="ml-report"),
    path("ml-report/models/<int:pk>/", views.decide_model, name="decide-model"),
    path("ml-report/roll-back/", views.roll_back_model, name="roll-back-model"),
    path("ml-report/train/", views.train_model, name="train-model"),
    path("proposals/", views.proposals, name="proposals"),
    path("proposals/<int:pk>/<slug:act>/", views.decide_proposal, name="decide-proposal"),
    path("parameters/", views.parameters, name="parameters"),
    path("parameters/history/", views.revisions, name="revisions"),
    path("risk/", views.risk, name="risk"),
    path("reconciliation/", views.reconciliation, name="reconciliation"),
    path("invariants/", views.invariants, name="invariants"),
    path("health/", views.health, name="health"),
    path("alerts/", views.alerts, name="alerts"),
    path("alerts/<int:pk>/acknowledge/", views.acknowledge, name="acknowledge"),
    path("alerts/notifications/", views.notices, name="notices"),
    path("alerts/notifications/keep/", views.keep_notices, name="keep-notices"),
    path("setup/", views.setup, name="setup"),
    path("journal/", views.journal, name="journal"),
    path("journal/states/", views.states, name="states"),
    path("audit/", audit.audit, name="audit"),
    path("logs/", logs_views.page, name="logs"),
    path("chat/", views.chat, name="chat"),
    path("explain/<slug:panel>/", views.explain, name="explain"),
    path("explain/answers/<int:pk>/", views.answer, name="answer"),
    path("api/v1/", include("dashboard.api.urls")),
    path("api/schema", documents.Schema.as_view(), name="api-schema"),
    path("api/docs", documents.swagger, name="api-docs"),
    path("api/redoc", documents.redoc, name="api-redoc"),
    # Asked by machines, see docs/DEPLOYMENT.md.
    path("livez", health_views.livez, name="livez"),
    path("readyz", health_views.readyz, name="readyz"),
    path("health", health_views.health, name="health-machine"),
    path("metrics", metrics.metrics, name="metrics"),
    # Browsers ask for it on the admin's pages, which name no icon.
    path("favicon.ico", login_not_required(RedirectView.as_view(url=static("dashboard/icon.svg")))),
    path("trading-state/", views.trading_state, name="trading-state"),
    path("", include("dashboard.account_urls")),
]
