"""Every operation of the API's description has an example, and what is really answered looks like it.

JULABA_WRITE_EXAMPLES=1 writes the examples anew.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from dashboard import limits
from dashboard.api import schema as described
from tests import api_world

pytestmark = pytest.mark.django_db
FILE = Path(described.__file__).parent / "examples.json"
QUERY = {
    "candles": "?symbol=BTC/USDT&limit=2",
    "indicators": "?symbol=BTC/USDT&limit=2",
    "marks": "?symbol=BTC/USDT",
    "pair_candles": "?pair=BTC/USDT&limit=2",
    "backtests/compare": "",
}
UNANSWERED = {"GET backtests/compare", "GET chat/{id}", "POST consents/{id}/give"}
"""What needs a run or a question that is over, or another person: those have tests of their own."""
WITHOUT = {"DELETE trades/{id}/tags/{name}", "DELETE locks/{id}"}
"""What is asked nothing but its address, and answers nothing that could surprise."""


def test_every_operation_has_an_example_that_looks_like_its_answer() -> None:
    now = timezone.now()
    limits.forget()
    user = api_world.fill(now)
    client = Client(headers={"Authorization": f"Bearer {api_world.token_of(user, now)}"})
    operations = client.get("/api/schema?format=json").json()["paths"]
    answers = {
        key: told
        for path, methods in operations.items()
        if "get" in methods and (key := described._key(path, "get")) not in UNANSWERED
        and (told := answer(client, path)) is not None
    }  # fmt: skip
    # Acts that are asked nothing but their address are shown by their answers.
    for path in ("/api/v1/decisions/{id}/replay", "/api/v1/reload_config", "/api/v1/trades/{id}/break-even", "/api/v1/trades/{id}/close", "/api/v1/backtests/{id}/cancel",
                 "/api/v1/parameters/drafts/{id}/discard", "/api/v1/alerts/{id}/acknowledge", "/api/v1/consents/{id}/refuse"):  # fmt: skip
        told = client.post(api_world.address(path), content_type="application/json")
        assert told.status_code in (200, 202), (path, told.content)
        answers[described._key(path, "post")] = trimmed(told.json())
    if os.environ.get("JULABA_WRITE_EXAMPLES"):
        FILE.write_text(json.dumps(answers, indent=1, sort_keys=True) + "\n")
    examples = json.loads(FILE.read_text())

    assert examples.keys() == answers.keys()
    for key, told in answers.items():
        assert names(examples[key]) == names(told), key
    bare = [
        key
        for path, methods in operations.items()
        for method, operation in methods.items()
        if (key := described._key(path, method)) not in UNANSWERED | WITHOUT
        and key not in examples
        and not operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("example")
    ]
    assert bare == ["POST forceenter"]  # it refuses whatever is asked


def answer(client: Client, path: str) -> Any:
    name = path.removeprefix("/api/v1/")
    told = client.get(api_world.address(path) + QUERY.get(name, ""))
    # No Redis runs beside the tests, so their health is bad.
    assert told.status_code in ((200, 503) if name == "health" else (200,)), (path, told.content)
    return trimmed(told.json())


def trimmed(value: Any, depth: int = 0) -> Any:
    """Return an answer short enough to read: one row of each list."""
    if isinstance(value, list):
        return [trimmed(each, depth + 1) for each in value[: 1 if depth < 4 else 2]]
    if isinstance(value, dict):
        kept = list(value.items())[:60]
        return {name: trimmed(each, depth + 1) for name, each in kept}
    return value[:200] if isinstance(value, str) else value


def names(value: Any) -> Any:
    """Return what a client relies on: the names at the top and those of a row."""
    if isinstance(value, dict):
        rows = value.get("results")
        return sorted(value), sorted(rows[0]) if isinstance(rows, list) and rows and isinstance(rows[0], dict) else None
    return type(value).__name__
