"""Files sealed by a key: written and read as streams, and refused where a byte, the order or the end is not as written.

AES-256-GCM by chunks, each with a nonce that counts and marks the last one (the STREAM construction of Hoang,
Reyhanitabar, Rogaway and Vizár); the key of a file is drawn by HKDF-SHA256 from a Fernet key and the file's own salt.
"""

from __future__ import annotations

import base64
import os
from collections.abc import Sequence
from typing import IO, Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

MAGIC = b"JULABA-SEALED-1\n"
SALT_BYTES, TAG_BYTES = 16, 16
CHUNK_BYTES = 1 << 20


class Sink(Protocol):
    def write(self, data: bytes, /) -> int: ...


class CannotOpen(Exception):
    """The file is damaged, cut off, or sealed by another key; the text says which, as far as that can be known."""


class Sealer:
    """Seals what is written to it; the file is whole only after `close`."""

    def __init__(self, file: Sink, *, key: str) -> None:
        head = MAGIC + os.urandom(SALT_BYTES)
        self._file, self._head, self._cipher = file, head, _cipher(key, head)
        self._waiting, self._number = bytearray(), 0
        file.write(head)

    def write(self, data: bytes) -> int:
        self._waiting += data
        # One byte more than a chunk: the last chunk is known only when nothing follows it.
        while len(self._waiting) > CHUNK_BYTES:
            self._seal(bytes(self._waiting[:CHUNK_BYTES]), is_last=False)
            del self._waiting[:CHUNK_BYTES]
        return len(data)

    def close(self) -> None:
        self._seal(bytes(self._waiting), is_last=True)
        self._waiting.clear()

    def _seal(self, chunk: bytes, *, is_last: bool) -> None:
        self._file.write(self._cipher.encrypt(_nonce(self._number, is_last=is_last), chunk, self._head))
        self._number += 1


class Opener:
    """Reads what a Sealer wrote. Every byte that it returns is proved; it raises CannotOpen before it returns any other."""

    def __init__(self, file: IO[bytes], *, keys: Sequence[str]) -> None:
        self._file, self._head = file, file.read(len(MAGIC) + SALT_BYTES)
        if not self._head.startswith(MAGIC) or len(self._head) < len(MAGIC) + SALT_BYTES:
            raise CannotOpen("it is no sealed file")
        self._ciphers = [_cipher(key, self._head) for key in keys]
        self._next, self._number = self._sealed_chunk(), 0
        self._open, self._is_over = b"", False

    def read(self, size: int = -1) -> bytes:
        while not self._is_over and (size < 0 or len(self._open) < size):
            self._open += self._chunk()
        size = len(self._open) if size < 0 else size
        result, self._open = self._open[:size], self._open[size:]
        return result

    def _chunk(self) -> bytes:
        sealed, self._next = self._next, self._sealed_chunk()
        nonce = _nonce(self._number, is_last=not self._next)
        self._is_over = not self._next
        for cipher in self._ciphers:
            try:
                opened = cipher.decrypt(nonce, sealed, self._head)
            except InvalidTag:
                continue
            self._ciphers, self._number = [cipher], self._number + 1
            return opened
        raise CannotOpen(
            "it is damaged or cut off" if self._number else "it was sealed by another key, or its beginning is damaged"
        )

    def _sealed_chunk(self) -> bytes:
        return self._file.read(CHUNK_BYTES + TAG_BYTES)


def is_sealed(head: bytes) -> bool:
    """Return whether a file that begins so was written by a Sealer."""
    return head.startswith(MAGIC)


def _nonce(number: int, *, is_last: bool) -> bytes:
    return number.to_bytes(11, "big") + bytes([is_last])


def _cipher(key: str, head: bytes) -> AESGCM:
    drawn = HKDF(algorithm=SHA256(), length=32, salt=head[len(MAGIC) :], info=b"julaba backup")
    return AESGCM(drawn.derive(base64.urlsafe_b64decode(key)))
