"""The documents: lists agree with the code, links lead somewhere, commands exist with the options that are shown."""

from __future__ import annotations

import argparse
import re
import shlex
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command, get_commands, load_command_class

from julaba_site import documents
from tests import factories
from trading.core.params import SPECS

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md"), *(ROOT / "deploy").rglob("*.md")])
NOW = datetime(2026, 3, 1, tzinfo=UTC)
WANTED = (
    *("ARCHITECTURE", "API", "CONFIGURATION", "DEPLOYMENT", "TROUBLESHOOTING", "STRATEGY", "STRATEGIES", "TELEGRAM"),
    *("FROM_FREQTRADE", "CONTRIBUTING", "CHANGELOG", "FAULTS", "TORTURE"),
)


@pytest.mark.parametrize("name", sorted(documents.parts()))
@pytest.mark.django_db
def test_every_list_is_as_the_code_has_it(name: str) -> None:
    factories.bot(NOW)
    path, make = documents.parts()[name]
    text = (ROOT / path).read_text()

    # Where this fails, run: .venv/bin/python manage.py document
    assert documents.put(text, name=name, part=make()) == text


@pytest.mark.django_db
def test_a_list_that_is_behind_is_noticed() -> None:
    text = (ROOT / "docs/CONFIGURATION.md").read_text()
    behind = text.replace("`risk_fraction`", "`risk_part`", 1)

    assert behind != text
    assert documents.put(behind, name="parameters", part=documents.parameters()) == text


def test_a_document_without_its_marks_is_refused() -> None:
    with pytest.raises(documents.NoMarks):
        documents.put("# nothing", name="settings", part="a")


def test_every_parameter_command_and_setting_is_listed() -> None:
    configuration = (ROOT / "docs/CONFIGURATION.md").read_text()

    assert [name for name in SPECS if f"| `{name}` |" not in configuration] == []
    assert "| `BACKUP_KEY` † |" in configuration
    assert "`BACKUP_KEY_FILE`" not in configuration
    ours = [name for name, app in get_commands().items() if app in documents.OURS]
    deployment = (ROOT / "docs/DEPLOYMENT.md").read_text()
    assert [name for name in ours if f"| `manage.py {name}` |" not in deployment] == []


@pytest.mark.parametrize("name", WANTED)
def test_every_document_is_there_and_says_what_it_is(name: str) -> None:
    first = (ROOT / "docs" / f"{name}.md").read_text().splitlines()[0]

    assert re.fullmatch(r"# \S.+", first)


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_link_leads_somewhere(path: Path) -> None:
    broken = []
    for target in re.findall(r"\[[^\]]*\]\(([^)\s]+)\)", prose(path)):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = target.partition("#")
        file = (path.parent / name).resolve() if name else path
        if not file.exists() or (anchor and anchor not in anchors(file)):
            broken.append(target)

    assert broken == []


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_command_that_is_shown_exists(path: Path) -> None:
    text = path.read_text()

    named = set(re.findall(r"manage\.py ([a-z_]+)\b", text))
    foreign = {"check", "migrate", "changepassword", "createsuperuser", "makemigrations"}
    assert sorted(named - set(get_commands()) - foreign) == []


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_option_that_is_shown_is_taken(path: Path) -> None:
    for line in re.findall(r"^[^|\n]*?manage\.py ([a-z_]+ [^\n`]*--[^\n`]*)$", path.read_text(), re.MULTILINE):
        words = shlex.split(line.partition(" > ")[0].partition(" && ")[0], comments=True)
        app = get_commands().get(words[0])
        if app in documents.OURS:
            known = taken(load_command_class(str(app), words[0]).create_parser("manage.py", words[0]))
            shown = {word.partition("=")[0] for word in words if re.match(r"--\w", word)}
            assert shown <= known, line


def test_every_file_that_deployment_copies_is_there() -> None:
    text = (ROOT / "docs/DEPLOYMENT.md").read_text()

    named = set(re.findall(r"\bdeploy/[\w./-]+\w", text)) - {"deploy/secrets", "deploy/.env"}
    assert len(named) > 8
    assert sorted(name for name in named if not (ROOT / name).exists()) == []


def taken(parser: argparse.ArgumentParser) -> set[str]:
    """Return every option that a command takes, those of its parts too."""
    found = {option for action in parser._actions for option in action.option_strings}
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for part in action.choices.values():
                found |= taken(part)
    return found


def prose(path: Path) -> str:
    """Return a document without its blocks of code."""
    return re.sub(r"^```.*?^```", "", path.read_text(), flags=re.DOTALL | re.MULTILINE)


def anchors(path: Path) -> set[str]:
    """Return the anchors of a document's headings, as GitHub makes them."""
    found = set()
    for heading in re.findall(r"^#+ (.+)$", prose(path), re.MULTILINE):
        plain = re.sub(r"[`*]|\[([^\]]*)\]\([^)]*\)", r"\1", heading).lower()
        found.add(re.sub(r"[^\w\- ]", "", plain).strip().replace(" ", "-"))
    return found


def test_the_command_compares_and_writes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    marks = "<!-- begin settings: made by manage.py document -->\n<!-- end settings -->\n"
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "a.md").write_text(f"# A\n\n{marks}")
    (tmp_path / ".env.example").write_text("# --- Where ---\n# Port of the pages.\n#PORT=8000\n#PORT_FILE=\n")
    monkeypatch.setattr(documents, "ROOT", tmp_path)
    monkeypatch.setattr(documents, "parts", lambda: {"settings": ("docs/a.md", documents.settings)})
    monkeypatch.setattr("julaba_site.management.commands.document.database_copy.attached", lambda config: _nothing())
    monkeypatch.setattr("julaba_site.management.commands.document.call_command", lambda *words, **options: None)
    monkeypatch.setattr("julaba_site.management.commands.document.Bot", _NoBot)

    with pytest.raises(CommandError, match=r"docs/a\.md are behind the code"):
        call_command("document", "--check")
    said = StringIO()
    call_command("document", stdout=said)
    call_command("document", "--check")

    assert said.getvalue() == "docs/a.md was written anew\n"
    assert "| `PORT` † | `8000` | Port of the pages. |" in (tmp_path / "docs" / "a.md").read_text()


class _NoBot:
    class objects:  # noqa: N801
        @staticmethod
        def create(**columns: object) -> None: ...


def _nothing() -> object:
    from contextlib import nullcontext

    return nullcontext()
