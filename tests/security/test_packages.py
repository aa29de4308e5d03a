"""The packages that Julaba is made of: locked to the files they were when somebody looked, and written down."""

from __future__ import annotations

import io
import json
import re
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command

from julaba_site import sbom

ROOT = Path(__file__).resolve().parents[2]
LOCKS = sorted(ROOT.glob("requirements*.txt"))
NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
_PIN = re.compile(r"[A-Za-z0-9._-]+(\[[a-z, ]+\])?==[^\s;]+( ; [^\\]+)?")
_HASH = re.compile(r"--hash=sha256:[0-9a-f]{64}")


def test_there_is_a_lock_for_all_that_is_installed() -> None:
    assert {path.stem.partition("-")[2] for path in LOCKS} == {"", "audit", "dev", "uv"}
    assert all(path.with_suffix(".in").exists() for path in LOCKS)


@pytest.mark.parametrize("path", LOCKS, ids=lambda path: path.name)
def test_every_package_is_locked_to_its_files(path: Path) -> None:
    text = re.sub(r"^ *#.*\n", "", path.read_text(encoding="utf-8"), flags=re.MULTILINE)
    wanted = [words.split("\\\n") for words in re.split(r"\n(?=\S)", text.strip())]

    assert wanted
    for pin, *hashes in wanted:
        assert _PIN.fullmatch(pin.strip()), pin
        assert hashes, f"{pin} has no hash: make lock"
        assert all(_HASH.fullmatch(each.strip()) for each in hashes), pin


def test_the_lock_is_made_with_hashes() -> None:
    lines = (ROOT / "Makefile").read_text(encoding="utf-8").replace("\\\n", " ").splitlines()

    made = [line for line in lines if "uv pip compile" in line]
    assert [("--generate-hashes" in line, "--universal" in line) for line in made] == [(True, True)]


def installs(text: str) -> list[str]:
    """Return every command in a file that installs something."""
    lines = text.replace("\\\n", " ").splitlines()
    return [part for line in lines for part in re.split(r"&&|;", line) if re.search(r"\bpip install\b", part)]


@pytest.mark.parametrize("name", ["Makefile", "deploy/Dockerfile", "docs/DEPLOYMENT.md"])
def test_nothing_is_installed_whose_files_nobody_looked_at(name: str) -> None:
    found = installs((ROOT / name).read_text(encoding="utf-8"))

    assert found
    # What benchmarks compare with has an environment of its own and touches nothing else.
    assert [part for part in found if "--require-hashes" not in part and ".venv-peers" not in part] == []


@pytest.fixture(scope="module")
def bill() -> dict[str, Any]:
    return sbom.bill(version="1.2.3", now=NOW)


def test_the_bill_names_every_installed_package_once(bill: dict[str, Any]) -> None:
    named = {part["bom-ref"]: part for part in bill["components"]}

    assert (bill["bomFormat"], bill["specVersion"], bill["version"]) == ("CycloneDX", "1.6", 1)
    assert re.fullmatch(r"urn:uuid:[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", bill["serialNumber"])
    assert bill["metadata"]["component"]["version"] == "1.2.3"
    assert len(named) == len(bill["components"]) == len({each.name.lower() for each in metadata.distributions()})
    django = named[f"pkg:pypi/django@{metadata.version('django')}"]
    assert django["licenses"] in ([{"expression": "BSD-3-Clause"}], [{"license": {"name": "BSD License"}}])


def test_what_a_package_needs_is_named_where_it_is_there(bill: dict[str, Any]) -> None:
    refs = {"julaba", *(part["bom-ref"] for part in bill["components"])}
    needs = {each["ref"]: each["dependsOn"] for each in bill["dependencies"]}

    assert needs.keys() == refs
    assert {ref for each in needs.values() for ref in each} <= refs
    assert f"pkg:pypi/asgiref@{metadata.version('asgiref')}" in needs[f"pkg:pypi/django@{metadata.version('django')}"]


def test_the_same_packages_make_the_same_bill(bill: dict[str, Any]) -> None:
    assert sbom.bill(version="1.2.3", now=NOW) == bill
    assert sbom.bill(version="1.2.4", now=NOW)["serialNumber"] != bill["serialNumber"]


def test_the_command_writes_it(tmp_path: Path) -> None:
    out = io.StringIO()

    call_command("sbom", output=tmp_path / "sbom.json")
    call_command("sbom", stdout=out)

    assert json.loads((tmp_path / "sbom.json").read_text())["components"] == json.loads(out.getvalue())["components"]
