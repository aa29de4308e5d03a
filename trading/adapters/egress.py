"""Where requests may go: an address that somebody wrote down must not lead to what stands behind our own walls.

The look-up of names is the one door that every library's connection goes through, redirects and numbers in odd spellings
included, and what was looked up here is what is connected to: a name cannot mean something else a moment later.
"""

from __future__ import annotations

import contextlib
import contextvars
import ipaddress
import socket
from collections.abc import Iterator
from typing import Any

from django.conf import settings


class AddressRefused(OSError):
    """The host leads into our own network; libraries take it for a host that cannot be reached."""


_refused: contextvars.ContextVar[list[str] | None] = contextvars.ContextVar("julaba_egress", default=None)
_usual = socket.getaddrinfo


@contextlib.contextmanager
def guarded() -> Iterator[list[str]]:
    """Let nothing in here connect to this machine or a private network; yields the hosts that were refused.

    PRIVATE_ADDRESSES names hosts that are meant so.
    """
    if socket.getaddrinfo is not _look_up:
        socket.getaddrinfo = _look_up
    refused: list[str] = []
    token = _refused.set(refused)
    try:
        yield refused
    finally:
        _refused.reset(token)


def is_public(address: str) -> bool:
    """Return whether an IP address is one of the world's; what wraps another address counts as that one."""
    found = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(found, ipaddress.IPv6Address) and (wrapped := found.ipv4_mapped or found.sixtofour):
        found = wrapped
    return found.is_global and not found.is_multicast


def _look_up(host: Any, port: Any, *args: Any, **kwargs: Any) -> Any:
    found = _usual(host, port, *args, **kwargs)
    refused = _refused.get()
    if refused is None or host in settings.PRIVATE_ADDRESSES:
        return found
    if not all(is_public(str(each[4][0])) for each in found):
        refused.append(str(host))
        raise AddressRefused(f"{host} leads into this machine's own network")
    return found
