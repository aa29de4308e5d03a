"""Django configuration of the trading app."""

from django.apps import AppConfig


class TradingConfig(AppConfig):
    name = "trading"
