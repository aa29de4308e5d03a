"""A position is open while one version replaces another, and back: its stop rests at the venue all the time, and nothing is done twice."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from django.db import models
from django.db.migrations import AddField, AlterField, CreateModel, DeleteModel, RemoveField, RenameField, RenameModel
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.operations.base import Operation
from django.db.migrations.state import ProjectState

from julaba_site import embedded
from tests.operate import upgrading
from tests.venue.gate import API_KEY, API_SECRET
from tests.venue.launch import Venue, venue

ROOT = Path(__file__).resolve().parents[2]
HELPER = Path(upgrading.__file__)
FIRST = {"dashboard": "0002", "mlops": "0003", "notifications": "0003", "trading": "0024"}
"""The last migrations that no version was ever without: nothing was released before them."""
SYMBOL = "T00USDT"


def version_before(folder: Path) -> Path | None:
    """Unpack the tree as it was before the newest migration of trading; None where the history is not here."""
    newest = max((ROOT / "trading" / "migrations").glob("0*.py"))
    ask = ["git", "-C", str(ROOT), "log", "-1", "--diff-filter=A", "--format=%H^", "--", str(newest)]
    commit = subprocess.run(ask, capture_output=True, text=True, check=False).stdout.strip()
    packed = subprocess.run(["git", "-C", str(ROOT), "archive", commit or "none"], capture_output=True, check=False)
    if not commit or packed.returncode:
        return None
    folder.mkdir()
    subprocess.run(["tar", "-x", "-C", str(folder)], input=packed.stdout, check=True)
    return folder if not (folder / newest.relative_to(ROOT)).exists() else None


def run(tree: Path, wanted: str, exchange: Venue, data: Path) -> dict[str, Any]:
    """Start that version, let it come to what is wanted, stop it, and return its books."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "TMPDIR") if name in os.environ}
    own = {
        "DJANGO_SETTINGS_MODULE": "tests.torture.settings",
        "JULABA_DATA_DIR": str(data),
        "DATABASE_URL": f"sqlite:///{data / 'books.sqlite3'}",
        "REDIS_URL": "redis://127.0.0.1:1/0",
        "JULABA_TORTURE_VENUE": exchange.base_url,
        "JULABA_TORTURE_KEY": API_KEY,
        "JULABA_TORTURE_SECRET": API_SECRET,
        # The version before has nothing compiled, and half a minute of that is longer than it takes without.
        "NUMBA_DISABLE_JIT": "1",
    }
    done = subprocess.run(
        [sys.executable, "-B", str(HELPER), wanted], cwd=tree, env={**kept, **own}, capture_output=True, text=True,
        timeout=900, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    books: dict[str, Any] = json.loads(done.stdout)
    assert books["code"] == str(tree)
    assert books["violations"] == []
    assert books["compared"]
    return books


def stops(exchange: Venue) -> list[str]:
    """Return the client ids of the stops that rest at the venue."""
    return [
        order["client_id"]
        for order in exchange.orders()
        if order["status"] == "NEW" and order["type"].startswith("STOP")
    ]


@pytest.mark.skipif(embedded.server_binary() is None, reason="there is no redis-server, which the settings ask for")
def test_a_position_outlives_an_upgrade_and_a_roll_back(tmp_path: Path) -> None:
    before = version_before(tmp_path / "before")
    if before is None:
        pytest.skip("the history of this project is not here")
    data = tmp_path / "data"
    data.mkdir()
    with venue(tmp_path / "venue.db") as exchange:
        exchange.market(SYMBOL, base="T00", quote="USDT", tick="0.01", lot="0.001", min_notional="5", price="100.00")

        first = run(before, "open", exchange, data)
        resting, sent = stops(exchange), len(exchange.accepted())
        assert len(resting) == 1
        assert first["trades"][0]["status"] == "open"

        upgraded = run(ROOT, "look", exchange, data)
        assert stops(exchange) == resting
        assert len(exchange.accepted()) == sent
        assert upgraded["trades"] == first["trades"]
        assert upgraded["orders"] == first["orders"]
        assert upgraded["differences"] == []

        # Nobody runs when the price falls: the venue sells, and the version before finds it so on the newer schema.
        exchange.price(SYMBOL, "60.00")
        rolled_back = run(before, "close", exchange, data)
        assert [trade["status"] for trade in rolled_back["trades"]] == ["closed"]
        assert len(exchange.accepted()) == sent
        assert stops(exchange) == []
        assert Decimal(str(exchange.state()["balances"]["T00"]["free"])) < Decimal("0.001")


def narrowings(operations: list[Operation], state: ProjectState, app: str) -> Iterator[str]:
    """Yield each change that a version which does not know of it could not live with."""
    made = {each.name_lower for each in operations if isinstance(each, CreateModel)}
    for each in operations:
        if isinstance(each, (RemoveField, RenameField, DeleteModel, RenameModel)):
            yield f"{each.describe()}: the version before still asks for it"
        elif isinstance(each, AddField) and each.model_name_lower not in made:
            field = each.field
            is_bare = not field.null and not field.has_db_default() and not isinstance(field, models.ManyToManyField)
            if is_bare:
                yield f"{each.describe()}: the version before leaves it out, so it needs null=True or db_default"
        elif isinstance(each, AlterField) and not each.field.null:
            old = state.models[app, each.model_name_lower].fields[each.name]
            if old.null and not each.field.has_db_default():
                yield f"{each.describe()}: the version before may write null"


def test_every_migration_leaves_the_version_before_at_work() -> None:
    loader = MigrationLoader(None)
    found = []
    for app, name in sorted(key for key in loader.graph.nodes if key[0] in FIRST and key[1][:4] > FIRST[key[0]]):
        migration = loader.graph.nodes[app, name]
        before = loader.project_state((app, name), at_end=False)
        found += [f"{app} {name}: {text}" for text in narrowings(migration.operations, before, app)]

    assert found == []


@pytest.mark.parametrize(
    ("operation", "says"),
    [
        (AddField("bot", "mood", models.TextField(default="")), "needs null=True or db_default"),
        (AddField("bot", "mood", models.TextField(null=True)), ""),
        (AddField("bot", "mood", models.TextField(default="", db_default="")), ""),
        (RemoveField("bot", "balance"), "still asks for it"),
        (RenameField("bot", "balance", "money"), "still asks for it"),
        (DeleteModel("Bot"), "still asks for it"),
        (AlterField("bot", "data_at", models.DateTimeField(default="")), "may write null"),
    ],
    ids=lambda each: each.describe() if isinstance(each, Operation) else "",
)
def test_a_change_that_could_not_be_gone_back_from_is_found(operation: Operation, says: str) -> None:
    state = MigrationLoader(None).project_state()

    found = list(narrowings([operation], state, "trading"))

    assert bool(found) == bool(says)
    assert all(says in text for text in found)
