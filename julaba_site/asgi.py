"""HTTP and WebSocket entry point; uvicorn runs it with --lifespan off."""

from __future__ import annotations

import os

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "julaba_site.settings")
django.setup(set_prefix=False)

# They import models, so Django has to be set up before.
from dashboard import routing  # noqa: E402
from dashboard.handler import Handler  # noqa: E402

application = routing.application(Handler())
