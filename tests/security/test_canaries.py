"""After a whole run with planted secrets, none of them stands in anything that was written, sent, asked or answered."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.security import canaries

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, str]]:
    """Do everything once, in a process with an environment of its own; return where it wrote, and the secrets."""
    folder = tmp_path_factory.mktemp("canaries")
    known = canaries.planted()
    environment = {**os.environ, **canaries.places(folder), "TRADING_MODE": "PAPER", "LOG_LEVEL": "DEBUG"}
    environment |= {name: value for name, value in known.items() if name not in canaries.GIVEN}
    done = subprocess.run(
        [sys.executable, "-m", "tests.security.canaries", str(folder)],
        input=json.dumps(known), cwd=ROOT, env=environment, capture_output=True, text=True, timeout=500, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    (folder / "terminal.txt").write_text(done.stdout + done.stderr)
    shown = json.loads((folder / canaries.SHOWN_ONCE).read_text())
    (folder / canaries.SHOWN_ONCE).unlink()
    return folder, known | shown


def written(folder: Path) -> Iterator[tuple[str, bytes]]:
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            yield str(path.relative_to(folder)), path.read_bytes()


def spellings(secret: str) -> set[bytes]:
    """Return how a secret may be written down, also as a program would."""
    plain = secret.encode()
    return {plain, plain.hex().encode(), base64.b64encode(plain).rstrip(b"="), secret.replace("/", "\\/").encode()}


def test_the_run_left_what_is_looked_at(run: tuple[Path, dict[str, str]]) -> None:
    names = {name.partition("/")[0]: len(content) for name, content in written(run[0])}

    assert {
        "answers.bin",
        "messages.json",
        "prompts.bin",
        "terminal.txt",
        "log",
        "backups",
        "data.sqlite3",
    } <= names.keys()
    assert all(names[name] > 500 for name in ("answers.bin", "messages.json", "prompts.bin", "log", "backups"))


def test_no_secret_stands_in_anything_that_was_written(run: tuple[Path, dict[str, str]]) -> None:
    folder, known = run

    # The key of an authenticator has to be read to check a code: the database holds it, docs/SECURITY.md says so.
    found = [
        (name, file)
        for file, content in written(folder)
        for name, secret in known.items()
        if not (name == "TOTP" and file.startswith(("data.sqlite3", "data/")))
        if any(each in content for each in spellings(secret))
    ]

    assert found == []
