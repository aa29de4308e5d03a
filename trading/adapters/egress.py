"""Where requests may go: an address that somebody wrote down must not lead to what stands behind our own walls.

The look-up of names is the door that nearly every library's connection goes through, redirects and numbers in odd spellings
included, and what was looked up here is what is connected to: a name cannot mean something else a moment later. What goes
past it, such as datagrams to an address, is seen by Python itself, and let through only where an address was looked up here.
"""

from __future__ import annotations

import contextlib
import contextvars
import ipaddress
import socket
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from django.conf import settings


class AddressRefused(OSError):
    """The host leads into our own network; libraries take it for a host that cannot be reached."""


@dataclass(slots=True)
class _Watch:
    """The hosts that were refused, and the addresses of those that are meant although they are ours."""

    refused: list[str] = field(default_factory=list)
    meant: set[str] = field(default_factory=set)


_watch: contextvars.ContextVar[_Watch | None] = contextvars.ContextVar("julaba_egress", default=None)
_usual = socket.getaddrinfo
_TRANSLATED = (ipaddress.IPv6Network("64:ff9b::/96"), ipaddress.IPv6Network("64:ff9b:1::/48"))
"""Where the last 32 bits are an address of the old kind (RFC 6052)."""
_UNICAST = ipaddress.IPv6Network("2000::/3")
"""All that is in use of the world's addresses of the new kind; the rest wraps older ones or is reserved."""
_CONNECTING = ("socket.connect", "socket.sendto", "socket.sendmsg")


@contextlib.contextmanager
def guarded() -> Iterator[list[str]]:
    """Let nothing in here connect to this machine or a private network; yields the hosts that were refused.

    PRIVATE_ADDRESSES names hosts that are meant so.
    """
    if socket.getaddrinfo is not _look_up:
        socket.getaddrinfo = _look_up
    _listen()
    watch = _Watch()
    token = _watch.set(watch)
    try:
        yield watch.refused
    finally:
        _watch.reset(token)


def is_public(address: str) -> bool:
    """Return whether an IP address is one of the world's; what wraps another address counts as that one."""
    found = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(found, ipaddress.IPv6Address) and (wrapped := _wrapped(found)):
        found = wrapped
    if isinstance(found, ipaddress.IPv6Address) and found not in _UNICAST:
        return False
    return found.is_global and not found.is_multicast


def _wrapped(address: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    if any(address in network for network in _TRANSLATED):
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour


def _look_up(host: Any, port: Any, *args: Any, **kwargs: Any) -> Any:
    found = _usual(host, port, *args, **kwargs)
    watch = _watch.get()
    if watch is None:
        return found
    addresses = {str(each[4][0]) for each in found}
    if host in settings.PRIVATE_ADDRESSES:
        watch.meant |= addresses
    elif not all(map(is_public, addresses)):
        raise _refusal(watch, str(host))
    return found


@cache
def _listen() -> None:
    """Have Python tell of every connection and datagram of this process; there is no way to take that back."""
    sys.addaudithook(_heard)


def _heard(event: str, arguments: tuple[Any, ...]) -> None:
    if event not in _CONNECTING or (watch := _watch.get()) is None:
        return
    # A socket of the file system has a path, and what is connected already has none.
    if isinstance(address := arguments[1], tuple) and not _may_reach(str(address[0]), watch):
        raise _refusal(watch, str(address[0]))


def _may_reach(host: str, watch: _Watch) -> bool:
    """Return whether this may be connected to; a name at this place would be looked up by the system, past our door."""
    if host in watch.meant or host in settings.PRIVATE_ADDRESSES:
        return True
    try:
        return is_public(host)
    except ValueError:
        return False


def _refusal(watch: _Watch, host: str) -> AddressRefused:
    if host not in watch.refused:
        watch.refused.append(host)
    return AddressRefused(f"{host} leads into this machine's own network")
