"""Start the server for a test, and talk to it."""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]


class BotApi:
    """A running server; `down` and `up` take it away and bring it back on the same port, without its memory."""

    def __init__(self) -> None:
        self.port = 0
        self.up()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def hook(self, name: str = "") -> str:
        """Return an address of the server as Apprise writes it."""
        return f"json://127.0.0.1:{self.port}/hook{name}"

    def sent(self) -> list[dict[str, Any]]:
        return list(self._call("GET", "/")["sent"])

    def texts(self) -> list[str]:
        return [str(message.get("text", message.get("caption"))) for message in self.sent()]

    def calls(self, method: str) -> list[dict[str, Any]]:
        return [call for call in self._call("GET", "/")["calls"] if call["method"] == method]

    def hooks(self) -> list[dict[str, Any]]:
        return list(self._call("GET", "/")["hooks"])

    def webhook(self) -> dict[str, Any]:
        return dict(self._call("GET", "/")["webhook"])

    def fault(self, what: str, where: str = "sendMessage", **more: Any) -> None:
        """Let calls fail: wait (retry_after=), blocked, entities, down, close, refuse (told=, status=), raw (status=, body=);
        or be done and go wrong: lose the answer, answer oddly (answer=). times= or until healed.
        """
        self._call("POST", "/control/fault", what=what, where=where, **more)

    def heal(self) -> None:
        self._call("POST", "/control/heal")

    def forget(self) -> None:
        """Begin anew: nothing was sent, nothing fails."""
        self._call("POST", "/control/forget")

    def up(self) -> None:
        command = [sys.executable, "-m", "tests.telegram", "--port", str(self.port), "--parent", str(os.getpid())]
        self._process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        ready, _, _ = select.select([self._process.stdout], [], [], 20)
        line = self._process.stdout.readline() if ready else ""
        if not line:
            self.down()
            raise TimeoutError("the Bot API server did not start")
        self.port = int(json.loads(line)["port"])

    def down(self) -> None:
        self._process.kill()
        self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()

    def _call(self, method: str, path: str, **body: Any) -> dict[str, Any]:
        connection = HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request(method, path, json.dumps(body), {"Content-Type": "application/json"})
            answer: dict[str, Any] = json.loads(connection.getresponse().read())
        finally:
            connection.close()
        return answer


@contextmanager
def bot_api() -> Iterator[BotApi]:
    running = BotApi()
    try:
        yield running
    finally:
        running.down()
