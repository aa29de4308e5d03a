"""What the services ask of a channel, and the two ways in which it fails."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from django.contrib.auth.models import User

Buttons = Sequence[Sequence[tuple[str, str]]]
"""Rows of (label, data)."""


class Unavailable(Exception):
    """It was not delivered now, or nobody knows; it is tried again, not before `retry_after` where that is given."""

    def __init__(self, cause: str, *, retry_after: timedelta | None = None) -> None:
        super().__init__(cause)
        self.retry_after = retry_after


class Refused(Exception):
    """It will never be taken as it is.

    `is_markup` says that the words alone may be, `is_gone` that the message to be replaced is no more, `is_unwanted`
    that this chat takes nothing from us, `moved_to` that it has another number now.
    """

    def __init__(
        self,
        cause: str,
        *,
        is_markup: bool = False,
        is_gone: bool = False,
        is_unwanted: bool = False,
        moved_to: int | None = None,
    ) -> None:
        super().__init__(cause)
        self.is_markup, self.is_gone, self.is_unwanted, self.moved_to = is_markup, is_gone, is_unwanted, moved_to


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """A picture or a document that a message carries."""

    name: str
    media: str
    content: bytes

    @property
    def is_picture(self) -> bool:
        return self.media.startswith("image/")


@dataclass(frozen=True, slots=True, kw_only=True)
class Outgoing:
    """One message as Telegram takes it: HTML unless `is_plain`; `edits` is the message it replaces.

    With a `file`, the text is its caption.
    """

    chat_id: int
    text: str
    buttons: Buttons = ()
    edits: int | None = None
    is_silent: bool = False
    is_plain: bool = False
    file: File | None = None


class Said(Protocol):
    """What an assistant answered; one that is not final is followed by another message (settings.ANSWER_LISTENER)."""

    @property
    def text(self) -> str: ...
    @property
    def is_final(self) -> bool: ...


class Assistant(Protocol):
    """Answers in plain text, and does nothing else. Never raises over a question; settings.ASSISTANT names it.

    `reply_to` is the channel that a later answer goes to.
    """

    def ask(self, question: str, *, user: User, reply_to: str, now: datetime) -> Said: ...
    def analyse(self, symbol: str, *, user: User, reply_to: str, now: datetime) -> Said: ...
    def comment(self, *, now: datetime) -> Said: ...
    def status(self, *, now: datetime) -> Sequence[tuple[str, str]]: ...


class Reporter(Protocol):
    """Tells of scorecards and models in parts: a sentence or a heading, and the rows below it; settings.REPORTER names it."""

    def ai_report(self, *, days: int) -> Sequence[tuple[str, Sequence[Sequence[str]]]]: ...
    def ml(self) -> Sequence[tuple[str, Sequence[Sequence[str]]]]: ...
    def ml_report(self) -> Sequence[tuple[str, Sequence[Sequence[str]]]]: ...
    def opinions(self) -> Mapping[str, str]: ...
    def accuracy(self) -> Mapping[str, float]: ...
    def brief(self, *, days: int) -> Sequence[tuple[str, str]]: ...


class LogEntry(Protocol):
    """One entry of the log without secrets; `level` is empty where a program wrote it by itself."""

    @property
    def at(self) -> datetime: ...
    @property
    def process(self) -> str: ...
    @property
    def level(self) -> str: ...
    @property
    def text(self) -> str: ...


class LogReader(Protocol):
    """Returns the newest entries of the log, newest first, of at least `level`; settings.LOG_READER names it."""

    def __call__(self, *, count: int, level: str) -> Sequence[LogEntry]: ...
