"""The settings with the market of two thousand pairs."""

from julaba_site.settings import *  # noqa: F403

MARKET_DATA = "tests.wide_market.SimulatedMarket"
CELERY_TASK_SOFT_TIME_LIMIT = CELERY_TASK_TIME_LIMIT = 3600  # a machine whose cores are taken is slow, not stuck
