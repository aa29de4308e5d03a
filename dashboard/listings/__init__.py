"""Everything that can be listed, for the pages and the API alike."""

from dashboard.listings.audit import AUDIT
from dashboard.listings.control import EXTERNAL_ORDERS, INVARIANTS, RECONCILIATION, REVISIONS, STATES
from dashboard.listings.events import EVENTS
from dashboard.listings.proposals import PROPOSALS
from dashboard.listings.query import BadQuery, Listing, asked_of
from dashboard.listings.signals import SIGNALS
from dashboard.listings.trades import ORDERS, TRADES

__all__ = [
    "AUDIT",
    "EVENTS",
    "EXTERNAL_ORDERS",
    "INVARIANTS",
    "ORDERS",
    "PROPOSALS",
    "RECONCILIATION",
    "REVISIONS",
    "SIGNALS",
    "STATES",
    "TRADES",
    "BadQuery",
    "Listing",
    "asked_of",
]
