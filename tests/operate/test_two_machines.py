"""Two machines, one PostgreSQL and one Redis: whichever dies or is cut off, the other goes on, and one alone trades."""

from __future__ import annotations

import sys

import pytest

from tests.operate import machines
from tests.operate.machines import Network
from tests.processes import eventually

REASON = machines.missing()
WORKER = [sys.executable, "-m", "celery", "-q", "--skip-checks", "-A", "julaba_site", "worker", "-l", "WARNING", "--without-gossip", "--without-mingle", "--without-heartbeat", "-Q", "trading", "-c", "1"]  # fmt: skip
BEAT = [sys.executable, "-m", "julaba_site.beat"]


def holder(network: Network) -> str:
    return network.ask("SELECT owner FROM trading_lease WHERE name = 'trader'").partition(":")[0]


def epoch(network: Network) -> int:
    return int(network.ask("SELECT epoch FROM trading_lease WHERE name = 'trader'"))


def ticks(network: Network, machine: str) -> int:
    """Return how many slots a machine has had; no slot is anybody's twice."""
    return int(network.ask(f"SELECT count(*) FROM trading_tickrun WHERE owner LIKE '{machine}:%'"))


@pytest.mark.skipif(REASON != "", reason=REASON or "it can be had")
def test_whichever_machine_is_lost_the_other_goes_on_and_one_alone_trades() -> None:
    with machines.network("one", "two") as network:
        one, two = network.others
        one.manage("migrate", "-v0")
        one.start(*WORKER)
        network.store.start(*BEAT)
        assert eventually(lambda: ticks(network, "one") > 2, within=60), one.said()
        two.start(*WORKER)

        # Its processes live on, and nobody else can see that: only the clock of the database tells.
        one.pull()

        assert eventually(lambda: ticks(network, "two") > 2, within=60), two.said()
        assert holder(network) == "two"
        taken = epoch(network)
        assert taken > 1

        # Whoever is late, as on a busy machine, may be relieved by the other: one of them goes on.
        one.plug()
        before = ticks(network, "one") + ticks(network, "two")
        assert eventually(lambda: ticks(network, "one") + ticks(network, "two") > before + 4, within=60)

        two.die()
        before = ticks(network, "one")

        assert eventually(lambda: ticks(network, "one") > before + 2, within=60), one.said()
        assert holder(network) == "one"
        assert epoch(network) > taken
        one.manage("check_invariants")
