"""Who may ask, and how often: keys, signatures, the receive window, weights and bans."""

from __future__ import annotations

import hashlib
import hmac
import re
from collections import Counter, deque
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from tests.venue.engine import Clock
from tests.venue.values import Key
from tests.venue.wire import Request

API_KEY = "fakevenueApiKey0000000000000000000000000000000000000000000000001"
API_SECRET = "fakevenueSecret000000000000000000000000000000000000000000000001"
_SIGNATURE = re.compile(r"(^|&)signature=([^&]*)")
_MINUTE_MS = 60_000


class Denied(StrEnum):
    """Why a signed request is turned away before it is read."""

    NO_KEY = "no_key"
    UNKNOWN_KEY = "unknown_key"
    NO_TIMESTAMP = "no_timestamp"
    WINDOW_TOO_WIDE = "window_too_wide"
    LATE = "late"
    AHEAD = "ahead"
    SIGNATURE = "signature"


def judge(request: Request, params: dict[str, str], *, header: str, key: Key, now: int) -> Denied | None:
    """Return what is wrong with a signed request at the moment it is processed, or None."""
    sent = request.headers.get(header, "")
    if not sent or not sent.isalnum() or len(sent) != len(API_KEY):
        return Denied.NO_KEY if not sent or not sent.isalnum() else Denied.UNKNOWN_KEY
    if sent != API_KEY or key.revoked:
        return Denied.UNKNOWN_KEY
    if not params.get("timestamp", "").isdecimal():
        return Denied.NO_TIMESTAMP
    window = int(params.get("recvWindow", "5000"))
    at = int(params["timestamp"])
    if window > _MINUTE_MS:
        return Denied.WINDOW_TOO_WIDE
    if at >= now + 1000:
        return Denied.AHEAD
    if now - at > window:
        return Denied.LATE
    return None if _is_signed(request) else Denied.SIGNATURE


def _is_signed(request: Request) -> bool:
    """Return whether the signature covers the query and the body, byte for byte, without itself."""
    found = _SIGNATURE.search(request.query) or _SIGNATURE.search(request.body)
    if found is None:
        return False
    covered = _SIGNATURE.sub("", request.query) + _SIGNATURE.sub("", request.body)
    right = hmac.new(API_SECRET.encode(), covered.encode(), hashlib.sha256).hexdigest()
    return hmac.compare_digest(right, found.group(2))


@dataclass
class Throttle:
    """The request weight of one address: over the limit is 429, and going on regardless is 418."""

    clock: Clock
    weight_limit: int | None = None
    order_limit: int | None = None
    tolerance: int = 3
    retry_after_s: float = 5.0
    ban_s: float = 120.0
    used: int = 0
    defied: int = 0
    minute: int = 0
    limited_until: int = 0
    banned_until: int = 0
    order_times: deque[int] = field(default_factory=deque)

    def refuse(self, weight: int) -> int:
        """Return 0 when the request may pass, else 429 or 418."""
        now = self.clock.now()
        if now < self.banned_until:
            return 418
        if now < self.limited_until:
            self.defied += 1
            if self.defied > self.tolerance:
                self.ban(self.ban_s)
                return 418
            return 429
        if now // _MINUTE_MS != self.minute:
            self.minute, self.used = now // _MINUTE_MS, 0
        self.used += weight
        if self.weight_limit is not None and self.used > self.weight_limit:
            self.limit(((self.minute + 1) * _MINUTE_MS - now) / 1000)
            return 429
        return 0

    def has_too_many_orders(self) -> bool:
        """Count one new order; true when the last ten seconds hold more than allowed."""
        now = self.clock.now()
        while self.order_times and self.order_times[0] <= now - 10_000:
            self.order_times.popleft()
        if self.order_limit is not None and len(self.order_times) >= self.order_limit:
            return True
        self.order_times.append(now)
        return False

    def limit(self, seconds: float) -> None:
        self.limited_until, self.defied = self.clock.now() + int(seconds * 1000), 0

    def ban(self, seconds: float) -> None:
        self.banned_until = self.clock.now() + int(seconds * 1000)

    def heal(self) -> None:
        self.limited_until = self.banned_until = self.defied = self.used = 0

    def wait_s(self) -> int:
        """Return the seconds that Retry-After names."""
        return max(1, -(-(max(self.limited_until, self.banned_until) - self.clock.now()) // 1000))


class Log:
    """What was asked and how it was answered, for `GET /log`."""

    def __init__(self) -> None:
        self.requests: deque[dict[str, Any]] = deque(maxlen=2000)
        self.by_endpoint: Counter[str] = Counter()
        self.by_status: Counter[str] = Counter()
        self.weight = 0

    def note(self, exchange: str, endpoint: str, *, status: int, weight: int, at: int) -> None:
        """Add one answered request; status 0 means that the connection was cut."""
        self.requests.append({"exchange": exchange, "endpoint": endpoint, "status": status, "at": at})
        self.by_endpoint[f"{exchange} {endpoint}"] += 1
        self.by_status[str(status)] += 1
        self.weight += weight

    def summary(self) -> dict[str, Any]:
        return {
            "total": self.by_endpoint.total(),
            "weight": self.weight,
            "by_endpoint": self.by_endpoint,
            "by_status": self.by_status,
            "limited": self.by_status["429"],
            "banned": self.by_status["418"],
            "requests": list(self.requests),
        }
