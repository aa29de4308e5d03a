"""The overview's socket: from the server to the browser, for as long as the session holds."""

from __future__ import annotations

import asyncio
import contextlib
import json
from typing import Any

from channels.generic.websocket import AsyncWebsocketConsumer
from django.conf import settings
from django.db import Error as DatabaseError

from dashboard import hub

BAD_FRAME, NO_SESSION, TOO_MANY, TRY_LATER = 4400, 4401, 4429, 1013
LONGEST_FRAME = 256
SOCKETS_PER_USER = 20
REVALIDATE_S = 60.0


class LiveConsumer(AsyncWebsocketConsumer):
    # Channels would give every socket a Redis subscription of its own; the hub has the one that is needed.
    channel_layer_alias = "none"

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._key = ""
        self._seat: hub.Seat | None = None
        self._tasks: list[asyncio.Task[None]] = []

    async def connect(self) -> None:
        self._key = self.scope["cookies"].get(settings.SESSION_COOKIE_NAME, "")
        try:
            user_id = await hub.HUB.doorman.account_of(self._key)
        except DatabaseError:
            await self.close(TRY_LATER)
            return
        if user_id is None:
            await self.close(NO_SESSION)
            return
        await self.accept()
        if hub.HUB.seats_of(user_id) >= SOCKETS_PER_USER:
            await self.close(TOO_MANY)
            return
        self._seat = hub.HUB.join(user_id)
        self._tasks = [
            asyncio.create_task(self._send_frames(self._seat)),
            asyncio.create_task(self._revalidate(self._seat)),
        ]

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        if self._seat is None:
            return
        if not _is_resync(text_data):
            self._stop()
            await self.close(BAD_FRAME)
            return
        hub.HUB.resync(self._seat)

    async def disconnect(self, code: int) -> None:
        self._stop()

    async def _send_frames(self, seat: hub.Seat) -> None:
        while True:
            frame = await seat.frames.get()
            try:
                await self.send(text_data=frame)
            except OSError:
                # The browser has gone; the disconnect that follows tidies up.
                return

    async def _revalidate(self, seat: hub.Seat) -> None:
        """Close the socket once its session has ended, its user was disabled or the password changed.

        It looks every minute, and at once when any session was ended.
        """
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(REVALIDATE_S):
                    await seat.doubt.wait()
            seat.doubt.clear()
            hub.HUB.ensure_running()
            try:
                if await hub.HUB.doorman.account_of(self._key) == seat.user_id:
                    continue
                code = NO_SESSION
            except DatabaseError:
                code = TRY_LATER
            self._stop()
            await self.close(code)
            return

    def _stop(self) -> None:
        if self._seat is not None:
            hub.HUB.leave(self._seat)
            self._seat = None
        for task in self._tasks:
            if task is not asyncio.current_task():
                task.cancel()
        self._tasks = []


def _is_resync(text: str | None) -> bool:
    if text is None or len(text) > LONGEST_FRAME:
        return False
    try:
        return bool(json.loads(text) == {"type": "resync"})
    except ValueError:
        return False
