"""What the AI proposed, as a list and as JSON."""

from __future__ import annotations

from django.db.models import QuerySet

from dashboard import told
from dashboard.listings import query
from dashboard.listings.query import Listing, Sort
from dashboard.listings.trades import FEW_SYMBOLS, SIDE
from dashboard.told import Json
from trading.models import Proposal, ProposalStatus


def _rows() -> QuerySet[Proposal]:
    return Proposal.objects.select_related("signal")


def as_json(proposal: Proposal) -> dict[str, Json]:
    return told.fields(
        id=proposal.pk,
        symbol=proposal.symbol,
        side=proposal.side,
        price=proposal.price,
        mode=proposal.mode,
        status=proposal.status,
        confidence=proposal.confidence,
        reason=proposal.reason,
        risk=proposal.risk,
        against=proposal.against,
        model=proposal.model,
        prompt=proposal.prompt,
        tokens=proposal.tokens,
        cost_usd=proposal.cost_usd,
        created_at=proposal.created_at,
        expires_at=proposal.expires_at,
        decided_at=proposal.decided_at,
        decided_by=proposal.decided_by,
        outcome=proposal.outcome,
        signal=proposal.signal_id,
    )


PROPOSALS = Listing(
    name="proposals",
    rows=_rows,
    filters=(
        FEW_SYMBOLS,
        SIDE,
        query.choice("status", "Status", "status", ProposalStatus.choices),
        query.since("created_at"),
        query.until("created_at"),
    ),
    sorts={
        "id": Sort(column="pk"),
        "created": Sort(column="created_at"),
        "symbol": Sort(column="symbol"),
        "confidence": Sort(column="confidence"),
    },
    told=as_json,
    default_sort="-created",
)
