"""How fast the webhook is: 10,000 junk updates and 1,000 replays, posted one after the other, and what memory they leave.

    python benchmarks/webhook.py

The whole Django stack answers in this process, on SQLite as in operation; a tenth of what comes is a stranger's message.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import patch

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))
FOLDER = tempfile.mkdtemp(prefix="julaba-bench-")
os.environ |= {
    "DJANGO_SETTINGS_MODULE": "julaba_site.settings",
    "JULABA_DATA_DIR": FOLDER,
    "LOG_LEVEL": "ERROR",
    "TELEGRAM_TOKEN": "12345678:a-token-of-the-benchmark",
    "ALLOWED_HOSTS": "testserver",
}

import django

django.setup()

from django.conf import settings
from django.core.management import call_command
from django.test import RequestFactory

from julaba_site.wsgi import application
from notifications import tasks
from notifications.models import Update
from notifications.services import inbox

COUNT = 10_000
JUNK = (
    b"{",
    b"[]",
    b"\xff" * 2000,
    b"[" * 30_000,
    b'{"update_id": 1, "poll": {}}',
    b'{"update_id": 2, "message": {"text": 7}}',
    b'{"update_id": 3, "edited_message": {"text": "/halt"}}',
    json.dumps({"update_id": 4, "message": {"text": "x" * 60_000}}).encode(),
    b"0" * 70_000,
)


def message(number: int) -> bytes:
    person = {"id": 1000 + number % 50, "is_bot": False}
    chat = {"id": person["id"], "type": "private"}
    body = {"message_id": number, "date": int(time.time()), "chat": chat, "from": person, "text": "buy now"}
    return json.dumps({"update_id": number, "message": body}).encode()


def post(raw: bytes) -> tuple[float, float]:
    """Post as the web server does, and return how many milliseconds the answer took, and how many of them a core."""
    begun, worked = time.perf_counter(), time.thread_time()
    request = RequestFactory().generic(
        "POST",
        f"/telegram/webhook/{settings.TELEGRAM_PATH}",
        raw,
        content_type="application/json",
        headers={"X-Telegram-Bot-Api-Secret-Token": settings.TELEGRAM_SECRET},
    )
    statuses: list[str] = []

    def begin(status: str, headers: Any, error: Any = None, /) -> Callable[[bytes], object]:
        statuses.append(status)
        return lambda chunk: None

    answer: Any = application(request.environ, begin)
    answer.close()
    assert statuses == ["200 OK"]
    return (time.perf_counter() - begun) * 1000, (time.thread_time() - worked) * 1000


def told(name: str, spent: list[tuple[float, float]]) -> None:
    """Print both: on a machine that does other things too, only the time of the core is the webhook's own."""
    for kind, values in (("passed", sorted(wall for wall, _ in spent)), ("of a core", sorted(cpu for _, cpu in spent))):
        part = {label: values[int(len(values) * q) - 1] for label, q in (("p50", 0.5), ("p99", 0.99), ("max", 1.0))}
        print(f"{name}, {kind}: " + ", ".join(f"{label} {value:.2f} ms" for label, value in part.items()))


def main() -> None:
    call_command("migrate", verbosity=0)
    with patch.object(tasks.receive, "apply_async", lambda **options: None):
        measure()


def measure() -> None:
    spent = []
    before = 0
    for number in range(COUNT):
        if number == COUNT // 2:
            before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        spent.append(post(message(10 + number) if number % 10 == 0 else JUNK[number % len(JUNK)]))
    told(f"{COUNT} junk updates", spent)
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    print(f"memory grew by {grown} kB in the second half; {Update.objects.count()} rows were kept")
    inbox.STRANGER_PAUSE *= 0
    told("1000 replays", [post(message(10)) for _ in range(1000)])


if __name__ == "__main__":
    main()
