from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured

from julaba_site import env, settings

BASE_DIR = Path(settings.__file__).resolve().parent.parent
INTERNAL = {"JULABA_EXIT_WITH_PARENT"}  # set by the Makefile alone


def test_unset_and_empty_mean_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("JULABA_X", raising=False)
    assert env.text("JULABA_X", "a") == "a"
    assert env.words("JULABA_X", ("a", "b")) == ["a", "b"]

    monkeypatch.setenv("JULABA_X", " ")
    assert env.text("JULABA_X", "a") == "a"
    assert env.whole("JULABA_X", 7, low=0, high=9) == 7
    assert env.flag("JULABA_X", default=True) is True
    assert env.words("JULABA_X", ("a", "b")) == ["a", "b"]
    assert env.secret("JULABA_X") is None


def test_words_are_split_at_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JULABA_X", "one, two ,,three")

    assert env.words("JULABA_X", ()) == ["one", "two", "three"]


@pytest.mark.parametrize(
    ("value", "meant"), [("1", True), ("YES", True), ("on", True), ("0", False), ("False", False), ("off", False)]
)
def test_a_flag_is_on_or_off(monkeypatch: pytest.MonkeyPatch, value: str, meant: bool) -> None:
    monkeypatch.setenv("JULABA_X", value)

    assert env.flag("JULABA_X", default=not meant) is meant


def test_a_flag_that_is_neither_is_refused_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JULABA_X", "maybe")

    with pytest.raises(ImproperlyConfigured, match="JULABA_X='maybe'"):
        env.flag("JULABA_X", default=True)


@pytest.mark.parametrize("value", ["-1", "10", "1.5", "1e0", "x"])
def test_a_number_outside_its_range_is_refused_by_name(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("JULABA_X", value)

    with pytest.raises(ImproperlyConfigured, match=f"JULABA_X='{value}' is not a whole number from 0 to 9"):
        env.whole("JULABA_X", 7, low=0, high=9)


def test_a_secret_may_lie_in_a_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text("from the file\n")
    monkeypatch.setenv("JULABA_X_FILE", str(file))
    assert env.secret("JULABA_X") == "from the file"

    monkeypatch.setenv("JULABA_X", "from the variable")
    assert env.secret("JULABA_X") == "from the variable"


def test_a_secret_file_that_cannot_be_read_is_refused_by_name(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("JULABA_X_FILE", str(tmp_path / "none"))

    with pytest.raises(ImproperlyConfigured, match="JULABA_X_FILE"):
        env.secret("JULABA_X")


def test_the_local_secret_is_made_once_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "kept" / "secret_key"

    made = env.local_secret(path)

    assert len(made) > 64
    assert env.local_secret(path) == made
    assert path.stat().st_mode & 0o777 == 0o600


def test_the_example_lists_exactly_the_variables_that_are_read() -> None:
    listed = re.findall(r"^#([A-Z][A-Z_]*)=", (BASE_DIR / ".env.example").read_text(), re.MULTILINE)
    read = {"DATABASE_URL"}  # by dj_database_url
    for file in (BASE_DIR / "julaba_site").rglob("*.py"):
        read |= _variables(file)

    assert len(listed) == len(set(listed))
    assert set(listed) == read - INTERNAL


def test_the_example_sets_nothing() -> None:
    lines = (BASE_DIR / ".env.example").read_text().splitlines()

    assert [line for line in lines if line and not line.startswith("#")] == []


def _variables(file: Path) -> set[str]:
    """Return the variables that a module reads through julaba_site.env."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text())):
        match node:
            case ast.Call(
                func=ast.Attribute(value=ast.Name(id="env"), attr=reader), args=[ast.Constant(value=str(name)), *_]
            ):
                found |= {name, f"{name}_FILE"} if reader == "secret" else {name}
    return found


def test_a_choice_is_one_of_the_words_offered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("X_LEVEL", "warning")
    assert env.choice("X_LEVEL", "INFO", ("INFO", "WARNING")) == "WARNING"

    monkeypatch.setenv("X_LEVEL", "loud")
    with pytest.raises(ImproperlyConfigured, match="X_LEVEL='LOUD' is none of INFO, WARNING"):
        env.choice("X_LEVEL", "INFO", ("INFO", "WARNING"))
