"""Who speaks for the AI: Gemini where there is a key for it, else the rules, which say that they are rules."""

from __future__ import annotations

from django.conf import settings

from trading.core.advice import Adviser


def choose() -> Adviser:
    """Return the adviser that settings.ADVISERS asks for as "mlops.adviser.choose"."""
    if settings.GEMINI_API_KEY:
        from mlops.gemini.adviser import GeminiAdviser

        return GeminiAdviser()
    from mlops.rules import Rules

    return Rules()
