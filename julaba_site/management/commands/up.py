"""manage.py up: the whole system in one command, until Ctrl-C."""

from __future__ import annotations

import signal
import sys
from functools import partial
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand
from django.db import connections

from julaba_site import embedded, env, startup
from julaba_site.supervisor import Child, Supervisor
from trading.models import EquityPoint, TickRun

MANAGE = [sys.executable, str(settings.BASE_DIR / "manage.py")]
UVICORN = [sys.executable, "-m", "uvicorn", "julaba_site.asgi:application", "--no-server-header"]
# Said once by ourselves, in one line.
QUIET = "-Wignore:You're running the worker with superuser"
CELERY = [sys.executable, QUIET, "-m", "celery", "-q", "-A", "julaba_site"]
WORKER = [*CELERY, "worker", "-c1", "-lWARNING", "--without-gossip", "--without-mingle", "--without-heartbeat"]
ENVIRONMENT = {
    "PYTHONPATH": str(settings.BASE_DIR),  # wherever this command was called from
    "PYTHONUNBUFFERED": "1",
    # Each child does one thing at a time: more arenas and threads would only cost memory.
    "MALLOC_ARENA_MAX": "2",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
}
REDIS_PATIENCE_S, WEB_PATIENCE_S = 10.0, 60.0


class Command(BaseCommand):
    help = "Start Redis, the web server, the workers and the schedule, look after them, and stop them on Ctrl-C."
    requires_system_checks: list[str] = []

    def handle(self, **options: Any) -> None:
        try:
            with startup.only_one(settings.JULABA_DATA_DIR):
                _run()
        except startup.StartupError as error:
            self.stderr.write(f"Julaba cannot start: {error}")
            sys.exit(2)
        except KeyboardInterrupt:  # the second one
            sys.exit(130)


def _run() -> None:
    host = env.text("JULABA_HOST", "127.0.0.1")
    origin = next(
        (o for o in settings.ALLOWED_ORIGINS if "*" not in o and "//." not in o), f"http://{host}:{settings.PORT}"
    )
    startup.check_port(host, settings.PORT)
    redis = None
    if embedded.redis_url(settings.JULABA_DATA_DIR) == settings.REDIS_URL:
        redis = startup.redis_command(settings.JULABA_DATA_DIR)
    else:
        startup.check_redis(settings.REDIS_URL)
    startup.check_database()
    with Supervisor(exit_with_parent=env.flag("JULABA_EXIT_WITH_PARENT", default=False)) as supervisor:
        if redis:
            _start_redis(supervisor, redis)
        _prepare(supervisor, origin)
        _start_web(supervisor, host, origin)
        _replay_the_past(supervisor)
        for queue in ("trading", "work"):
            command = [*WORKER, f"-Q{queue}", f"-n{queue}@%h"]
            # Left alone, a worker drops its task at once: SIGTERM would let it finish, up to a minute later.
            supervisor.start(Child(queue, command, ENVIRONMENT, orphan_signal=signal.SIGQUIT))
        supervisor.start(Child("beat", [*CELERY, "beat", "-lWARNING"], ENVIRONMENT))
        supervisor.run()


def _start_redis(supervisor: Supervisor, command: list[str]) -> None:
    supervisor.start(Child("redis", command))
    path = embedded.socket_path(settings.JULABA_DATA_DIR)
    if not supervisor.run(lambda: startup.redis_answers(path), timeout=REDIS_PATIENCE_S) and not supervisor.is_stopping:
        raise startup.StartupError(
            f"{command[0]} does not answer: see its lines above, or set REDIS_URL to a Redis that runs"
        )


def _prepare(supervisor: Supervisor, origin: str) -> None:
    """Bring the tables up to date, and make the first account on the first start."""
    if supervisor.is_stopping:
        return
    call_command("migrate", verbosity=0, interactive=False)
    password = startup.create_operator()
    connections.close_all()
    if password:
        supervisor.say(
            "",
            f"    Address   {origin}/",
            f"    Account   {startup.OPERATOR}",
            f"    Password  {password}",
            "",
            f"    This password is shown only now: choose your own at {origin}/password/",
            f"    When it is lost: {' '.join(MANAGE)} changepassword {startup.OPERATOR}",
            "",
        )


def _start_web(supervisor: Supervisor, host: str, origin: str) -> None:
    listen = [f"--host={host}", f"--port={settings.PORT}", "--ws=websockets-sansio", "--lifespan=off"]
    command = [*UVICORN, *listen, "--log-level=warning", "--timeout-graceful-shutdown=5"]
    supervisor.start(Child("web", command, ENVIRONMENT))
    answers = partial(startup.page_answers, host, settings.PORT, origin=origin)
    if supervisor.run(answers, timeout=WEB_PATIENCE_S):
        supervisor.say(f"Julaba answers on {origin}/ - Ctrl-C stops it")
    elif not supervisor.is_stopping:
        supervisor.say(f"the pages on {origin}/ do not answer yet: see the lines of web; trading starts all the same")


def _replay_the_past(supervisor: Supervisor) -> None:
    """Give the first start of the simulated market a past, so that every page has something to show."""
    is_simulated = settings.MARKET_DATA.endswith(".SimulatedMarket")
    if supervisor.is_stopping or not is_simulated or TickRun.objects.exists() or EquityPoint.objects.exists():
        return
    connections.close_all()
    demo = Child("demo", [*MANAGE, "demo"], ENVIRONMENT, runs_once=True)
    supervisor.start(demo)
    supervisor.run(lambda: demo.exit_code is not None)
    if demo.exit_code:
        supervisor.say("the simulated past could not be replayed, so trading starts without one")
