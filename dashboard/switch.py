"""The kill switch: what a person asks of the trading state, from the pages and from the API alike."""

from __future__ import annotations

from datetime import datetime

from django.contrib.auth.models import AbstractBaseUser

from trading.models import STRICTNESS, Bot, TradingState
from trading.services import control

PERMISSION = "trading.change_trading_state"
LONGEST_REASON = 200


class Refused(Exception):
    """A change that was not made: `field` is what to correct, the text says how."""

    def __init__(self, field: str, cause: str) -> None:
        super().__init__(cause)
        self.field = field


def is_looser(state: object) -> bool:
    """Return whether this would lift a restriction: a dangerous act, which asks again who is there."""
    now = Bot.objects.filter(pk=1).values_list("trading_state", flat=True).first()
    if now is None or state not in TradingState.values:
        return False
    return STRICTNESS.index(TradingState(str(state))) < STRICTNESS.index(TradingState(now))


def change(*, state: object, reason: object, by: AbstractBaseUser, now: datetime) -> Bot:
    """Set the trading state at once, tighter or looser, and return the account; asking for what is so changes nothing."""
    if state not in TradingState.values:
        raise Refused("state", f"is none of {', '.join(TradingState.values)}")
    if not isinstance(reason, str) or not reason.strip():
        raise Refused("reason", "is missing: say why, it is kept and shown")
    if len(reason) > LONGEST_REASON:
        raise Refused("reason", f"has more than {LONGEST_REASON} characters: say it shorter")
    to, why, who = TradingState(str(state)), reason.strip(), by.get_username()
    if not Bot.objects.filter(pk=1).exists():
        raise Refused("state", "there is no account yet, so nothing trades: start Julaba first")
    try:
        if not control.tighten(to, reason=why, now=now, by=who):
            control.loosen(to, reason=why, now=now, by=who)
    except control.StateRefused as refusal:
        raise Refused("state", f"waits: {refusal}") from refusal
    return Bot.objects.get(pk=1)
