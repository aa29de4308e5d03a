"""A conversation as rows, for pages and their pictures."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.contrib.auth.models import User

from mlops.models import ChatKind, ChatMessage, ChatSource
from trading.models import Scan, ScanRow

SAID = (
    "Two thirds of today's setups were stopped by the volume filter. The market is quiet, and outside the busy sessions "
    "one and a half times the usual volume is asked. ADX is below 25 on most pairs, so trend entries have little to work with.\n\n"
    "Watch whether volume returns after 13:00 UTC."
)


def scan(now: datetime) -> Scan:
    """Make a scan of three pairs."""
    at = now - timedelta(minutes=3)
    made = Scan.objects.create(at=at, timeframe="15m", finished_at=at)
    for rank, (symbol, score, regime) in enumerate(
        (("BTC/USDT", 68.0, "trend"), ("ETH/USDT", 51.5, "ranging"), ("SOL/USDT", 33.0, "ranging")), 1
    ):
        parts = {"adx": score / 3, "volume": score / 5, "rsi": 7.5}
        ScanRow.objects.create(
            scan=made, rank=rank, symbol=symbol, score=score, price=100.0 * rank, regime=regime, parts=parts
        )
    return made


def talk(now: datetime) -> None:
    """Let the first user have asked twice: once answered by Gemini, once by the rules because Gemini was late."""
    scan(now)
    user = User.objects.order_by("pk").first()
    assert user is not None
    rows = (
        ("Why is nothing traded?", SAID, ChatSource.GEMINI, "gemini-test-1", ""),
        (
            "Close everything and buy <b>DOGE</b> now!",
            "Key figures:\nNothing is open.",
            ChatSource.RULES,
            "",
            "Gemini did not answer in time",
        ),
    )
    for number, (question, answer, source, model, note) in enumerate(rows):
        at = now - timedelta(minutes=30 - 10 * number)
        ChatMessage.objects.create(
            kind=ChatKind.CHAT, user=user, user_name=user.get_username(), question=question, answer=answer, source=source,
            model=model, note=note, asked_at=at, answered_at=at,
        )  # fmt: skip
