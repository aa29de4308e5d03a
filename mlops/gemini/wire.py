"""One HTTP exchange with Gemini's address: whole within its deadline and its size, to one host, without redirects.

Both kits of Google's speak through it, so what an answer may be is decided in one place. A deadline holds for every
single read, so an answer that drips in cannot stretch it.
"""

from __future__ import annotations

import http.client
import io
import json
import math
import socket
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NoReturn
from urllib.parse import urlsplit

import certifi

HOST = "generativelanguage.googleapis.com"
LONGEST = 64 * 1024
"""Bytes that an answer may have; those that are asked for have a tenth of it."""
LONGEST_REQUEST = 256 * 1024
LOOPBACK = ("127.0.0.1", "localhost", "::1")
_OURS = ("host", "connection", "accept-encoding", "content-length", "transfer-encoding")
"""Headers that the wire writes itself: a packed answer could unpack to any size."""


class NoAnswer(Exception):
    """There is no answer that can be used; the sentence says why. `is_billed`: it may have been charged for.

    `is_quota` says that asking again soon is of no use, `is_overreach` that the answer wanted more than it may.
    """

    def __init__(self, reason: str, *, is_billed: bool, is_quota: bool = False, is_overreach: bool = False) -> None:
        super().__init__(reason)
        self.is_billed = is_billed
        self.is_quota = is_quota
        self.is_overreach = is_overreach


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Wire:
    """One call's way out: `endpoint` is scheme, host and port, `deadline` is on the clock time.monotonic."""

    endpoint: str
    deadline: float

    def exchange(self, *, method: str, url: str, headers: Mapping[str, str], body: bytes) -> Answered:
        """Send a request and return the answer, which is known to be one of Gemini's; raises NoAnswer."""
        target, allowed = urlsplit(url), urlsplit(self.endpoint)
        if (target.scheme, target.netloc) != (allowed.scheme, allowed.netloc):
            raise NoAnswer("the request was for another host than GEMINI_ENDPOINT names", is_billed=False)
        if len(body) > LONGEST_REQUEST:
            raise NoAnswer("the question is too long to be sent", is_billed=False)
        connection = self._connection(allowed.scheme, allowed.hostname or "", allowed.port)
        path = f"{target.path}?{target.query}" if target.query else target.path
        try:
            connection.connect()
        except (OSError, NoAnswer) as failure:
            connection.close()
            raise NoAnswer(f"Gemini cannot be reached: {_words(failure)}", is_billed=False) from failure
        connected: Any = connection.sock
        try:
            kept = {name: value for name, value in headers.items() if name.lower() not in _OURS}
            connection.request(method, path, body, {**kept, "Connection": "close"})
            came = connection.getresponse()
            told = Answered(status=came.status, headers=dict(came.getheaders()), body=came.read(LONGEST + 1))
        except TimeoutError as late:
            raise NoAnswer("Gemini did not answer in time", is_billed=True) from late
        except (OSError, http.client.HTTPException, ValueError) as failure:
            raise NoAnswer(f"the connection to Gemini broke: {_words(failure)}", is_billed=True) from failure
        finally:
            connection.close()
            connected.hang_up()
        check(told)
        return told

    def _connection(self, scheme: str, host: str, port: int | None) -> http.client.HTTPConnection:
        seconds = max(0.001, self.deadline - time.monotonic())
        made: _Plain | _Secure
        if scheme == "https":
            trusted = ssl.create_default_context()
            trusted.load_verify_locations(certifi.where())  # besides the system's own, which small images lack
            made = _Secure(host, port, timeout=seconds, context=trusted)
        elif scheme == "http" and host in LOOPBACK:
            made = _Plain(host, port, timeout=seconds)
        else:
            raise NoAnswer("GEMINI_ENDPOINT must be https, or http on this machine", is_billed=False)
        made.deadline = self.deadline
        return made


class _Reads(io.RawIOBase):
    """The receiving side of a socket; each read gets what is left of the time."""

    def __init__(self, connected: socket.socket, deadline: float) -> None:
        self._socket, self._deadline = connected, deadline

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        self._socket.settimeout(left(self._deadline))
        return self._socket.recv_into(buffer)


class _Timed:
    """A socket as http.client uses it."""

    def __init__(self, connected: socket.socket, deadline: float) -> None:
        self._socket, self._deadline = connected, deadline

    def sendall(self, piece: bytes) -> None:
        self._socket.settimeout(left(self._deadline))
        self._socket.sendall(piece)

    def makefile(self, mode: str) -> io.BufferedReader:
        return io.BufferedReader(_Reads(self._socket, self._deadline))

    def close(self) -> None:
        """Keep the line: http.client closes it as soon as an answer says that it is the last, before it is read."""

    def hang_up(self) -> None:
        self._socket.close()


class _Plain(http.client.HTTPConnection):
    deadline: float

    def connect(self) -> None:
        super().connect()
        self.sock: Any = _Timed(self.sock, self.deadline)


class _Secure(http.client.HTTPSConnection):
    deadline: float

    def connect(self) -> None:
        super().connect()
        self.sock: Any = _Timed(self.sock, self.deadline)


def left(deadline: float) -> float:
    """Return the seconds that are left; TimeoutError where there are none."""
    seconds = deadline - time.monotonic()
    if seconds <= 0:
        raise TimeoutError("the time is up")
    return seconds


def check(told: Answered) -> None:
    """Raise NoAnswer unless this is a whole answer of the form that Gemini gives."""
    if told.status in (http.HTTPStatus.TOO_MANY_REQUESTS, http.HTTPStatus.FORBIDDEN, http.HTTPStatus.UNAUTHORIZED):
        words = "too many requests or no quota left" if told.status == http.HTTPStatus.TOO_MANY_REQUESTS else "the key"
        raise NoAnswer(f"Gemini refused with status {told.status}: {words}", is_billed=False, is_quota=True)
    if told.status != http.HTTPStatus.OK:
        raise NoAnswer(f"Gemini answered with status {told.status}", is_billed=False)
    kind = next((value for name, value in told.headers.items() if name.lower() == "content-type"), "")
    if kind.partition(";")[0].strip().lower() != "application/json":
        raise NoAnswer("Gemini answered something else than JSON", is_billed=True)
    if len(told.body) > LONGEST:
        raise NoAnswer("Gemini's answer is too long", is_billed=True)
    _check_form(read_json(told.body))


def read_json(raw: bytes | str) -> Any:
    """Return strict JSON: no key twice, no NaN or infinity, nothing before or after it; raises NoAnswer."""
    try:
        return json.loads(raw, object_pairs_hook=_once, parse_constant=_no_number, parse_float=_finite)
    except (ValueError, RecursionError) as error:
        raise NoAnswer(f"the answer is no strict JSON: {_words(error)}", is_billed=True) from error


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise ValueError("a key stands twice")
    return made


def _no_number(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number")


def _finite(digits: str) -> float:
    value = float(digits)
    if not math.isfinite(value):
        raise ValueError("a number is too large")
    return value


def _check_form(body: Any) -> None:
    """Let through what both kits read without a surprise: one candidate of text, and counts of tokens."""
    if isinstance(body, dict) and isinstance(blocked := body.get("promptFeedback"), dict) and "blockReason" in blocked:
        raise NoAnswer("Gemini blocked the question", is_billed=True)
    candidates = body.get("candidates") if isinstance(body, dict) else None
    if not isinstance(candidates, list) or len(candidates) != 1 or not isinstance(candidates[0], dict):
        raise NoAnswer("Gemini gave no answer, or more than one", is_billed=True)
    if (end := candidates[0].get("finishReason", "STOP")) != "STOP":
        words = end.lower()[:40] if isinstance(end, str) and end.isascii() else "without a reason"
        raise NoAnswer(f"Gemini broke its answer off: {words}", is_billed=True)
    content = candidates[0].get("content")
    parts = content.get("parts") if isinstance(content, dict) else None
    if not isinstance(parts, list) or not parts or not all(_is_text(part) for part in parts):
        raise NoAnswer("Gemini's answer holds something else than text", is_billed=True)
    usage = body.get("usageMetadata", {})
    counts = ("promptTokenCount", "candidatesTokenCount", "totalTokenCount", "thoughtsTokenCount")
    if not isinstance(usage, dict) or not all(_is_count(usage.get(name, 0)) for name in counts):
        raise NoAnswer("Gemini's count of tokens is none", is_billed=True)


def _is_text(part: Any) -> bool:
    return isinstance(part, dict) and isinstance(part.get("text"), str) and set(part) <= {"text", "thoughtSignature"}


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**31


def _words(error: Exception) -> str:
    """Return what kind of failure it was; its own words might repeat what was sent."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    return str(error) if type(error) is ValueError else type(error).__name__
