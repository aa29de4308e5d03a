"""Every table of the trading app, importable from here."""

from trading.models.advice import UNDECIDED, Advice, Proposal, ProposalStatus
from trading.models.audit import GENESIS, AuditEntry, AuditHead, AuditOutcome
from trading.models.consents import Consent, ConsentAct, ConsentAnswer
from trading.models.credentials import DoctorRun, Environment, ExchangeKey, LiveApproval
from trading.models.events import Event
from trading.models.instructions import OPEN_INSTRUCTIONS, InstructedAct, Instruction, InstructionStatus
from trading.models.jobs import UNFINISHED, Attempted, Job, RunStatus
from trading.models.ledger import LedgerEntry, LedgerKind
from trading.models.notes import TradeNote, TradeTag
from trading.models.operation import BackupKind, BackupRun, LegacyKind, LegacyRecord
from trading.models.orders import (
    IN_DOUBT,
    LIVE,
    NEVER_FILLED,
    RESTING,
    TRANSITIONS,
    UNSETTLED,
    WATCHED,
    Fill,
    Order,
    OrderEvent,
    OrderRole,
    OrderStatus,
)
from trading.models.pairs import BlacklistEntry, PairLock, PairSwitch, WatchedPair, WatchSource
from trading.models.paper import PaperAccount, PaperFill, PaperOrder, PaperPosition
from trading.models.parameters import Gate, ParameterRevision
from trading.models.reconciliation import ExternalHolding, ExternalOrder, InvariantRun, ReconcileKind, ReconcileRun
from trading.models.research import BacktestRun, DraftStatus, ParameterDraft, RunKind, RunPart
from trading.models.scans import Scan, ScanRow
from trading.models.signals import SideChoice, Signal, SignalStatus, SignalVerdict
from trading.models.state import (
    STRICTNESS,
    Bot,
    DayOpening,
    EquityPoint,
    LastPrice,
    Lease,
    SeriesQuality,
    StateChange,
    TickRun,
    TradingState,
    VenuePause,
    Watermark,
)
from trading.models.trades import ACTIVE, Mode, Trade, TradeStatus

__all__ = [
    "ACTIVE",
    "GENESIS",
    "IN_DOUBT",
    "LIVE",
    "NEVER_FILLED",
    "OPEN_INSTRUCTIONS",
    "RESTING",
    "STRICTNESS",
    "TRANSITIONS",
    "UNDECIDED",
    "UNFINISHED",
    "UNSETTLED",
    "WATCHED",
    "Advice",
    "Attempted",
    "AuditEntry",
    "AuditHead",
    "AuditOutcome",
    "BacktestRun",
    "BackupKind",
    "BackupRun",
    "BlacklistEntry",
    "Bot",
    "Consent",
    "ConsentAct",
    "ConsentAnswer",
    "DayOpening",
    "DoctorRun",
    "DraftStatus",
    "Environment",
    "EquityPoint",
    "Event",
    "ExchangeKey",
    "ExternalHolding",
    "ExternalOrder",
    "Fill",
    "Gate",
    "InstructedAct",
    "Instruction",
    "InstructionStatus",
    "InvariantRun",
    "Job",
    "LastPrice",
    "Lease",
    "LedgerEntry",
    "LedgerKind",
    "LegacyKind",
    "LegacyRecord",
    "LiveApproval",
    "Mode",
    "Order",
    "OrderEvent",
    "OrderRole",
    "OrderStatus",
    "PairLock",
    "PairSwitch",
    "PaperAccount",
    "PaperFill",
    "PaperOrder",
    "PaperPosition",
    "ParameterDraft",
    "ParameterRevision",
    "Proposal",
    "ProposalStatus",
    "ReconcileKind",
    "ReconcileRun",
    "RunKind",
    "RunPart",
    "RunStatus",
    "Scan",
    "ScanRow",
    "SeriesQuality",
    "SideChoice",
    "Signal",
    "SignalStatus",
    "SignalVerdict",
    "StateChange",
    "TickRun",
    "Trade",
    "TradeNote",
    "TradeStatus",
    "TradeTag",
    "TradingState",
    "VenuePause",
    "WatchSource",
    "WatchedPair",
    "Watermark",
]
