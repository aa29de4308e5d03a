"""A cable between a client and a server that can be cut at a word."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from typing import Self

CHUNK = 65536


class Cable:
    """Listens on `port` and passes everything on to a server, until a word from the client passes that cuts it."""

    def __init__(self, server: tuple[str, int]) -> None:
        self._server = server
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._word, self._passes_on = b"", False

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def cut_at(self, word: bytes, *, passes_on: bool) -> None:
        """Cut once at the next request with the word; the server still gets it where it `passes_on`."""
        self._word, self._passes_on = word, passes_on

    def _accept(self) -> None:
        with suppress(OSError):  # closed
            while True:
                client, _ = self._listener.accept()
                server = socket.create_connection(self._server)
                for source, sink, is_asking in ((client, server, True), (server, client, False)):
                    threading.Thread(target=self._pump, args=(source, sink, is_asking), daemon=True).start()

    def _pump(self, source: socket.socket, sink: socket.socket, is_asking: bool) -> None:
        with suppress(OSError):
            while chunk := source.recv(CHUNK):
                if is_asking and self._word and self._word in chunk:
                    self._word = b""
                    # Nobody hears the answer: the client's end is closed first, the server works on what it got.
                    source.shutdown(socket.SHUT_RDWR)
                    if self._passes_on:
                        sink.sendall(chunk)
                        sink.shutdown(socket.SHUT_WR)
                        continue
                    break
                sink.sendall(chunk)
        for end in (source, sink):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
