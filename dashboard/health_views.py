"""What machines ask: does the process live, can it serve, and is trading well?"""

from __future__ import annotations

from functools import cache
from pathlib import Path

from django.apps import apps
from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.db import Error as DatabaseError
from django.db import connection
from django.db.migrations.recorder import MigrationRecorder
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from dashboard import health_sheet, metrics
from dashboard.health_sheet import BAD, OK, Check
from trading import selectors

READY = ("Database", "Redis", "Migrations", "Tick", "Worker for everything else")
"""What a site that has just been started needs before anybody is sent to it."""


@never_cache
@login_not_required
@require_safe
def livez(request: HttpRequest) -> HttpResponse:
    """Answer as long as the process does; nothing else is asked, so that a database away restarts no web process."""
    return HttpResponse("ok\n", content_type="text/plain")


@never_cache
@login_not_required
@require_safe
def readyz(request: HttpRequest) -> HttpResponse:
    return _answer(request, [check for check in _found() if check.name in READY], well="ready", ill="not ready")


@never_cache
@login_not_required
@require_safe
def health(request: HttpRequest) -> HttpResponse:
    """Say healthy, or 503 with the reasons; strangers hear only which of the two."""
    return _answer(request, _found(), well="healthy", ill="unhealthy")


def _found() -> list[Check]:
    try:
        missing = missing_migrations()
        migrated = Check(
            name="Migrations",
            state=BAD if missing else OK,
            text=f"{len(missing)} are missing, the first is {missing[0]}" if missing else "all are applied",
            advice="Run manage.py migrate, then start the processes anew.",
        )
        return [migrated, *health_sheet.checks(selectors.bot(), now=timezone.now())]
    except DatabaseError as error:
        advice = "Start it, or correct DATABASE_URL; what rests at the venue stays there."
        return [Check(name="Database", state=BAD, text=str(error).splitlines()[0][:200], advice=advice)]


def missing_migrations() -> list[str]:
    """Return the migrations of this code that the database does not have."""
    applied = {f"{app}.{name}" for app, name in MigrationRecorder(connection).applied_migrations()}
    return [name for name in _migrations() if name not in applied]


@cache
def _migrations() -> tuple[str, ...]:
    """Return every migration of the installed apps, read from the names of files: to import them takes megabytes."""
    found = []
    for app in apps.get_app_configs():
        folder = Path(app.path) / "migrations"
        names = sorted(path.stem for path in folder.glob("[0-9]*.py"))
        found += [f"{app.label}.{name}" for name in names if app.models_module is not None]
    return tuple(found)


def _is_known(request: HttpRequest) -> bool:
    try:
        return metrics.knows_token(request) or request.user.is_authenticated
    except DatabaseError:
        return False


def _answer(request: HttpRequest, checks: list[Check], *, well: str, ill: str) -> HttpResponse:
    is_bad = health_sheet.overall(checks) == BAD
    body: dict[str, object] = {"status": ill if is_bad else well}
    if _is_known(request):
        body |= {
            "version": settings.CODE_VERSION,
            "reasons": [f"{check.name}: {check.text}" for check in checks if check.state == BAD],
            "checks": [
                {
                    "name": check.name,
                    "ok": check.state != BAD,
                    "state": check.state,
                    "text": check.text,
                    "seen_at": check.at.isoformat() if check.at else None,
                    "advice": "" if check.state == OK else check.advice,
                }
                for check in checks
            ],
        }
    return JsonResponse(body, status=503 if is_bad else 200)
