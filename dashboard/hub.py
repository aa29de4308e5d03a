"""One hub for each web process: it hears of news once, renders once, and hands the same frames to every socket.

    journal.news -> due -> render (at most two a second) -> frames of the panels that changed -> every seat

A frame carries `seq`, which grows by one with each change in this process; who misses one asks for a snapshot.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from channels.db import database_sync_to_async
from channels.exceptions import ChannelFull
from channels.layers import get_channel_layer
from django.db import Error as DatabaseError
from django.utils import timezone
from redis.exceptions import RedisError

from dashboard import overview
from dashboard.admission import Doorman
from dashboard.overview import Rendered
from dashboard.push import GROUP, PATIENCE_S, SESSION_ENDED

SPACING_S = 0.5
BEAT_S = 4.0
QUEUE_FRAMES = 32
FIRST_RETRY_S, LONGEST_RETRY_S = 0.5, 5.0
ASKED_ANEW = frozenset({"run", "trade_notes", "training"})
"""Kinds of news that change no panel, but parts of pages: those are told of the kind and ask for themselves anew."""

logger = logging.getLogger(__name__)


class Seat:
    """One socket's place: frames that are ready to send, and whether it needs everything anew."""

    def __init__(self, user_id: int) -> None:
        self.user_id = user_id
        self.frames: asyncio.Queue[str] = asyncio.Queue(maxsize=QUEUE_FRAMES)
        self.is_behind = True
        self.doubt = asyncio.Event()
        """Set when a session has ended somewhere: perhaps it was this one."""

    def offer(self, frame: str) -> bool:
        """Queue a frame; where the socket is too slow, forget what waits and answer False."""
        if self.frames.full():
            self._forget()
            self.is_behind = True
            return False
        self.frames.put_nowait(frame)
        return True

    def restart(self, snapshot: str) -> None:
        self._forget()
        self.is_behind = False
        self.frames.put_nowait(snapshot)

    def _forget(self) -> None:
        while not self.frames.empty():
            self.frames.get_nowait()


class Hub:
    """Lives in the loop of the first socket; its two tasks start with it and are started again should they end."""

    def __init__(self) -> None:
        self._seats: set[Seat] = set()
        self._seq = 0
        self._shown = Rendered(panels={}, equity=[])
        self._due = asyncio.Event()
        self._kinds: set[str] = set()
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self.doorman = Doorman()

    def join(self, user_id: int) -> Seat:
        """Return a seat whose first frame will be a snapshot."""
        seat = Seat(user_id)
        self._seats.add(seat)
        self.ensure_running()
        self._due.set()
        return seat

    def leave(self, seat: Seat) -> None:
        self._seats.discard(seat)

    def resync(self, seat: Seat) -> None:
        seat.is_behind = True
        self._due.set()

    def seats_of(self, user_id: int) -> int:
        return sum(seat.user_id == user_id for seat in self._seats)

    @property
    def size(self) -> int:
        """Return how many sockets are served."""
        return len(self._seats)

    def ensure_running(self) -> None:
        for name, work in (("hub-listen", self._listen), ("hub-render", self._render)):
            task = self._tasks.get(name)
            if task is None or task.done():
                self._tasks[name] = asyncio.get_running_loop().create_task(self._keep(work), name=name)

    async def _keep(self, work: Callable[[], Awaitable[None]]) -> None:
        """Do the work again after an outage, waiting longer each time."""
        loop, wait = asyncio.get_running_loop(), FIRST_RETRY_S
        while True:
            started = loop.time()
            try:
                await work()
            except (RedisError, OSError, ChannelFull, DatabaseError) as error:
                if loop.time() - started > LONGEST_RETRY_S:
                    wait = FIRST_RETRY_S
                if wait == FIRST_RETRY_S:
                    logger.warning("live view interrupted, trying again: %s", error)
                await asyncio.sleep(wait)
                wait = min(2 * wait, LONGEST_RETRY_S)
                self._due.set()

    async def _listen(self) -> None:
        layer: Any = get_channel_layer()
        loop = asyncio.get_running_loop()
        receiving: asyncio.Future[dict[str, Any]] | None = None
        try:
            channel = await layer.new_channel("hub")
            await layer.group_add(GROUP, channel)
            # Whatever happened while nobody listened is shown now.
            self._due.set()
            beat_at = loop.time()
            while True:
                # Not wait_for: a canceled receive() takes its channel out of the layer.
                receiving = receiving or asyncio.ensure_future(layer.receive(channel))
                done, _ = await asyncio.wait({receiving}, timeout=max(0.0, beat_at - loop.time()))
                if not done:
                    # The heartbeat goes the way of the news, so it stops when that way is broken.
                    async with asyncio.timeout(PATIENCE_S):
                        await layer.send(channel, {"type": "hub.beat"})
                    beat_at = loop.time() + BEAT_S
                    continue
                message, receiving = receiving.result(), None
                if message["type"] == "hub.beat":
                    self._offer_all(self._frame("beat"))
                elif message.get("kind") == SESSION_ENDED:
                    for seat in self._seats:
                        seat.doubt.set()
                elif message.get("kind") in ASKED_ANEW:
                    self._kinds.add(message["kind"])
                # A heartbeat renders too: the layer may lose news, the rows do not.
                self._due.set()
        except (RedisError, OSError):
            # Starts the layer's connections anew; its own receiver would log a traceback every second.
            await layer.flush()
            raise
        finally:
            if receiving is not None:
                receiving.cancel()

    async def _render(self) -> None:
        while True:
            await self._due.wait()
            self._due.clear()
            # Who comes while it renders waits for the next: the page it stands on may be newer than what is rendered now.
            behind = [seat for seat in self._seats if seat.is_behind]
            if self._seats:
                self._publish(await database_sync_to_async(overview.render)(timezone.now()), behind)
            await asyncio.sleep(SPACING_S)

    def _publish(self, rendered: Rendered, behind: Sequence[Seat] = ()) -> None:
        """Send what changed to those who are up to date, and everything to those who are `behind`."""
        shown, self._shown = self._shown, rendered
        news: dict[str, Any] = {}
        if changed := {name: html for name, html in rendered.panels.items() if html != shown.panels.get(name)}:
            news["panels"] = changed
        if rendered.equity != shown.equity:
            news["equity"] = rendered.equity
        kinds, self._kinds = self._kinds, set()
        if kinds:
            news["kinds"] = sorted(kinds)
        if news:
            self._seq += 1
            self._offer_all(self._frame("panels", **news))
        if behind:
            snapshot = self._frame("snapshot", panels=rendered.panels, equity=rendered.equity)
            for seat in behind:
                seat.restart(snapshot)

    def _offer_all(self, frame: str) -> None:
        for seat in self._seats:
            if not seat.is_behind and not seat.offer(frame):
                self._due.set()

    def _frame(self, kind: str, **content: Any) -> str:
        head = {"type": kind, "seq": self._seq, "now": timezone.now().isoformat()}
        return json.dumps({**head, **content}, separators=(",", ":"))


HUB = Hub()
