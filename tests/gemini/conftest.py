"""A Gemini of our own, turned toward by the settings, for each of Google's kits."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from django.conf import LazySettings

from mlops.gemini import kits
from tests.gemini import server
from tests.gemini.server import Gemini

NOW = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)
"""A Wednesday."""


def turn(settings: LazySettings, gemini: Gemini, sdk: str = "genai") -> Gemini:
    settings.GEMINI_API_KEY, settings.GEMINI_ENDPOINT = server.KEY, gemini.url
    settings.GEMINI_SDK, settings.GEMINI_MODEL = sdk, server.MODEL
    settings.GEMINI_TOKENS_PER_DAY, settings.GEMINI_USD_PER_DAY = 1_000_000, Decimal(1)
    settings.GEMINI_USD_PER_MILLION_IN, settings.GEMINI_USD_PER_MILLION_OUT = Decimal("0.30"), Decimal("2.50")
    return gemini


@pytest.fixture
def gemini(settings: LazySettings) -> Iterator[Gemini]:
    """Return a running Gemini, asked through google-genai."""
    with server.running() as running:
        yield turn(settings, running)


@pytest.fixture(params=kits.names())
def either(settings: LazySettings, request: pytest.FixtureRequest) -> Iterator[Gemini]:
    """Return a running Gemini, asked through one kit and then through the other."""
    with server.running() as running:
        yield turn(settings, running, request.param)
