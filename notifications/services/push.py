"""Messages that nobody asked for: to every chat that wants the kind, and to the addresses of the settings."""

from __future__ import annotations

from datetime import datetime

from django.conf import settings

from notifications import rendering
from notifications.kinds import KINDS
from notifications.models import Contact, Severity, Voice
from notifications.ports import Buttons
from notifications.rendering import Line
from notifications.services import contacts, outbox


def everywhere(
    kind: str, *, key: str, title: str, lines: list[Line], now: datetime, severity: Severity, buttons: Buttons = ()
) -> int:
    """Write a message for everybody who wants it, once under its key, and return for how many channels."""
    parts = rendering.pages(title, lines)
    channels: list[tuple[str, bool]] = []
    if settings.TELEGRAM_TOKEN:
        voices = [(contact.chat_id, voice(contact, kind)) for contact in contacts.receivers()]
        channels += [(outbox.chat(chat), heard == Voice.SILENT) for chat, heard in voices if heard != Voice.OFF]
    if KINDS[kind].voice != Voice.OFF:
        channels += [(outbox.address(url), False) for url in settings.NOTIFY_URLS]
    if not channels and severity == Severity.CRITICAL:
        channels = [(outbox.address(url), False) for url in settings.FALLBACK_URLS]
    for channel, is_silent in channels:
        for number, part in enumerate(parts):
            outbox.put(
                key=key if number == 0 else f"{key}/{number + 1}",
                channel=channel,
                kind=kind,
                severity=severity,
                text=part,
                buttons=buttons if number == len(parts) - 1 and channel.startswith(outbox.TELEGRAM) else (),
                is_silent=is_silent,
                now=now,
            )
    return len(channels)


def voice(contact: Contact, kind: str) -> Voice:
    """Return how a contact hears of a kind: as set for it, else as the kind says."""
    chosen = {preference.kind: preference.voice for preference in contact.preferences.all()}
    return Voice(chosen.get(kind, KINDS[kind].voice))
