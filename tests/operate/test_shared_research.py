"""Sweeps and walks on two machines with real workers: both take parts, either may die, and the result is that of one process."""

from __future__ import annotations

import fcntl
import json
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.operate import machines
from tests.operate.machines import Machine, Network
from tests.processes import eventually
from trading.adapters.candle_store import CandleStore
from trading.research import simulate

REASON = machines.missing()
pytestmark = pytest.mark.skipif(REASON != "", reason=REASON or "it can be had")

WORKER = [sys.executable, "-m", "celery", "-q", "--skip-checks", "-A", "julaba_site", "worker", "-l", "WARNING", "--without-gossip", "--without-mingle", "--without-heartbeat", "-Q", "research", "-c", "1"]  # fmt: skip
BEAT = [sys.executable, "-m", "julaba_site.beat"]
PATIENCE_S = 200.0
"""Of anything: a process that starts beside a dozen busy ones takes a minute."""

START = datetime(2026, 1, 5, tzinfo=UTC)
DAYS = 30
OPEN = {"score_min_ranging": 0, "score_min_choppy": 0, "adx_min_choppy": 0, "volume_min": 0}
SEARCH = ["--method", "random", "--objective", "return_fraction", "--min-trades", "1", "--seed", "3"]
SWEEP = [*SEARCH, "--points", "384", "--vary", "stop_atr=1:4", "target_one_r=0.5:2"]
WALK = [*SEARCH, "--points", "200", "--vary", "stop_atr=1:4", "--train", "8", "--test", "4"]
LONG = [*SEARCH, "--points", "2000", "--vary", "fast_sma=4:30", "slow_sma=40:90", "stop_atr"]


@pytest.fixture(scope="module")
def network() -> Iterator[Network]:
    """Two machines, the same candles on both, a worker for research on each."""
    candles = simulate.candles(
        seed=5, symbol="SOL/USDT", timeframe="5m", start=START, stop=START + timedelta(days=DAYS)
    )
    with machines.network("one", "two") as found:
        for machine in found.others:
            CandleStore(machine.folder / "candles", "import").write(candles)
            (machine.folder / "open.json").write_text(json.dumps(OPEN))
        found.others[0].manage("migrate", "-v0")
        # Whoever is the first ever to need the compiled engine compiles it for a minute, and hears of no cancel meanwhile.
        study(found.others[0], ["sweep"], [*SEARCH, "--points", "2", "--vary", "stop_atr=1:4"])
        found.store.start(*BEAT)
        for machine in found.others:
            machine.start(*WORKER)
        yield found


def study(machine: Machine, command: Sequence[str], plan: Sequence[str], *further: str) -> None:
    """Ask for a study on a machine, as a person does there."""
    given = ["--symbols", "SOL/USDT", "--timeframe", "5m", "--params", str(machine.folder / "open.json")]
    machine.manage(*command, *given, *plan, *further)


def asked(network: Network, kind: str, plan: list[str]) -> int:
    """Ask the workers for a study, and return the number of its run."""
    study(network.others[0], ["runs", "start", "--kind", kind], plan)
    return int(network.ask("SELECT max(id) FROM trading_backtestrun"))


def column(network: Network, run: int, name: str) -> str:
    return network.ask(f"SELECT {name} FROM trading_backtestrun WHERE id = {run}")


def parts(network: Network, run: int, status: str) -> Counter[str]:
    """Return how many parts of a run each machine has in this state."""
    found = network.ask(
        "SELECT split_part(worker, ':', 1), count(*) FROM trading_runpart "
        f"WHERE run_id = {run} AND status = '{status}' GROUP BY 1"
    )
    return Counter({line.partition("|")[0]: int(line.partition("|")[2]) for line in found.splitlines()})


def is_free(machine: Machine) -> bool:
    """Return whether no process of the machine does heavy work."""
    path = machine.folder / "run" / "heavy-0.lock"
    if not path.exists():
        return True
    with path.open() as place:
        try:
            fcntl.flock(place, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
    return True


def said(network: Network) -> str:
    return "\n".join(f"{machine.name}: {machine.said()}" for machine in network.others)


def assert_as_alone(network: Network, run: int, machine: Machine, command: str, plan: list[str], out: Path) -> None:
    """Compare what a run found with what one process finds, which knows nothing of runs and parts."""
    study(machine, [command], plan, "--json", str(out))
    alone: dict[str, Any] = json.loads(out.read_text())
    found: dict[str, Any] = json.loads(column(network, run, "result"))
    for name in ("symbols", "timeframe"):
        del alone[name]  # of a run they are columns
    assert {name: found[name] for name in alone} == alone
    scores = [row["before"] for row in alone["windows"]] if "windows" in alone else alone["best"]
    assert sum(row["trades"] for row in scores if row) > 0


def killed_in_the_middle(network: Network, run: int, *, is_owner: bool) -> tuple[Machine, Machine, Counter[str]]:
    """Kill the machine that owns the run, or the one that helps, in the middle of a part.

    Return the dead machine, the one that lives, and how many parts the dead one had done.
    """
    assert eventually(lambda: column(network, run, "status") == "running", within=PATIENCE_S), said(network)
    owner = column(network, run, "split_part(worker, ':', 1)")
    dead, alive = sorted(network.others, key=lambda machine: (machine.name == owner) != is_owner)
    assert eventually(lambda: parts(network, run, "done")[dead.name] > 0, within=PATIENCE_S), said(network)

    def is_caught() -> bool:
        dead.freeze()
        if parts(network, run, "running")[dead.name]:
            return True
        dead.thaw()
        return False

    assert eventually(is_caught, within=PATIENCE_S), said(network)
    done = parts(network, run, "done")
    dead.die()
    return dead, alive, done


def five_minutes_pass(network: Network, dead: Machine) -> None:
    """Let the silence of a dead machine grow as long as it must, without waiting for it."""
    for table in ("trading_runpart", "trading_backtestrun"):
        network.ask(
            f"UPDATE {table} SET heartbeat_at = heartbeat_at - interval '5 minutes' "
            f"WHERE status = 'running' AND worker LIKE '{dead.name}:%'"
        )


def assert_the_living_one_ends_it(network: Network, run: int, dead: Machine, alive: Machine) -> Counter[str]:
    """Return how many parts each machine did in the end."""
    total = int(network.ask(f"SELECT count(*) FROM trading_runpart WHERE run_id = {run}"))
    # It does all that is left; of what the dead machine has begun it cannot know.
    assert eventually(lambda: parts(network, run, "done").total() == total - 1, within=PATIENCE_S), said(network)
    by = parts(network, run, "done")
    assert parts(network, run, "running") == {dead.name: 1}
    assert column(network, run, "status") == "running"

    five_minutes_pass(network, dead)

    assert eventually(lambda: column(network, run, "status") == "done", within=PATIENCE_S), said(network)
    by[alive.name] += 1
    told = "parts done: " + ", ".join(f"{name} {by[name]}" for name in sorted(by))
    assert told in [line["text"] for line in json.loads(column(network, run, "log"))]
    return by


def revive(machine: Machine) -> None:
    machine.plug()
    machine.start(*WORKER)


def test_cancel_ends_the_work_on_both_machines(network: Network) -> None:
    run = asked(network, "sweep", LONG)
    assert eventually(lambda: len(parts(network, run, "running")) == 2, within=PATIENCE_S), said(network)
    assert not any(is_free(machine) for machine in network.others)

    network.others[1].manage("runs", "cancel", str(run), "--by", "two")

    assert eventually(lambda: all(is_free(machine) for machine in network.others), within=60), said(network)
    assert column(network, run, "status") == "canceled"
    assert column(network, run, "result") == ""
    assert network.ask("SELECT count(*) FROM trading_runpart") == "0"


def test_a_sweep_is_shared_and_survives_the_machine_that_helps(network: Network, tmp_path: Path) -> None:
    run = asked(network, "sweep", SWEEP)
    dead, alive, done = killed_in_the_middle(network, run, is_owner=False)

    by = assert_the_living_one_ends_it(network, run, dead, alive)

    assert by[dead.name] == done[dead.name] > 0
    assert column(network, run, "attempts") == "1"
    assert_as_alone(network, run, alive, "sweep", SWEEP, tmp_path / "alone.json")
    revive(dead)


def test_a_walk_is_shared_and_survives_the_machine_that_owns_it(network: Network, tmp_path: Path) -> None:
    run = asked(network, "walk", WALK)
    dead, alive, done = killed_in_the_middle(network, run, is_owner=True)

    by = assert_the_living_one_ends_it(network, run, dead, alive)

    assert by[dead.name] == done[dead.name] > 0
    assert column(network, run, "attempts") == "2"
    assert column(network, run, "split_part(worker, ':', 1)") == alive.name
    assert_as_alone(network, run, alive, "walkforward", WALK, tmp_path / "alone.json")
    revive(dead)
