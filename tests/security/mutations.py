"""Does a test fail when a protection is taken away? `python -m tests.security.mutations [--row S-05]` tries it.

mutations.toml holds, for each row of the table in docs/SECURITY.md, ways to weaken the code and the tests that have to fail
then. Each is tried in a copy of the project, in a process of its own; what the working tree holds is never touched.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import importlib.metadata
import os
import shutil
import signal
import sqlite3
import sys
import tempfile
import tomllib
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
TABLE = Path(__file__).with_name("mutations.toml")
LEFT_OUT = shutil.ignore_patterns(
    ".venv", ".venv-peers", ".venv-audit", "var", ".mypy_cache", ".ruff_cache", ".pytest_cache", "*.pyc"
)
OURS = ("tests", "trading", "dashboard", "notifications", "mlops", "julaba_site")
LOADED_ONCE = (
    "django.test",
    "django.contrib.auth.hashers",
    "numpy",
    "numba",
    "redis",
    "celery",
    "structlog",
    "cryptography.fernet",
)
"""Besides pytest's plugins: everybody needs it and it takes seconds, so it is there before the processes part."""
NOTHING_FAILED, SOMETHING_FAILED = 0, 1
LONGEST_S = 900


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutation:
    """One protection taken away: `old`, which stands once in `file`, becomes `new`; then one of `tests` has to fail."""

    row: str
    file: str
    old: str
    new: str
    tests: tuple[str, ...]

    def mutated(self, root: Path) -> str:
        """Return what the file below `root` holds afterwards; ValueError where `old` does not stand there once."""
        text = (root / self.file).read_text(encoding="utf-8")
        if text.count(self.old) != 1:
            raise ValueError(f"{self.row}: {self.old!r} stands {text.count(self.old)} times in {self.file}, not once")
        return text.replace(self.old, self.new)


class Heard:
    """Hears of pytest which tests failed; what could not be set up, or took too long, has not failed."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self.failed: list[str] = []
        self.others: list[str] = []

    def pytest_sessionstart(self) -> None:
        # Settings are there only now.
        _keep_database(self._root)

    def pytest_runtest_logreport(self, report: Any) -> None:
        if report.failed:
            is_verdict = report.when == "call" and "Timeout" not in str(report.longrepr)
            (self.failed if is_verdict else self.others).append(report.nodeid)

    def pytest_collectreport(self, report: Any) -> None:
        if report.failed:
            self.others.append(f"{report.nodeid}: {str(report.longrepr)[-300:]}")


def table(path: Path = TABLE) -> list[Mutation]:
    rows = tomllib.loads(path.read_text(encoding="utf-8"))["mutation"]
    return [Mutation(**{**row, "tests": tuple(row["tests"])}) for row in rows]


def verdict(root: Path, mutation: Mutation) -> str:
    """Return what is wrong with a mutation's tests, nothing where one of them fails as it should."""
    path = root / mutation.file
    before, after = path.read_text(encoding="utf-8"), mutation.mutated(root)
    path.write_text(after, encoding="utf-8")
    try:
        code, said = run(root, mutation.tests)
    finally:
        path.write_text(before, encoding="utf-8")
    return {SOMETHING_FAILED: "", NOTHING_FAILED: "no test fails"}.get(code, f"the tests did not run: {said}")


def run(root: Path, tests: Sequence[str]) -> tuple[int, str]:
    """Run tests below `root` in a process of its own; return 1 where one failed, 0 where all passed, else another number."""
    told = root / ".mutation"
    told.unlink(missing_ok=True)
    child = os.fork()
    if child == 0:
        # Whatever happens in here, this process must not go on as if it were its parent.
        with contextlib.ExitStack() as last:
            last.push(_leave)
            os._exit(_tested(root, tests, told))
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status), told.read_text(encoding="utf-8")[-600:] if told.exists() else ""


def load_once() -> None:
    for name in LOADED_ONCE:
        importlib.import_module(name)
    for plugin in importlib.metadata.entry_points(group="pytest11"):
        plugin.load()


def _leave(kind: Any, error: BaseException | None, where: Any) -> None:
    traceback.print_exception(error)
    sys.stderr.flush()
    os._exit(3)


def _tested(root: Path, tests: Sequence[str], told: Path) -> int:
    signal.alarm(LONGEST_S)
    quiet = os.open(root / ".output", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(quiet, 1)
    os.dup2(quiet, 2)
    os.chdir(root)
    for name in [name for name in sys.modules if name.partition(".")[0] in OURS]:
        del sys.modules[name]
    sys.path[:] = [str(root), *(path for path in sys.path if path not in ("", str(ROOT)))]
    sys.dont_write_bytecode = True
    import pytest

    heard = Heard(root)
    early = ("-W", "ignore::pytest.PytestAssertRewriteWarning")
    code = pytest.main(["-q", "-x", "-p", "no:cacheprovider", "--timeout=0", *early, *tests], plugins=[heard])
    told.write_text("; ".join(heard.others) or (root / ".output").read_text(encoding="utf-8")[-600:], encoding="utf-8")
    if heard.failed:
        return SOMETHING_FAILED
    return NOTHING_FAILED if code == pytest.ExitCode.OK else 2


def _keep_database(root: Path) -> None:
    """Migrate an SQLite test database once for each state of the migrations, and copy it from then on."""
    from django.core.management.commands import migrate
    from django.db import connections

    usual = migrate.Command.handle
    texts = (path.read_bytes() for path in sorted(root.glob("*/migrations/*.py")))
    kept = root / f".migrated-{hashlib.sha256(b''.join(texts)).hexdigest()[:16]}"

    def handle(self: Any, *args: Any, **options: Any) -> Any:
        connection = connections[options["database"]]
        if connection.vendor != "sqlite":
            return usual(self, *args, **options)
        connection.ensure_connection()
        made: Any = connection.connection
        with contextlib.closing(sqlite3.connect(kept)) as file:
            if kept.stat().st_size:
                file.backup(made)
                return None
            done = usual(self, *args, **options)
            made.backup(file)
        return done

    migrate.Command.handle = handle  # type: ignore[method-assign]


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.security.mutations", description=__doc__)
    parser.add_argument("--row", action="append", help="try this row alone, such as S-05; may be repeated")
    chosen = parser.parse_args().row
    mutations = [each for each in table() if not chosen or each.row in chosen]
    if not mutations:
        parser.error(f"no row is called {', '.join(chosen)}: {TABLE.name} lists them")
    load_once()
    missed = 0
    with tempfile.TemporaryDirectory(prefix="julaba-mutations-") as folder:
        copy = Path(folder) / "copy"
        shutil.copytree(ROOT, copy, ignore=LEFT_OUT, symlinks=True)
        passing: dict[tuple[str, ...], str] = {}
        for each in mutations:
            if each.tests not in passing:
                code, said = run(copy, each.tests)
                passing[each.tests] = "" if code == NOTHING_FAILED else f"its tests do not pass as they are: {said}"
            wrong = passing[each.tests] or verdict(copy, each)
            missed += bool(wrong)
            sys.stdout.write(f"{each.row} {wrong or 'caught'} | {each.file}: {each.old.strip()[:70]!r}\n")
            sys.stdout.flush()
    rows = {each.row for each in mutations}
    sys.stdout.write(f"{len(rows)} rows, {len(mutations)} mutations, {missed} that no test finds\n")
    return 1 if missed else 0


if __name__ == "__main__":
    raise SystemExit(main())
