"""Questions in words: handed to the assistant that the settings name, and answers that come later, sent where they were asked."""

from __future__ import annotations

import textwrap
from datetime import datetime

from django.conf import settings
from django.utils.module_loading import import_string

from notifications import rendering
from notifications.ports import Assistant
from notifications.rendering import Line
from notifications.services import outbox

LONGEST_LINE = 800


def assistant() -> Assistant:
    made: Assistant = import_string(settings.ASSISTANT)()
    return made


def lines(words: str) -> list[Line]:
    """Return an answer's lines, none so long that it would be cut."""
    parts = (textwrap.wrap(line, LONGEST_LINE) or [""] for line in words.splitlines())
    return rendering.text(*(part for group in parts for part in group))


def hear(*, key: str, channel: str, title: str, text: str, now: datetime) -> None:
    """Send an answer that was waited for; settings.ANSWER_LISTENER names this. The sweep delivers it."""
    for number, part in enumerate(rendering.pages(title, lines(text))):
        outbox.put(key=f"{key}:{number}", channel=channel, kind=outbox.REPLY, text=part, now=now)
