"""A disk that runs full beneath a whole site with a position at the venue: what goes on, what is told, and what comes back by itself."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from julaba_site import embedded
from tests.operate.live_site import PAIR, Site, live_site
from tests.processes import eventually, needs_linux


def missing(folder: Path = Path("/tmp")) -> str:
    """Return why no disk of our own can be had here, empty where it can."""
    if os.geteuid() != 0:
        return "only root mounts a disk"
    tried = ["unshare", "--mount", "mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)]
    if shutil.which("unshare") is None or subprocess.run(tried, capture_output=True, check=False).returncode:
        return "this machine mounts nothing"
    return "" if embedded.server_binary() else "there is no redis-server"


REASON = missing()
pytestmark = [
    needs_linux,
    pytest.mark.stack,
    pytest.mark.timeout(1200),
    pytest.mark.skipif(REASON != "", reason=REASON or "it can be had"),
]
SIZE_MB, NEARLY = 1024, 0.04
TOLD_S = 90.0
PATIENCE_S = 200.0


class Disk:
    """A disk of our own, with something on it that takes the room away."""

    def __init__(self, place: Path) -> None:
        self.place, self._filler = place, place / "filler"

    def leave(self, free: int) -> None:
        """Take so much that this many bytes are free, also where others have written since."""
        there = self._filler.stat().st_size if self._filler.exists() else 0
        with suppress(OSError), self._filler.open("ab") as file:  # others were faster and took the rest
            while (taken := shutil.disk_usage(self.place).free - free) >= 4096:
                os.posix_fallocate(file.fileno(), there, taken // 4096 * 4096)
                there += taken // 4096 * 4096

    def free(self) -> None:
        self._filler.unlink()


@pytest.fixture(scope="module")
def disk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Disk]:
    place = tmp_path_factory.mktemp("disk")
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={SIZE_MB}m", "tmpfs", place], check=True)
    try:
        yield Disk(place)
    finally:
        subprocess.run(["umount", "--lazy", place], check=True)


@pytest.fixture(scope="module")
def live(disk: Disk, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with live_site(tmp_path_factory.mktemp("full"), data=disk.place / "data") as site:
        yield site


def test_a_disk_that_is_nearly_full_is_told_while_all_goes_on(live: Site, disk: Disk) -> None:
    disk.leave(int(NEARLY * SIZE_MB * 2**20))

    assert eventually(lambda: live.told("disk"), within=TOLD_S), live.said()
    code, body = live.asked("/health")
    assert code == 503
    assert any(str(reason).startswith("Disk: 0.0 GB free") for reason in body["reasons"])
    assert live.goes_on(within=60)
    assert live.is_ready()
    found = live.manage("doctor", "--system")
    assert found.returncode == 1
    assert "FAIL disk: " in found.stdout


def test_with_a_full_disk_nothing_is_sent_the_stop_rests_and_people_hear_of_it(live: Site, disk: Disk) -> None:
    def is_told() -> bool:
        disk.leave(0)  # what is turned over or checkpointed gives room again
        return live.says("Nothing can be written down")

    before = live.market.orders()

    assert eventually(is_told, within=PATIENCE_S), live.log()
    assert "database or disk is full" in live.said()
    assert live.asked("/livez")[0] == 200
    assert eventually(lambda: live.asked("/readyz")[0] == 503, within=TOLD_S)
    assert any(reason.startswith("Tick: ") for reason in live.reasons()), live.asked("/health")
    assert live.market.orders() == before
    assert len(live.stops()) == 1
    assert live.bare == []


def test_the_stop_leaves_at_the_venue_and_with_room_again_the_books_learn_of_it(live: Site, disk: Disk) -> None:
    (stop,) = live.stops()
    live.market.price(PAIR, 43_000)
    assert eventually(lambda: not live.stops(), within=10)

    disk.free()

    assert live.goes_on(within=PATIENCE_S), live.log()
    closed = "SELECT count(*) FROM trading_trade WHERE status = 'closed'"
    assert eventually(lambda: live.ask(closed) == "1", within=60), live.log()
    assert [order["status"] for order in live.market.orders() if order["client_id"] == stop] == ["FILLED"]
    assert eventually(live.is_ready, within=120), live.asked("/readyz")
    assert live.ask("PRAGMA integrity_check") == "ok"
    found = live.manage("check_invariants")
    assert found.returncode == 0, found.stdout + found.stderr
    first = "SELECT count(*) FROM trading_order WHERE trade_id = (SELECT min(id) FROM trading_trade)"
    assert live.ask(f"{first} AND role IN ('stop', 'exit') AND status = 'filled'") == "1"
    assert live.ask(f"{first} AND role = 'entry' AND status = 'filled'") == "1"
    counts = Counter(order["client_id"] for order in live.market.orders())
    assert max(counts.values()) == 1
