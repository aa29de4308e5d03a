"""System checks of what an operator may set about Gemini, each with an id and a sentence on what to do."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core import checks
from django.core.checks import CheckMessage, Error, register

from mlops.gemini.wire import LOOPBACK

_KEY = re.compile(r"[\x21-\x7e]{8,200}")
_MODEL = re.compile(r"[a-z0-9][a-z0-9.-]{2,59}")


@register()
def check_gemini(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """Say what contradicts itself, and never repeat the key."""
    found: list[CheckMessage] = []
    if settings.GEMINI_ENDPOINT and not _is_address(settings.GEMINI_ENDPOINT):
        hint = "Write scheme, host and port alone, such as https://gateway.example: http is for this machine."
        found.append(Error("GEMINI_ENDPOINT is no address that a key may be sent to.", hint=hint, id="mlops.E001"))
    if not settings.GEMINI_API_KEY:
        return found
    if not _KEY.fullmatch(settings.GEMINI_API_KEY):
        hint = "Copy it whole and without spaces or line ends."
        found.append(Error("GEMINI_API_KEY is no key.", hint=hint, id="mlops.E002"))
    if not _MODEL.fullmatch(settings.GEMINI_MODEL):
        hint = "Name one as Google does, such as gemini-3.5-flash-lite."
        found.append(Error(f"GEMINI_MODEL={settings.GEMINI_MODEL!r} is no model.", hint=hint, id="mlops.E003"))
    if not settings.GEMINI_TOKENS_PER_DAY or not settings.GEMINI_USD_PER_DAY:
        hint = "Raise GEMINI_TOKENS_PER_DAY and GEMINI_USD_PER_DAY, or unset GEMINI_API_KEY and let the rules answer."
        found.append(
            checks.Warning("There is a key for Gemini and no budget: nobody is asked.", hint=hint, id="mlops.W001")
        )
    if not settings.GEMINI_USD_PER_MILLION_IN or not settings.GEMINI_USD_PER_MILLION_OUT:
        hint = "Set GEMINI_USD_PER_MILLION_IN and GEMINI_USD_PER_MILLION_OUT to the model's prices."
        found.append(
            checks.Warning(
                "Gemini is taken to cost nothing: the budget in US dollars ends nothing.", hint=hint, id="mlops.W002"
            )
        )
    return found


def _is_address(endpoint: str) -> bool:
    parts = urlsplit(endpoint)
    is_bare = not parts.path.strip("/") and not parts.query and not parts.fragment and "@" not in parts.netloc
    is_safe = parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in LOOPBACK)
    return is_bare and is_safe and bool(parts.hostname)
