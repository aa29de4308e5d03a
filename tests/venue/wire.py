"""HTTP and WebSocket by hand, because a server that keeps the rules cannot break off inside a reply."""

from __future__ import annotations

import asyncio
import base64
import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import Enum
from http import HTTPStatus
from typing import Any

import orjson

from tests.venue.values import plain


class Cut(Enum):
    """Where the connection breaks off."""

    NOWHERE = 0
    BEFORE_REPLY = 1
    INSIDE_BODY = 2


@dataclass(slots=True)
class Request:
    """One request; the query and the body are raw, since signatures cover the very bytes."""

    method: str
    path: str
    query: str
    headers: dict[str, str]
    body: str


@dataclass(slots=True)
class Reply:
    """One answer, or the lack of it."""

    status: int = 200
    body: bytes = b"{}"
    content_type: str = "application/json;charset=UTF-8"
    headers: tuple[tuple[str, str], ...] = ()
    cut: Cut = Cut.NOWHERE


Handler = Callable[[Request], Awaitable[Reply]]
SocketHandler = Callable[[Request, "Socket"], Awaitable[None]]


def json_reply(payload: Any, status: int = 200, headers: tuple[tuple[str, str], ...] = ()) -> Reply:
    return Reply(status, orjson.dumps(payload, default=plain), headers=headers)


async def serve(port: int, handle: Handler, on_socket: SocketHandler | None = None) -> asyncio.Server:
    """Listen on 127.0.0.1; port 0 means any free one."""

    async def connection(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await _converse(reader, writer, handle, on_socket)
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass  # clients may vanish at any byte; that is what they are killed for
        except asyncio.CancelledError:
            pass  # the venue itself stops
        finally:
            writer.close()

    return await asyncio.start_server(connection, "127.0.0.1", port, limit=1 << 20)


async def _converse(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, handle: Handler, on_socket: SocketHandler | None
) -> None:
    while request := await _read(reader):
        if request.headers.get("upgrade", "").lower() == "websocket" and on_socket is not None:
            socket = Socket(reader, writer)
            socket.accept(request)
            await on_socket(request, socket)
            return
        reply = await handle(request)
        if reply.cut is Cut.BEFORE_REPLY:
            return
        writer.write(
            _head(reply) + (reply.body[: len(reply.body) // 2] if reply.cut is Cut.INSIDE_BODY else reply.body)
        )
        await writer.drain()
        if reply.cut is Cut.INSIDE_BODY or request.headers.get("connection", "").lower() == "close":
            return


async def _read(reader: asyncio.StreamReader) -> Request | None:
    head = await reader.readuntil(b"\r\n\r\n")
    lines = head.decode("latin-1").split("\r\n")
    method, target, _ = lines[0].split(" ", 2)
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:] if line)}
    length = int(headers.get("content-length", "0"))
    body = (await reader.readexactly(length)).decode() if length else ""
    path, _, query = target.partition("?")
    return Request(method, path, query, headers, body)


def _head(reply: Reply) -> bytes:
    phrase = HTTPStatus(reply.status).phrase
    lines = [f"HTTP/1.1 {reply.status} {phrase}", f"Content-Type: {reply.content_type}"]
    lines += [f"Content-Length: {len(reply.body)}", *(f"{name}: {value}" for name, value in reply.headers)]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


class Socket:
    """The server's end of a WebSocket, which may also send what no good server would."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    def accept(self, request: Request) -> None:
        key = request.headers["sec-websocket-key"] + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
        proof = base64.b64encode(hashlib.sha1(key.encode()).digest()).decode()
        self._writer.write(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Accept: {proof}\r\n\r\n".encode()
        )

    def send(self, payload: bytes, opcode: int = 1) -> None:
        """Queue one frame; a peer that reads too slowly for 64 MB is dropped."""
        size = len(payload)
        if self._writer.is_closing():
            return
        if self._writer.transport.get_write_buffer_size() > 64 << 20:
            self._writer.transport.abort()
            return
        if size < 126:
            head = bytes([0x80 | opcode, size])
        elif size < 1 << 16:
            head = bytes([0x80 | opcode, 126]) + size.to_bytes(2, "big")
        else:
            head = bytes([0x80 | opcode, 127]) + size.to_bytes(8, "big")
        self._writer.write(head + payload)

    def close(self) -> None:
        self._writer.close()

    async def receive(self) -> bytes | None:
        """Return the next text from the client, None when it has left; pings are answered here."""
        while True:
            first, second = await self._reader.readexactly(2)
            size = second & 0x7F
            if size == 126:
                size = int.from_bytes(await self._reader.readexactly(2), "big")
            elif size == 127:
                size = int.from_bytes(await self._reader.readexactly(8), "big")
            mask = await self._reader.readexactly(4) if second & 0x80 else b"\0\0\0\0"
            masked = await self._reader.readexactly(size)
            payload = bytes(byte ^ mask[i % 4] for i, byte in enumerate(masked))
            opcode = first & 0x0F
            if opcode == 8:
                self.send(payload[:2], opcode=8)
                return None
            if opcode == 9:
                self.send(payload, opcode=10)
            elif opcode == 1:
                return payload
