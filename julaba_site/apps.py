"""The site's own app: it carries the commands that start and look after the whole system."""

from django.apps import AppConfig


class SiteConfig(AppConfig):
    name = "julaba_site"
