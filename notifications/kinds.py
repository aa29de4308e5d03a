"""Every kind of message once: how loud it is, who hears of it by default, and the threshold where it has one."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from notifications.models import AlertRule, Severity, Voice


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """`threshold` is in `unit`; a kind without one is raised by a fact alone."""

    text: str
    severity: Severity = Severity.WARNING
    voice: Voice = Voice.ON
    threshold: float | None = None
    unit: str = ""
    cool_down_s: int = 300
    """An alert that is over does not come again for so long."""


CRITICAL, WARNING, INFO = Severity.CRITICAL, Severity.WARNING, Severity.INFO

FACTS: dict[str, Kind] = {
    "trading_state": Kind(text="The trading state changed"),
    "flatten": Kind(text="A position was closed because it had no stop", severity=CRITICAL),
    "order_found_late": Kind(text="An order that was given up came up after all", severity=CRITICAL),
    "stop_canceled": Kind(text="Somebody canceled a stop at the venue"),
    "overfill": Kind(text="More left than a trade held", severity=CRITICAL),
    "exit_short": Kind(text="Less can be sold than a trade holds", severity=CRITICAL),
    "exit_refused": Kind(text="The venue refused to close a position", severity=CRITICAL),
    "live_approved": Kind(text="Real money was approved"),
    "live_revoked": Kind(text="Real money was revoked"),
    "access": Kind(text="A way in was used from a new address, or changed"),
    "self_test_failed": Kind(text="The daily trial of stops failed", severity=CRITICAL),
    "trading_refused": Kind(text="Nothing can be traded", severity=CRITICAL),
    "ai_down": Kind(text="Gemini is left alone for a while"),
    "ai_overreach": Kind(text="Gemini's answer asked for more than it may"),
    "transfer": Kind(text="Money came or went outside of trading"),
    "parameters": Kind(text="The parameters were changed", severity=INFO, voice=Voice.SILENT),
    "draft": Kind(text="Proposed parameters wait, or were held back", severity=INFO, voice=Voice.SILENT),
    "model_alert": Kind(text="A model needs a look: its file, its market or its answers"),
    "model": Kind(text="A model was trained, promoted or retired", severity=INFO, voice=Voice.SILENT),
    "bypass": Kind(text="An adviser did harm and counts for nothing"),
    "bypass_lifted": Kind(text="An adviser counts again", severity=INFO),
    "proposal": Kind(text="The AI proposes a trade", severity=INFO),
    "proposal_decided": Kind(text="What became of a proposal of the AI", severity=INFO, voice=Voice.SILENT),
    "backup_failed": Kind(text="No backup could be made", cool_down_s=3600),
    "backup_trial_failed": Kind(text="The newest backup cannot be restored", severity=CRITICAL),
    "restored": Kind(text="The system was restored from a backup", severity=CRITICAL),
    "manual_close": Kind(text="A person asked to close a trade", severity=INFO, voice=Voice.SILENT),
    "manual_act": Kind(
        text="A person asked for a part to be closed or the stop to be moved", severity=INFO, voice=Voice.SILENT
    ),
    "manual_done": Kind(text="What a person asked of a trade was done", severity=INFO, voice=Voice.SILENT),
    "manual_refused": Kind(text="What a person asked of a trade could not be done"),
}
"""Events of the journal that are alerts: each is told once and is over at once."""

CONDITIONS: dict[str, Kind] = {
    "tick_age": Kind(text="Nobody trades", severity=CRITICAL, threshold=30, unit="seconds since the last tick"),
    "data_old": Kind(text="Prices are old", severity=CRITICAL, threshold=300, unit="seconds since the newest price"),
    "price_old": Kind(text="The price of a pair is old", threshold=300, unit="seconds since its newest price"),
    "bars_old": Kind(text="Bars are not judged", threshold=300, unit="seconds since one was due"),
    "unprotected": Kind(
        text="A position has no stop", severity=CRITICAL, threshold=8, unit="seconds without a stop", cool_down_s=60
    ),
    "invariant": Kind(text="A promise about the books is broken", severity=CRITICAL),
    "reconcile": Kind(text="Our books differ from the venue's", severity=CRITICAL),
    "venue_errors": Kind(text="The venue does not answer", threshold=3, unit="failed comparisons in a row"),
    "balance": Kind(text="The account has lost much", severity=CRITICAL, threshold=0.10, unit="of the initial balance"),
    "drawdown": Kind(text="The account has fallen from its peak", threshold=0.05, unit="of the peak, in such steps"),
    "daily_loss": Kind(text="The daily loss limit", threshold=0.8, unit="of the limit"),
    "weekly_loss": Kind(text="The weekly loss limit", threshold=0.8, unit="of the limit"),
    "move": Kind(text="The price of an open position moved", threshold=0.03, unit="of the entry price, in such steps"),
    "crash": Kind(
        text="The market falls", severity=CRITICAL, threshold=0.05, unit="of the price of BTC within an hour"
    ),
    "disk": Kind(text="The disk is nearly full", severity=CRITICAL, threshold=0.05, unit="of the disk left"),
    "outbox": Kind(text="Messages are not delivered", threshold=120, unit="seconds overdue"),
    "worker": Kind(
        text="A worker is silent", severity=CRITICAL, threshold=40, unit="seconds since its last sign", cool_down_s=60
    ),
    "beat": Kind(
        text="Beat sends no tasks", severity=CRITICAL, threshold=40, unit="seconds since the last one", cool_down_s=60
    ),
    "process": Kind(text="A process ended by itself"),
    "stream": Kind(text="The stream of prices is silent", threshold=60, unit="seconds since the venue was heard"),
    "breaker": Kind(text="A circuit breaker holds entries back", cool_down_s=60),
    "venue_pause": Kind(text="The venue asked to be left alone", threshold=60, unit="seconds that it still lasts"),
    "ml_accuracy": Kind(text="A model errs", threshold=0.45, unit="of its last 20 answers right, at least"),
    "backup_old": Kind(text="A backup is overdue", threshold=12, unit="hours since the last one"),
    "clock": Kind(text="The clocks differ", threshold=2, unit="seconds between this machine and Redis"),
    "logins": Kind(text="Somebody guesses passwords", threshold=5, unit="refused log-ins within ten minutes"),
}
"""What the watch looks at: raised once, and armed again when it is over."""

NEWS: dict[str, Kind] = {
    "regime": Kind(text="The regime of an open position changed", severity=INFO, voice=Voice.SILENT),
    "opened": Kind(text="A trade was opened", severity=INFO),
    "target": Kind(text="A target was hit", severity=INFO),
    "stop": Kind(text="A stop was moved", severity=INFO, voice=Voice.SILENT),
    "closed": Kind(text="A trade was closed", severity=INFO),
    "entry_canceled": Kind(text="A trade was not entered", severity=INFO, voice=Voice.SILENT),
    "refused": Kind(text="A setup was refused", severity=INFO, voice=Voice.OFF),
    "consent": Kind(text="Somebody asks for your consent, or answered your request"),
    "over": Kind(text="What an alert told of is over", severity=INFO, voice=Voice.SILENT),
    "summary": Kind(text="The summaries of the day and the week", severity=INFO),
    "interval": Kind(
        text="The summary of the last hours", severity=INFO, voice=Voice.SILENT, threshold=6, unit="hours, so often"
    ),
}
KINDS: dict[str, Kind] = {**FACTS, **CONDITIONS, **NEWS}
RULED = {**FACTS, **CONDITIONS, "interval": NEWS["interval"]}
"""Those that an operator may switch off for everybody, or set a threshold for."""
CHOICES = [(name, kind.text) for name, kind in KINDS.items()]


def cool_down(kind: str) -> timedelta:
    """Return for how long an alert that is over does not come again."""
    rule = AlertRule.objects.filter(kind=kind).first()
    seconds = rule.cool_down_s if rule is not None and rule.cool_down_s is not None else KINDS[kind].cool_down_s
    return timedelta(seconds=seconds)


def threshold(kind: str) -> float | None:
    """Return what the operator has set, else the default; None where this kind of alert is off."""
    rule = AlertRule.objects.filter(kind=kind).first()
    if rule is not None and not rule.is_on:
        return None
    default = KINDS[kind].threshold
    return rule.threshold if rule is not None and rule.threshold is not None else (default or 0.0)
