"""A whole site with a position at the venue, whose processes are killed and frozen one by one: it mends itself.

Nobody helps. All the time the stop rests at the venue, nothing is sent twice, and the books stay right.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from julaba_site import embedded
from julaba_site.stack import REDIS_SILENCE_S, STREAM_SILENCE_S, WORK_SILENCE_S
from julaba_site.supervisor import LONGEST_DELAY_S, SILENCE_S
from tests.operate.live_site import ROOT, Site, live_site
from tests.processes import descendants, eventually, is_alive, needs_linux

pytestmark = [
    needs_linux,
    pytest.mark.stack,
    pytest.mark.timeout(1200),
    pytest.mark.skipif(embedded.server_binary() is None, reason="there is no redis-server"),
]
WORDS = {
    "web": b"uvicorn",
    "trading": b"-ntrading@",
    "work": b"-nwork@",
    "stream": b"manage.py\0stream",
    "beat": b"julaba_site.beat",
    "redis": b"redis-server",
}
SILENT_S = {
    "web": SILENCE_S,
    "trading": SILENCE_S,
    "work": WORK_SILENCE_S,
    "stream": STREAM_SILENCE_S,
    "beat": SILENCE_S,
    "redis": REDIS_SILENCE_S,
}
BUSY_S = 45.0
"""What a busy machine may add: a process is started in two seconds or in twenty."""
TICKS = ("web", "work", "stream")
"""Without these, positions are followed as ever."""
SAYS = {
    "web": ("/livez", 0, "", ""),
    "trading": ("/readyz", 503, "Tick", "bad"),
    "work": ("/health", 200, "Worker for everything else", "warn"),
    "stream": ("/health", 200, "Stream", "warn"),
    "beat": ("/health", 200, "Beat", "warn"),
    "redis": ("/readyz", 503, "Redis", "bad"),
}
"""What an address answers while that process is frozen: the status, and what one of its checks says."""


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with live_site(tmp_path_factory.mktemp("broken")) as site:
        yield site


def answers_so(live: Site, path: str, status: int, check: str, state: str) -> bool:
    code, body = live.asked(path, timeout=8)
    # On a busy machine something else may be late as well; what is asked for has to be told all the same.
    is_code = code == status or (status == 200 and code == 503)
    return is_code and (
        not check or any((each["name"], each["state"]) == (check, state) for each in body.get("checks", []))
    )


@pytest.mark.parametrize("name", WORDS)
def test_what_is_killed_is_started_again_and_nothing_is_lost_or_doubled(live: Site, name: str) -> None:
    old = live.child(WORDS[name])
    assert old

    os.kill(old, signal.SIGKILL)

    assert eventually(lambda: live.is_replaced(WORDS[name], old), within=LONGEST_DELAY_S + BUSY_S), live.log()
    assert live.goes_on(within=60 + BUSY_S), live.log()
    assert eventually(live.is_ready, within=60 + BUSY_S), live.asked("/readyz")
    assert live.asked("/livez")[0] == 200
    live.assert_sound()


@pytest.mark.parametrize("name", WORDS)
def test_what_lives_and_does_nothing_is_told_and_replaced_in_the_time_that_is_promised(live: Site, name: str) -> None:
    old = live.child(WORDS[name])
    assert old
    began = time.monotonic()

    os.kill(old, signal.SIGSTOP)

    if name in TICKS:
        assert live.goes_on(within=BUSY_S), live.log()
    assert eventually(lambda: answers_so(live, *SAYS[name]), within=SILENT_S[name] - 2), live.asked(SAYS[name][0])
    within = SILENT_S[name] + LONGEST_DELAY_S + BUSY_S - (time.monotonic() - began)
    assert eventually(lambda: live.is_replaced(WORDS[name], old), within=within), live.log()
    assert f"{name} has done nothing for {SILENT_S[name]:.0f} s and is killed" in live.log()
    assert live.goes_on(within=60 + BUSY_S), live.log()
    assert eventually(live.is_ready, within=60 + BUSY_S), live.asked("/readyz")
    live.assert_sound()


def test_a_frozen_supervisor_keeps_nobody_from_working_and_replaces_nobody_when_it_goes_on(live: Site) -> None:
    assert eventually(live.is_ready, within=60 + BUSY_S)
    before = {name: live.child(words) for name, words in WORDS.items()}
    os.kill(live.process.pid, signal.SIGSTOP)

    try:
        assert live.goes_on(within=BUSY_S)
        time.sleep(REDIS_SILENCE_S + 10)  # longer than it would leave some of them without an answer
        assert live.goes_on(within=BUSY_S)
    finally:
        os.kill(live.process.pid, signal.SIGCONT)

    time.sleep(5)
    assert {name: live.child(words) for name, words in WORDS.items()} == before
    live.assert_sound()


def test_with_a_killed_supervisor_all_end_and_whoever_starts_it_again_finds_everything_in_order(live: Site) -> None:
    started = descendants(live.process.pid)
    live.process.kill()
    live.process.wait(timeout=20)

    assert eventually(lambda: not any(map(is_alive, started)), within=BUSY_S)
    assert len(live.stops()) == 1
    with live.out.open("ab") as out:
        live.process = subprocess.Popen([sys.executable, "manage.py", "up"], cwd=ROOT, env=live.given, stdout=out, stderr=out)  # fmt: skip

    assert eventually(lambda: live.asked("/livez")[0] == 200, within=60 + BUSY_S), live.log()
    assert live.goes_on(within=60 + BUSY_S), live.log()
    assert eventually(lambda: not live.reasons(), within=60 + BUSY_S), live.reasons()
    live.assert_sound()
