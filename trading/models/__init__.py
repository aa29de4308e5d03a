"""Every table of the trading app, importable from here."""

from trading.models.events import Event
from trading.models.ledger import LedgerEntry, LedgerKind
from trading.models.orders import (
    LIVE,
    NEVER_FILLED,
    TRANSITIONS,
    UNSETTLED,
    Fill,
    Order,
    OrderEvent,
    OrderRole,
    OrderStatus,
)
from trading.models.paper import PaperAccount, PaperFill, PaperOrder, PaperPosition
from trading.models.parameters import ParameterRevision
from trading.models.scans import Scan, ScanRow
from trading.models.signals import SideChoice, Signal, SignalStatus, SignalVerdict
from trading.models.state import Bot, DayOpening, EquityPoint, LastPrice, Lease, TickRun, TradingState, Watermark
from trading.models.trades import ACTIVE, Mode, Trade, TradeStatus

__all__ = [
    "ACTIVE",
    "LIVE",
    "NEVER_FILLED",
    "TRANSITIONS",
    "UNSETTLED",
    "Bot",
    "DayOpening",
    "EquityPoint",
    "Event",
    "Fill",
    "LastPrice",
    "Lease",
    "LedgerEntry",
    "LedgerKind",
    "Mode",
    "Order",
    "OrderEvent",
    "OrderRole",
    "OrderStatus",
    "PaperAccount",
    "PaperFill",
    "PaperOrder",
    "PaperPosition",
    "ParameterRevision",
    "Scan",
    "ScanRow",
    "SideChoice",
    "Signal",
    "SignalStatus",
    "SignalVerdict",
    "TickRun",
    "Trade",
    "TradeStatus",
    "TradingState",
    "Watermark",
]
