"""Asks a server the same question again and again without ever waiting for it, and remembers when it last answered."""

from __future__ import annotations

import contextlib
import socket
import time
from dataclasses import dataclass

EVERY_S = 10.0


@dataclass(slots=True, eq=False)
class Probe:
    """`address` is the path of a unix socket, or a host and a port. Whatever is answered is a sign of life."""

    address: str | tuple[str, int]
    question: bytes
    heard_at: float = 0.0
    """By time.monotonic()."""
    _asked_at: float = -EVERY_S
    _socket: socket.socket | None = None
    _is_sent: bool = False

    def turn(self) -> None:
        """Ask where it is time to, and look whether an answer has come; call it often."""
        now = time.monotonic()
        if self._socket is not None:
            self._go_on(self._socket, now)
        if now - self._asked_at >= EVERY_S:
            self.forget()
            self._asked_at = now
            self._ask()

    def forget(self) -> None:
        """Let go of a question that was not answered."""
        if self._socket is not None:
            self._socket.close()
        self._socket, self._is_sent = None, False

    def _ask(self) -> None:
        family = socket.AF_UNIX
        if not isinstance(self.address, str):
            family = socket.AF_INET6 if ":" in self.address[0] else socket.AF_INET
        self._socket = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
        self._socket.setblocking(False)
        self._socket.connect_ex(self.address)  # that nobody listens is found when it is written to

    def _go_on(self, asked: socket.socket, now: float) -> None:
        try:
            if not self._is_sent:
                asked.sendall(self.question)
                self._is_sent = True
            if asked.recv(64):
                self.heard_at = now
            self.forget()
        except BlockingIOError:
            return
        except OSError:  # nobody listens, or whoever does has hung up
            with contextlib.suppress(OSError):
                self.forget()
