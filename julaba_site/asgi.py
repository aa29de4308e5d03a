"""HTTP and WebSocket entry point; uvicorn runs it with --lifespan off."""

from __future__ import annotations

import os

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "julaba_site.settings")
http = get_asgi_application()

# The routing imports models, so Django has to be set up before it.
from dashboard import routing  # noqa: E402

application = routing.application(http)
