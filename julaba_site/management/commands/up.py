"""manage.py up: the whole system in one command, until Ctrl-C."""

from __future__ import annotations

import os
import sys
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand
from django.db import connections

from julaba_site import embedded, env, startup
from julaba_site.stack import MANAGE, Stack
from trading.models import Bot, EquityPoint, TickRun


class Command(BaseCommand):
    help = "Start Redis, the web server, the workers and the schedule, look after them, and stop them on Ctrl-C."
    requires_system_checks: list[str] = []

    def handle(self, **options: Any) -> None:
        try:
            stack = self._prepare()
        except startup.StartupError as error:
            self.stderr.write(f"Julaba cannot start: {error}")
            sys.exit(2)
        except KeyboardInterrupt:
            sys.exit(130)
        stack.take_over()

    def _prepare(self) -> Stack:
        """Check everything before anything is changed, then bring the database up to date."""
        host = env.text("JULABA_HOST", "127.0.0.1")
        parent = os.getppid() if env.flag("JULABA_EXIT_WITH_PARENT", default=False) else None
        startup.take_lock(settings.JULABA_DATA_DIR)
        startup.check_port(host, settings.PORT)
        redis_command = None
        if embedded.redis_url(settings.JULABA_DATA_DIR) == settings.REDIS_URL:
            redis_command = startup.redis_command(settings.JULABA_DATA_DIR)
        else:
            startup.check_redis(settings.REDIS_URL)
        startup.check_secrets()
        startup.check_settings()
        startup.check_strategies()
        startup.check_database()

        call_command("migrate", verbosity=0, interactive=False)
        Bot.objects.filter(is_replaying=True).update(is_replaying=False)  # what was killed in the middle of it
        origin = startup.origin(host)
        self._introduce(origin)
        has_past = TickRun.objects.exists() or EquityPoint.objects.exists()
        connections.close_all()
        return Stack(
            host=host,
            port=settings.PORT,
            origin=origin,
            redis_command=redis_command,
            redis_socket=str(embedded.socket_path(settings.JULABA_DATA_DIR)),
            needs_past=settings.MARKET_DATA.endswith(".SimulatedMarket") and not has_past,
            needs_stream=settings.EXCHANGE != "simulated",
            parent=parent,
            log=str(settings.JULABA_DATA_DIR / "logs" / "julaba.log"),
            proxies=",".join(settings.TRUSTED_PROXIES),
        )

    def _introduce(self, origin: str) -> None:
        """Make the first account on the first start, and show its password the only time."""
        if password := startup.create_operator():
            self.stdout.write(f"""
    Address   {origin}/
    Account   {startup.OPERATOR}
    Password  {password}

    This password is shown only now: choose your own at {origin}/password/
    When it is lost: {" ".join(MANAGE)} changepassword {startup.OPERATOR}
""")
            self.stdout.flush()
