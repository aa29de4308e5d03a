"""The table of what is taken away still fits the code: each text stands where it says, each test is there, each row is tried."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

from tests.security import mutations
from tests.security.mutations import Mutation

TABLE = mutations.table()
ROWS = {f"S-{number:02}" for number in range(1, 47)}


@cache
def functions(path: Path) -> set[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}


@pytest.mark.parametrize("mutation", TABLE, ids=lambda each: f"{each.row} {each.file}")
def test_what_is_taken_away_stands_in_the_code_and_its_tests_exist(mutation: Mutation) -> None:
    assert mutation.mutated(mutations.ROOT) != (mutations.ROOT / mutation.file).read_text(encoding="utf-8")
    for test in mutation.tests:
        path, _, name = test.partition("::")
        assert (mutations.ROOT / path).exists(), test
        assert not name or name in functions(mutations.ROOT / path), test


def test_every_row_is_tried_and_the_document_says_how_many() -> None:
    assert {each.row for each in TABLE} == ROWS
    told = re.search(r"(\d+) rows, (\d+) mutations", (mutations.ROOT / "docs/SECURITY.md").read_text(encoding="utf-8"))
    assert told is not None
    assert (int(told[1]), int(told[2])) == (len(ROWS), len(TABLE))


def test_a_text_that_stands_twice_or_nowhere_is_refused(tmp_path: Path) -> None:
    (tmp_path / "code.py").write_text("a = 1\na = 1\n")
    for old in ("a = 1", "b = 1"):
        with pytest.raises(ValueError, match=r"times in code\.py, not once"):
            Mutation(row="S-00", file="code.py", old=old, new="", tests=()).mutated(tmp_path)


@pytest.mark.parametrize(
    ("_case", "body", "expected"),
    [
        ("passes", "assert True", (0, "")),
        ("fails", "assert False", (1, "")),
        ("cannot be collected", "nothing = absent\n", (2, "absent")),
    ],
)
def test_only_a_test_that_fails_counts(_case: str, body: str, expected: tuple[int, str], tmp_path: Path) -> None:
    indented = body if "absent" in body else f"def test_it():\n    {body}\n"
    (tmp_path / "test_it.py").write_text(indented)
    (tmp_path / "pyproject.toml").write_text(
        "[tool.pytest.ini_options]\nDJANGO_SETTINGS_MODULE = 'nothing'\naddopts = '-p no:django'\n"
    )

    code, said = mutations.run(tmp_path, ["test_it.py"])

    assert code == expected[0], said
    assert expected[1] in said
