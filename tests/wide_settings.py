"""The settings with the market of two thousand pairs."""

from julaba_site.settings import *  # noqa: F403

MARKET_DATA = "tests.wide_market.SimulatedMarket"
