"""An account in which every address of the API has something to tell, and the address of something in each."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.contrib.auth.models import User

from dashboard import tokens
from mlops.models import ChatMessage, ModelVersion
from notifications.models import Alert, Severity
from tests import factories, page_factories, pair_factories
from tests.mlops import report_rows
from trading.models import BacktestRun, Consent, ParameterDraft, Proposal, Scan, Signal, Trade
from trading.services import notes, parameters

_OF = {
    "trades": Trade,
    "signals": Signal,
    "decisions": Signal,
    "proposals": Proposal,
    "consents": Consent,
    "backtests": BacktestRun,
    "alerts": Alert,
    "scans": Scan,
    "models": ModelVersion,
    "chat": ChatMessage,
    "parameters": ParameterDraft,
}


def fill(now: datetime) -> User:
    """Fill everything and return its operator, who may do all."""
    operator = factories.user()
    page_factories.fill(now)
    pair_factories.fill(now)
    report_rows.fill(now)
    trade = Trade.objects.earliest("pk")
    notes.write(trade, text="Entered late.", by="anna", now=now)
    notes.tag(trade, name="news", by="anna", now=now)
    expected = parameters.current(now=now).number
    parameters.propose(
        values={"max_open_trades": 5}, reason="more at once", author=operator, expected_number=expected, now=now
    )
    BacktestRun.objects.filter(note="").update(note="a wider stop")
    Alert.objects.create(kind="stale_data", severity=Severity.values[0], text="Prices are old.", raised_at=now)
    Proposal.objects.create(
        symbol="BTC/USDT", side="long", price=67_000.0, mode="confirm", confidence=0.7, reason="strong trend",
        created_at=now, expires_at=now + timedelta(minutes=5),
    )  # fmt: skip
    Consent.objects.create(
        act="loosen", about="active", text="Trading is set to running.", arguments={"to": "active"},
        reason="looked at it", asked_by=factories.user("otto", is_staff=False), asked_at=now,
        expires_at=now + timedelta(hours=1),
    )  # fmt: skip
    return operator


def token_of(user: User, now: datetime) -> str:
    """Return a token that may admin."""
    return tokens.issue(user=user, name="machine", scope="admin", days=1, now=now, per_minute=6000)[1]


def address(path: str) -> str:
    """Return an operation's path with the number of something that is there."""
    model: Any = _OF.get(path.removeprefix("/api/v1/").split("/")[0])
    row = model.objects.order_by("pk").first() if model else None
    number = str(row.pk if row else 1)
    return path.replace("{id}", number).replace("{pk}", number).replace("{name}", "news")
