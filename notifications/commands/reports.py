"""How right the AI was, what each filter was worth, and which models speak."""

from __future__ import annotations

from collections.abc import Sequence

from django.conf import settings
from django.utils.module_loading import import_string

from notifications.ports import Reporter
from notifications.rendering import Line, table, text
from notifications.services.registry import Reply, Request, command, whole

GROUP = "Assistant"


def reporter() -> Reporter:
    made: Reporter = import_string(settings.REPORTER)()
    return made


@command("ai_report", group=GROUP, usage="[days]", help="How right the AI was, and which filters earn or cost")
def ai_report(request: Request) -> Reply:
    days = whole(request.args, default=30, most=3650)
    return Reply(title="AI report", lines=_lines(reporter().ai_report(days=days)), is_refreshed=True)


@command("ml", group=GROUP, help="Which models speak, and how much they move")
def ml(request: Request) -> Reply:
    return Reply(title="ML", lines=_lines(reporter().ml()), is_refreshed=True)


@command("ml_report", group=GROUP, help="Models on record, drift, samples, trainings")
def ml_report(request: Request) -> Reply:
    return Reply(title="ML report", lines=_lines(reporter().ml_report()), is_refreshed=True)


def _lines(parts: Sequence[tuple[str, Sequence[Sequence[str]]]]) -> list[Line]:
    lines: list[Line] = []
    for words, rows in parts:
        lines += text(words) if words else []
        lines += table(rows)
    return lines
