"""WSGI entry point for set-ups that serve HTTP and sockets from different processes."""

from __future__ import annotations

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "julaba_site.settings")
application = get_wsgi_application()
