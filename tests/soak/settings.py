"""The settings of a soak: the product's own, on a market that is sixty times as fast."""

from __future__ import annotations

from julaba_site.settings import *  # noqa: F403

MARKET_DATA = "tests.soak.market.SimulatedMarket"
