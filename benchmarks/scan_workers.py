"""How a scan of two thousand pairs spreads over Celery workers: real processes and Redis, one worker, then two.

Run with `python benchmarks/scan_workers.py`. The market is a function, so what is measured is measuring, ranking and
the database. Give the ratio, not the seconds. Where the cores are taken the CPU time of each worker tells what free ones
would give: the whole work of one worker over the share of the busier of two, who ranks. Last, a worker is killed in the
midst: nothing is lost or doubled.
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
from tests.wide_market import PAIRS
from trading import scanner, tasks
from trading.models import Scan, ScanRow
from trading.services import parameters, scanning

PATIENCE_S = float(os.environ.get("PATIENCE_S", "300"))


@contextmanager
def running(*commands: list[str]) -> Iterator[list[subprocess.Popen[bytes]]]:
    environment = {**os.environ, **stack.ENVIRONMENT}
    started = [subprocess.Popen(each, cwd=ROOT, env=environment, start_new_session=True) for each in commands]
    try:
        yield started
    finally:
        for process in started:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGTERM)
        for process in started:
            process.wait(60)


def worker(name: str) -> list[str]:
    return [*stack.CELERY, "-Ajulaba_site", *stack.WORKER, "-c1", "-Qwork", f"-n{name}@%h"]


def scan_with(workers: int) -> tuple[float, list[float]]:
    """Return the seconds of a scan by so many workers that are warm, and the CPU seconds that each of them spent."""
    with running(*(worker(f"w{number}") for number in range(workers))) as processes:
        _scan()
        before = [_cpu(each.pid) for each in processes]
        spent = _scan()
        return spent, [_cpu(each.pid) - earlier for each, earlier in zip(processes, before, strict=True)]


def scan_with_a_death() -> int:
    """Return how many parts were there when one of two workers was killed; the other does the rest."""
    with running(worker("w0"), worker("w1")) as processes:
        _scan()
        pk = _send()
        while (rows := ScanRow.objects.filter(scan=pk).count()) == 0:
            time.sleep(0.01)
        os.killpg(processes[0].pid, signal.SIGKILL)
        _ranked(pk, again=True)
    return rows


def _scan() -> float:
    """Send the parts of a new scan and wait until it is ranked."""
    begun = time.monotonic()
    _ranked(_send())
    return time.monotonic() - begun


def _send() -> int:
    Scan.objects.all().delete()
    pk, starts = scanner.begin(now=timezone.now())
    for start in starts:
        tasks.scan_part.delay(pk=pk, start=start)
    return pk


def _ranked(pk: int, *, again: bool = False) -> None:
    """Wait until a scan is ranked; `again` asks for what is missing, as the next scan would."""
    begun = asked = time.monotonic()
    while Scan.objects.filter(pk=pk, finished_at=None).exists():
        if time.monotonic() - begun > PATIENCE_S:
            raise SystemExit(f"the scan was not ranked within {PATIENCE_S:.0f} s: look at the workers' log above")
        if again and time.monotonic() - asked > 5:
            asked = time.monotonic()
            for lost, start in scanner.lost_parts(now=timezone.now() + scanning.OVERDUE):
                tasks.scan_part.delay(pk=lost, start=start)
        time.sleep(0.02)
    rows = ScanRow.objects.filter(scan=pk)
    assert sorted(rows.values_list("rank", flat=True)) == list(range(1, PAIRS + 1))
    assert rows.values("symbol").distinct().count() == PAIRS


def _cpu(pid: int) -> float:
    """Return the CPU seconds of a process and of the children it has now."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK") + sum(_cpu(int(each)) for each in children)


def main() -> None:
    call_command("migrate", verbosity=0)
    now = timezone.now()
    values = {"pairs": ["BTC/USDT"], "scan_universe": "venue", "scan_most": PAIRS}
    number = parameters.current(now=now).number
    parameters.revise(values=values, reason="benchmark", author=None, expected_number=number, now=now)
    with running(startup.redis_command(FOLDER)):
        time.sleep(1.0)
        alone, [work] = scan_with(1)
        shared, works = scan_with(2)
        rows = scan_with_a_death()
    print(
        f"scan of {PAIRS} pairs by one worker {alone:.1f} s, by two {shared:.1f} s: {alone / shared:.2f} times as fast"
    )
    shares = ", ".join(f"{each:.1f}" for each in works)
    print(f"CPU: one worker {work:.1f} s, two {shares} s: {work / max(works):.2f} times as fast on free cores")
    print(f"one of two workers killed with {rows} pairs measured: {PAIRS} ranked, each once")


if __name__ == "__main__":
    main()
