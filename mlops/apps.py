"""Django configuration of the mlops app."""

from django.apps import AppConfig


class MlopsConfig(AppConfig):
    name = "mlops"
