"""People and programs that look at the system all the time: sockets that count their frames, and readers of the API."""

from __future__ import annotations

import asyncio
import json
import random
import threading
import time
from collections.abc import Callable, Sequence

import websockets.asyncio.client as client
from websockets.exceptions import WebSocketException
from websockets.typing import Origin

from tests.soak.system import System

PATHS: Sequence[str] = (
    *("/", "/positions/", "/trades/", "/signals/", "/performance/", "/health/", "/risk/"),
    *("/api/v1/status", "/api/v1/trades", "/api/v1/signals", "/api/v1/equity", "/api/v1/events", "/metrics", "/health"),
)
PAUSE_S = 0.25
ARRIVAL_S, FIRST_WAIT_S, LONGEST_WAIT_S = 20.0, 1.0, 30.0
A_PERSON = 18
"""Fewer than an account may have open at once: one that was cut off comes back before its old place is free."""
EXPECTED = (200, 503)
"""What /health may answer; everything else answers 200."""


class Sockets(threading.Thread):
    """So many browsers, each of which connects anew when its socket closes; one account has A_PERSON of them."""

    def __init__(self, system: System, count: int) -> None:
        super().__init__(daemon=True)
        self._system, self._count, self._is_over = system, count, threading.Event()
        self._cookies = system.cookies(-(-count // A_PERSON))
        self.frames = self.lost = 0

    def run(self) -> None:
        asyncio.run(self._all())

    def end(self) -> None:
        self._is_over.set()
        self.join(timeout=30)

    async def _all(self) -> None:
        await asyncio.gather(*(self._one(self._cookies[number // A_PERSON]) for number in range(self._count)))

    async def _one(self, cookie: str) -> None:
        address, wait = self._system.url.replace("http", "ws", 1) + "/ws/live", FIRST_WAIT_S
        await asyncio.sleep(random.uniform(0, ARRIVAL_S))
        while not self._is_over.is_set():
            try:
                async with client.connect(
                    address,
                    additional_headers={"Cookie": cookie},
                    origin=Origin(self._system.url),
                    open_timeout=30,
                ) as socket:
                    wait = FIRST_WAIT_S
                    await self._listen(socket)
            except (OSError, WebSocketException, TimeoutError):
                # As a page waits: twice as long after each failure, and not all of them alike.
                await asyncio.sleep(wait * random.uniform(0.5, 1))
                wait = min(2 * wait, LONGEST_WAIT_S)

    async def _listen(self, socket: client.ClientConnection) -> None:
        seq: int | None = None
        while not self._is_over.is_set():
            try:
                frame = json.loads(await asyncio.wait_for(socket.recv(), timeout=5))
            except TimeoutError:
                continue
            self.frames += 1
            # A frame without news repeats the number of the last one.
            if frame["type"] != "snapshot" and seq is not None and frame["seq"] not in (seq, seq + 1):
                self.lost += 1
            seq = frame["seq"]


class Readers(threading.Thread):
    """One reader after the other page; what fails while nothing is being broken is counted."""

    def __init__(self, system: System, is_broken: Callable[[], bool]) -> None:
        super().__init__(daemon=True)
        self._system, self._is_broken, self._is_over = system, is_broken, threading.Event()
        self.requests = self.failed = 0
        self.failures: list[str] = []

    def run(self) -> None:
        while not self._is_over.is_set():
            for path in PATHS:
                if self._is_over.wait(PAUSE_S):
                    return
                was_broken = self._is_broken()
                status = self._system.get(path)
                self.requests += 1
                well = status in EXPECTED if path == "/health" else status == 200
                if not (well or was_broken or self._is_broken()):
                    self.failed += 1
                    self.failures.append(f"{time.strftime('%H:%M:%S')} {path} {status}")

    def end(self) -> None:
        self._is_over.set()
        self.join(timeout=30)
