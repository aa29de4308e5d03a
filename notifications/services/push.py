"""Messages that nobody asked for: to every chat that wants the kind, and to the addresses of the settings."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from django.conf import settings
from django.contrib.auth.models import User
from django.db import transaction

from notifications import rendering
from notifications.kinds import KINDS
from notifications.models import Contact, Severity, Voice
from notifications.ports import Buttons, File
from notifications.rendering import Line
from notifications.services import contacts, outbox

Whom = Callable[[User], bool]
"""Whether a message is for somebody."""


def everywhere(
    kind: str,
    *,
    key: str,
    title: str,
    lines: list[Line],
    now: datetime,
    severity: Severity,
    buttons: Buttons = (),
    file: File | None = None,
    whom: Whom | None = None,
) -> int:
    """Write a message for everybody who wants it (of those that `whom` names), once under its key; return for how many channels.

    The words stand under the file where they fit there, else they follow it.
    """
    parts = rendering.pages(title, lines)
    if file is not None:
        under = rendering.pages(title, lines, longest=rendering.LONGEST_CAPTION)
        parts = under if len(under) == 1 else [rendering.pages(title, [])[0], *parts]
    found = channels(kind, severity, whom)
    with transaction.atomic():
        kept = outbox.attach(file, now=now) if file is not None and found else None
        for channel, is_silent in found:
            for number, part in enumerate(parts):
                outbox.put(
                    key=key if number == 0 else f"{key}/{number + 1}",
                    channel=channel,
                    kind=kind,
                    severity=severity,
                    text=part,
                    buttons=buttons if number == len(parts) - 1 and channel.startswith(outbox.TELEGRAM) else (),
                    is_silent=is_silent,
                    attachment=kept if number == 0 else None,
                    now=now,
                )
    return len(found)


def channels(kind: str, severity: Severity, whom: Whom | None = None) -> list[tuple[str, bool]]:
    """Return the channels that want a kind, and whether without a sound; an address is nobody's, so `whom` leaves it out."""
    found: list[tuple[str, bool]] = []
    if settings.TELEGRAM_TOKEN:
        voices = [(contact.chat_id, voice(contact, kind)) for contact in contacts.receivers(whom)]
        found += [(outbox.chat(chat), heard == Voice.SILENT) for chat, heard in voices if heard != Voice.OFF]
    if whom is None and KINDS[kind].voice != Voice.OFF:
        found += [(outbox.address(url), False) for url in settings.NOTIFY_URLS]
    if whom is None and not found and severity == Severity.CRITICAL:
        found = [(outbox.address(url), False) for url in settings.FALLBACK_URLS]
    return found


def voice(contact: Contact, kind: str) -> Voice:
    """Return how a contact hears of a kind: as set for it, else as the kind says."""
    chosen = {preference.kind: preference.voice for preference in contact.preferences.all()}
    return Voice(chosen.get(kind, KINDS[kind].voice))
