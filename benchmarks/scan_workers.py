"""How a scan of two thousand pairs spreads over Celery workers: real processes and Redis, one worker, then two.

Run with `python benchmarks/scan_workers.py`. The market is a function, so what is measured is measuring, ranking and
the database. Give the ratio, not the seconds; on a machine whose cores are taken, two workers win nothing.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))
FOLDER = Path(tempfile.mkdtemp(prefix="julaba-bench-"))
os.environ |= {
    "DJANGO_SETTINGS_MODULE": "tests.wide_settings",
    "JULABA_DATA_DIR": str(FOLDER),
    "LOG_LEVEL": "ERROR",
    "PYTHONPATH": str(ROOT),
}
for _name in ("REDIS_URL", "DATABASE_URL", "TRADING_MODE", "EXCHANGE"):
    os.environ.pop(_name, None)

import django

django.setup()

from django.core.management import call_command
from django.utils import timezone

from julaba_site import stack, startup
from julaba_site.celery import app
from tests.wide_market import PAIRS
from trading import scanner, tasks
from trading.models import Scan
from trading.services import parameters

PATIENCE_S = 300.0


@contextmanager
def running(*commands: list[str]) -> Iterator[None]:
    environment = {**os.environ, **stack.ENVIRONMENT}
    started = [subprocess.Popen(each, cwd=ROOT, env=environment, start_new_session=True) for each in commands]
    try:
        yield
    finally:
        for process in started:
            os.killpg(process.pid, signal.SIGTERM)
        for process in started:
            process.wait(60)


def worker(name: str) -> list[str]:
    return [*stack.CELERY, "-Ajulaba_site", *stack.WORKER, "-c1", "-Qwork", f"-n{name}@%h"]


def scan_with(workers: int) -> tuple[float, dict[str, int]]:
    """Return the seconds of a scan by so many workers that are warm, and how many parts each of them measured."""
    with running(*(worker(f"w{number}") for number in range(workers))):
        _scan()
        before = _parts_done(workers)
        spent = _scan()
        done = _parts_done(workers)
    return spent, {name: done[name] - before[name] for name in done}


def _scan() -> float:
    """Send the parts of a new scan and wait until it is ranked."""
    Scan.objects.all().delete()
    begun = time.monotonic()
    pk, starts = scanner.begin(now=timezone.now())
    for start in starts:
        tasks.scan_part.delay(pk=pk, start=start)
    while Scan.objects.filter(pk=pk, finished_at=None).exists():
        if time.monotonic() - begun > PATIENCE_S:
            raise SystemExit(f"the scan was not ranked within {PATIENCE_S:.0f} s: look at the workers' log above")
        time.sleep(0.02)
    spent = time.monotonic() - begun
    assert Scan.objects.get(pk=pk).rows.count() == PAIRS
    return spent


def _parts_done(workers: int) -> dict[str, int]:
    deadline = time.monotonic() + 60
    while True:
        told = app.control.inspect(timeout=2.0).stats() or {}
        if len(told) == workers or time.monotonic() > deadline:
            return {name: each["total"].get("trading.tasks.scan_part", 0) for name, each in sorted(told.items())}


def main() -> None:
    call_command("migrate", verbosity=0)
    now = timezone.now()
    values = {"pairs": ["BTC/USDT"], "scan_universe": "venue", "scan_most": PAIRS}
    number = parameters.current(now=now).number
    parameters.revise(values=values, reason="benchmark", author=None, expected_number=number, now=now)
    with running(startup.redis_command(FOLDER)):
        time.sleep(1.0)
        alone, _ = scan_with(1)
        shared, parts = scan_with(2)
    print(
        f"scan of {PAIRS} pairs by one worker {alone:.1f} s, by two {shared:.1f} s: {alone / shared:.2f} times as fast"
    )
    print("parts measured: " + ", ".join(f"{name.partition('@')[0]} {count}" for name, count in parts.items()))


if __name__ == "__main__":
    main()
