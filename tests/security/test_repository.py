"""What is under version control holds no secret and never did, and what looks for careless code stays switched on."""

from __future__ import annotations

import re
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SHAPES = re.compile(
    "|".join(
        (
            r"-----BEGIN [A-Z ]*PRIVATE KEY-----",
            r"\bAKIA[0-9A-Z]{16}\b",
            r"\bgh[pousr]_[A-Za-z0-9]{30,}",
            r"\bgithub_pat_[A-Za-z0-9_]{40,}",
            r"\bxox[abprs]-[A-Za-z0-9-]{20,}",
            r"\bjlb_[A-Za-z0-9_-]{40,}",
            r"\b\d{8,10}:[A-Za-z0-9_-]{35}\b",
            r"\bAIza[A-Za-z0-9_-]{35}\b",
            r"\bgAAAA[A-Za-z0-9_=-]{60,}",
            r"(?<![A-Za-z0-9+/_-])[A-Za-z0-9_-]{43}=(?![A-Za-z0-9=])",  # keys of Fernet
        )
    )
)
FEWEST_SIGNS = 8
"""A secret that was drawn has more different ones; a dummy in an example has few."""


def secrets_in(lines: Iterator[str]) -> list[str]:
    """Return the file and the first signs of each secret in the lines of a patch that were added."""
    found, file = [], ""
    for line in lines:
        if line.startswith("+++ "):
            file = line[6:].strip()
        elif line.startswith("+"):
            found += [f"{file}: {hit[0][:6]}…" for hit in SHAPES.finditer(line) if len(set(hit[0])) >= FEWEST_SIGNS]
    return found


def git(*words: str) -> str:
    return subprocess.run(
        ["git", *words], cwd=ROOT, check=True, capture_output=True, text=True, errors="replace", timeout=280
    ).stdout


@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="this copy has no history")
def test_no_file_of_today_or_of_the_past_holds_a_secret() -> None:
    history = git("log", "-p", "--no-color", "--no-ext-diff", "--text", "-U0", "--format=")

    assert len(history) > 1_000_000
    assert secrets_in(iter(history.splitlines())) == []
    kept = git("ls-files").splitlines()
    assert [name for name in kept if Path(name).name == ".env" or name.endswith((".pem", ".key", ".sqlite3"))] == []


@pytest.mark.parametrize(
    "planted",
    [
        "-----BEGIN EC " + "PRIVATE KEY-----",
        "AKIA" + "Q3EGUXNV7ZLT2K5W",
        "ghp_" + "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6",
        "TELEGRAM_TOKEN=123456789:" + "AAH-k2mQx7_pLr9TzVb4NcYw1Ds5Ge8Fu0J"[:35],
        "GEMINI_API_KEY=AIza" + "SyD4f6h8J0k2M4n6P8q0R2s4T6u8V0w2X4y"[:35],
        "CREDENTIALS_KEYS=" + "q3Zt7Xw1Yb5Vn9Mk2Lp6Rd0Sf4Gh8Jc-Ue_Ai7Ow3Qx" + "=",
    ],
)
def test_a_secret_that_was_planted_is_found(planted: str) -> None:
    patch = ["+++ b/deploy/some.env", f"+{planted}", " context", f"-{planted}"]

    assert [hit.partition(":")[0] for hit in secrets_in(iter(patch))] == ["deploy/some.env"]


def test_a_dummy_is_none() -> None:
    assert secrets_in(iter(["+++ b/deploy/production.env.example", "+CREDENTIALS_KEYS=" + "A" * 43 + "="])) == []


def test_the_linter_looks_for_what_is_dangerous() -> None:
    rules = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["ruff"]["lint"]

    assert {"S", "BLE", "TRY", "B", "DTZ"} <= set(rules["select"])
    assert [name for name in rules["ignore"] if name.startswith("S") and name != "S101"] == []
    excused = {
        where: codes
        for where, codes in rules["per-file-ignores"].items()
        if not where.startswith(("tests/", "benchmarks"))
    }
    assert [codes for codes in excused.values() if "S" in codes] == []
