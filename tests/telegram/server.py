"""The server: /bot<TOKEN>/<method> as Telegram's, /hook for any other channel, /control for the test."""

from __future__ import annotations

import json
import re
import threading
import time
from dataclasses import dataclass, field
from email.parser import BytesParser
from email.policy import HTTP
from html.parser import HTMLParser
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl

TOKEN = "12345678:a-token-that-only-the-tests-know"
LONGEST, LONGEST_DATA = 4096, 64
ALLOWED = {"b", "i", "u", "s", "code", "pre", "a"}
METHOD = re.compile(r"/bot([^/]+)/(\w+)")


@dataclass
class State:
    """Everything that came in, and what is to go wrong next."""

    sent: list[dict[str, Any]] = field(default_factory=list)
    calls: list[dict[str, Any]] = field(default_factory=list)
    hooks: list[dict[str, Any]] = field(default_factory=list)
    faults: list[dict[str, Any]] = field(default_factory=list)
    webhook: dict[str, Any] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def fault(self, where: str) -> dict[str, Any] | None:
        """Return what strikes a call now; a fault without `times` strikes until it is healed."""
        for row in self.faults:
            if row["where"] in (where, "all"):
                if row.get("times") is not None:
                    row["times"] -= 1
                    if row["times"] <= 0:
                        self.faults.remove(row)
                return row
        return None


class Handler(BaseHTTPRequestHandler):
    state: State

    def log_message(self, format: str, *args: Any) -> None:
        return

    def do_GET(self) -> None:
        with self.state.lock:
            self._answer(200, {name: getattr(self.state, name) for name in ("sent", "calls", "hooks", "webhook")})

    def do_POST(self) -> None:
        raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        is_json = "json" in self.headers.get("Content-Type", "")
        if "multipart" in self.headers.get("Content-Type", ""):
            body: dict[str, Any] = parts(raw, self.headers["Content-Type"])
        else:
            body = json.loads(raw or b"{}") if is_json else dict(parse_qsl(raw.decode(), keep_blank_values=True))
        with self.state.lock:
            self._route(body)

    def _route(self, body: dict[str, Any]) -> None:
        if self.path == "/control/fault":
            self.state.faults.append(body)
            self._answer(200, {})
        elif self.path == "/control/heal":
            self.state.faults.clear()
            self._answer(200, {})
        elif self.path == "/control/forget":
            for rows in (self.state.sent, self.state.calls, self.state.hooks, self.state.faults):
                rows.clear()
            self.state.webhook = {}
            self._answer(200, {})
        elif self.path.startswith("/hook"):
            self._hook(body)
        elif (found := METHOD.fullmatch(self.path)) and found[1] == TOKEN:
            self._method(found[2], body)
        else:
            self._answer(404, {"ok": False, "error_code": 404, "description": "Not Found"})

    def _hook(self, body: dict[str, Any]) -> None:
        if self.state.fault("hook"):
            self._answer(500, {})
        else:
            self.state.hooks.append({"path": self.path, **body})
            self._answer(200, {})

    def _method(self, name: str, body: dict[str, Any]) -> None:
        self.state.calls.append({"method": name, **body})
        fault = self.state.fault(name)
        if fault is not None and fault["what"] not in ("lose the answer", "answer oddly"):
            self._fail(fault)
            return
        result, refusal = self._act(name, body)
        if fault is not None and "answer" in fault:
            self._answer(200, fault["answer"])  # it was done, and the answer is odd
        elif fault is not None:
            self.close_connection = True  # it was done, and nobody hears of it
        elif refusal:
            self._answer(400, {"ok": False, "error_code": 400, "description": f"Bad Request: {refusal}"})
        else:
            self._answer(200, {"ok": True, "result": result})

    def _act(self, name: str, body: dict[str, Any]) -> tuple[Any, str]:
        if name in ("sendMessage", "editMessageText", "sendPhoto", "sendDocument"):
            return self._message(name, body)
        if name == "setWebhook":
            self.state.webhook = body
        elif name == "deleteWebhook":
            self.state.webhook = {}
        elif name == "getWebhookInfo":
            url = self.state.webhook.get("url", "")
            return {"url": url, "has_custom_certificate": False, "pending_update_count": 0}, ""
        return True, ""

    def _message(self, name: str, body: dict[str, Any]) -> tuple[Any, str]:
        has_file = name in ("sendPhoto", "sendDocument")
        text, longest = str(body.get("caption" if has_file else "text", "")), 1024 if has_file else LONGEST
        refusal = refused(text, is_html=body.get("parse_mode") == "HTML", longest=longest) or refused_buttons(body)
        if has_file and not refusal and not body.get(name.removeprefix("send").lower(), {}).get("size"):
            refusal = "file must be non-empty"
        if refusal:
            return None, refusal
        number = int(body["message_id"]) if name == "editMessageText" else 100 + len(self.state.sent)
        self.state.sent.append({**body, "method": name, "message_id": number, "at": time.time()})
        chat = {"id": int(body["chat_id"]), "type": "private"}
        return {"message_id": number, "date": 1_700_000_000, "chat": chat, "text": text}, ""

    def _fail(self, fault: dict[str, Any]) -> None:
        if fault["what"] == "raw":
            self._raw(fault["status"], fault["body"].encode(), "text/html")
        elif fault["what"] == "close":
            self.close_connection = True
        elif fault["what"] == "refuse":
            self._answer(fault.get("status", 400), fault["told"])
        elif fault["what"] == "wait":
            parameters = {"retry_after": fault["retry_after"]}
            told = {"ok": False, "error_code": 429, "description": "Too Many Requests", "parameters": parameters}
            self._answer(429, told)
        elif fault["what"] == "blocked":
            self._answer(403, {"ok": False, "error_code": 403, "description": "Forbidden: bot was blocked by the user"})
        elif fault["what"] == "entities":
            told = {"ok": False, "error_code": 400, "description": "Bad Request: can't parse entities"}
            self._answer(400, told)
        else:
            self._answer(502, {"ok": False, "error_code": 502, "description": "Bad Gateway"})

    def _answer(self, status: int, body: Any) -> None:
        self._raw(status, json.dumps(body).encode(), "application/json")

    def _raw(self, status: int, raw: bytes, media: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", media)
        self.send_header("Content-Length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw)


class _Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.problem = ""

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        if tag not in ALLOWED:
            self.problem = f"can't parse entities: unsupported start tag {tag}"
        self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.problem = f"can't parse entities: unexpected end tag {tag}"


def parts(raw: bytes, kind: str) -> dict[str, Any]:
    """Return the fields of a form; a file as its name, media type, size and first bytes, under the field that names it."""
    whole = BytesParser(policy=HTTP).parsebytes(b"Content-Type: " + kind.encode() + b"\r\n\r\n" + raw)
    fields: dict[str, Any] = {}
    files: dict[str, Any] = {}
    for part in whole.iter_parts():
        name, file = part.get_param("name", header="content-disposition"), part.get_filename()
        content: Any = part.get_payload(decode=True)
        if file is None:
            fields[str(name)] = content.decode()
        else:
            files[str(name)] = {
                "name": file, "media": part.get_content_type(), "size": len(content), "begins": content[:8].hex(),
            }  # fmt: skip
    named = {name: files[value.removeprefix("attach://")] for name, value in fields.items()
             if value.removeprefix("attach://") in files}  # fmt: skip
    return {**files, **fields, **named}


def refused(text: str, *, is_html: bool, longest: int = LONGEST) -> str:
    """Return why Telegram would refuse a text, or nothing."""
    if not text.strip():
        return "message text is empty"
    if len(text.encode("utf-16-le")) // 2 > longest:
        return "message is too long"
    if not is_html:
        return ""
    tags = _Tags()
    tags.feed(text)
    tags.close()
    return tags.problem or ("can't parse entities: a tag is not closed" if tags.open else "")


def refused_buttons(body: dict[str, Any]) -> str:
    markup = json.loads(body.get("reply_markup") or "{}")
    for row in markup.get("inline_keyboard", []):
        for button in row:
            if not 1 <= len(button.get("callback_data", "").encode()) <= LONGEST_DATA:
                return "BUTTON_DATA_INVALID"
    return ""


def server(port: int) -> ThreadingHTTPServer:
    """Return a server with a state of its own, not yet serving."""
    handler = type("Bound", (Handler,), {"state": State()})
    made = ThreadingHTTPServer(("127.0.0.1", port), handler)
    made.daemon_threads = True
    return made
