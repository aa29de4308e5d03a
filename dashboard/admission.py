"""Whose sessions sockets come with. However many ask in the same moment, their sessions are read together.

Each socket on its own cost a thread's turn, a connection and two queries: two hundred at once kept the web process from
everything else, when they came and again when a session ended and each looked whether it was its own.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime
from itertools import islice
from typing import Any

from channels.db import database_sync_to_async
from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.db import Error as DatabaseError
from django.utils import timezone
from django.utils.crypto import constant_time_compare

from dashboard import sessions, twofactor

MOST_AT_ONCE = 100
"""Sessions of one reading; SQLite takes no endless lists, and others want the thread, too."""


def accounts(keys: Sequence[str], *, now: datetime) -> Mapping[str, int]:
    """Return the account of each session that holds: of an active user, not over, not in front of its second step. Two queries."""
    rows = Session.objects.filter(session_key__in=keys, expire_date__gt=now)
    kept: dict[str, dict[str, Any]] = {row.session_key: row.get_decoded() for row in rows}
    ids = {key: int(session[SESSION_KEY]) for key, session in kept.items() if SESSION_KEY in session}
    users = User.objects.filter(is_active=True).in_bulk(set(ids.values()))
    return {
        key: user.pk
        for key, session in kept.items()
        if (user := users.get(ids.get(key, 0)))
        and session.get(BACKEND_SESSION_KEY) in settings.AUTHENTICATION_BACKENDS
        and constant_time_compare(session.get(HASH_SESSION_KEY) or "", user.get_session_auth_hash())
        and not sessions.is_over(session, now=now)
        and not twofactor.is_waiting(session)
    }


class Doorman:
    """Answers whose a session is, by readings that began after it was asked."""

    def __init__(self) -> None:
        self._waiting: dict[str, asyncio.Future[int | None]] = {}
        self._reading: asyncio.Task[None] | None = None

    async def account_of(self, key: str) -> int | None:
        """Return the account of a session that holds, else None. Raises DatabaseError."""
        loop = asyncio.get_running_loop()
        asked = self._waiting.setdefault(key, loop.create_future())
        if self._reading is None or self._reading.done():
            self._reading = loop.create_task(self._read(), name="doorman")
        # A socket that goes away meanwhile takes the answer from nobody else with the same session.
        return await asyncio.shield(asked)

    async def _read(self) -> None:
        while keys := list(islice(self._waiting, MOST_AT_ONCE)):
            asked = {key: self._waiting.pop(key) for key in keys}
            try:
                found = await database_sync_to_async(accounts)(keys, now=timezone.now())
            except DatabaseError as error:
                for answer in asked.values():
                    answer.set_exception(error)
                    answer.exception()  # whoever asked may have gone, and nobody need hear of it then
                continue
            for key, answer in asked.items():
                answer.set_result(found.get(key))
