"""How fast lists and overview are over a million trades, and whether a tick beside them keeps its time.

    python benchmarks/web.py [--trades 1000000] [--seconds 15] [--data FOLDER]

A real web process answers eight connections, each with a token of its own, on SQLite as in operation, or on PostgreSQL
where DATABASE_URL names an empty one; --data keeps the rows for the next run. Beside it the real tick runs every second.
Two runs of one machine differ: compare the requests with those of /api/v1/version, which touches no row.
"""

from __future__ import annotations

import argparse
import http.client
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))
PATHS = (
    "/api/v1/version", "/api/v1/trades?limit=50", "/api/v1/trades?limit=50&sort=-pnl", "/api/v1/trades?limit=50&reason=stop&sort=-r",
    "/api/v1/trades?limit=50&symbol=btc&side=short", "/api/v1/orders?limit=50", "/api/v1/signals?limit=50",
    "/api/v1/events?limit=50",
)  # fmt: skip
PAGES = ("/", "/performance/", "/trades/", "/signals/", "/ai-report/", "/metrics")
CONNECTIONS = 8
TICK_EVERY_S = 1.0
TICKER = """
import time, django
django.setup()
from trading import tasks
begun = time.time()
while True:
    begun += {every}
    time.sleep(max(0.0, begun - time.time()))
    tasks.tick()
    print(f"{{(time.time() - begun) * 1000:.1f}}", flush=True)
"""


def prepare(trades: int) -> list[str]:
    """Make the rows where there are none, and return a token for each connection."""
    import django

    django.setup()
    from django.contrib.auth.models import User
    from django.core.management import call_command
    from django.utils import timezone

    from dashboard import tasks, tokens
    from tests import millions
    from trading.models import Trade

    call_command("migrate", verbosity=0)
    now = timezone.now()
    if not Trade.objects.exists():
        begun = time.perf_counter()
        millions.fill(trades=trades, now=now)
        print(f"{trades:,} trades with their rows were made in {time.perf_counter() - begun:.0f} s", flush=True)
    begun = time.perf_counter()
    # As a worker does each hour; with rows of years that come at once, it takes a while once.
    tasks.check_tallies()
    print(f"what settled was added up in {time.perf_counter() - begun:.0f} s", flush=True)
    User.objects.filter(username="bench").delete()
    user = User.objects.create_superuser("bench", password="only for this benchmark")
    return [
        tokens.issue(user=user, name=f"n{number}", scope="read", days=1, now=now, per_minute=6000)[1]
        for number in range(CONNECTIONS)
    ]


@contextmanager
def server(port: int) -> Iterator[subprocess.Popen[bytes]]:
    command = [sys.executable, "-m", "uvicorn", "julaba_site.asgi:application", "--port", str(port), "--lifespan", "off",
               "--log-level", "error"]  # fmt: skip
    process = subprocess.Popen(command, cwd=ROOT, env={**os.environ, "JULABA_ROLE": "web"})
    _yield(process.pid)
    try:
        end = time.monotonic() + 60
        while time.monotonic() < end:
            try:
                ask(http.client.HTTPConnection("127.0.0.1", port, timeout=5), "/livez", "")
                break
            except OSError:
                time.sleep(0.2)
        yield process
    finally:
        process.terminate()
        process.wait(timeout=30)


@contextmanager
def ticking(late: list[float]) -> Iterator[None]:
    """Run the real tick beside; `late` gets how long after its time each was over, in ms."""
    process = subprocess.Popen(
        [sys.executable, "-c", TICKER.format(every=TICK_EVERY_S)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    _yield(0)  # whoever asks is on another machine in life, and takes nothing from the tick
    lines = process.stdout
    thread = threading.Thread(target=lambda: late.extend(float(line) for line in lines), daemon=True)
    thread.start()
    try:
        while len(late) < 3:
            if process.poll() is not None:
                sys.exit("the tick ended: see above")
            time.sleep(0.1)
        late.clear()
        yield
    finally:
        process.kill()
        thread.join(timeout=5)


def _yield(pid: int) -> None:
    from julaba_site.stack import PAGES_NICE

    os.setpriority(os.PRIO_PROCESS, pid, PAGES_NICE)  # as `manage.py up` does


def ask(connection: http.client.HTTPConnection, path: str, token: str) -> float:
    begun = time.perf_counter()
    connection.request("GET", path, headers={"Authorization": f"Bearer {token}"} if token else {})
    answer = connection.getresponse()
    answer.read()
    if answer.status != 200:
        sys.exit(f"{path} answered {answer.status}")
    return (time.perf_counter() - begun) * 1000


def load(port: int, path: str, tokens: Sequence[str], seconds: float) -> list[float]:
    """Ask a path over every connection for so long, and return how long each answer took, in ms."""
    spent: list[float] = []
    end = time.monotonic() + seconds

    def one(token: str) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        while time.monotonic() < end:
            spent.append(ask(connection, path, token))

    threads = [threading.Thread(target=one, args=(token,)) for token in tokens]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return spent


def overview(port: int, token: str) -> None:
    """Time the pages of a process that has seen none of the rows, as a browser that is logged in asks them."""
    from django.conf import settings
    from django.contrib.auth.models import User
    from django.test import Client

    client = Client()
    client.force_login(User.objects.get(username="bench"))
    cookie = f"{settings.SESSION_COOKIE_NAME}={client.cookies[settings.SESSION_COOKIE_NAME].value}"
    for path in PAGES:
        begun = time.perf_counter()
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        connection.request("GET", path, headers={"Cookie": cookie})
        answer = connection.getresponse()
        size = len(answer.read())
        print(
            f"{path}: first answer {(time.perf_counter() - begun) * 1000:.0f} ms, {size // 1000} kB, {answer.status}",
            flush=True,
        )


def p95(spent: Sequence[float]) -> float:
    return statistics.quantiles(spent, n=20, method="inclusive")[18]


def cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def measure(tokens: Sequence[str], seconds: float) -> None:
    from tests import ports

    port, late = ports.free(), list[float]()
    with server(port) as process:
        overview(port, tokens[0])
        with ticking(late):
            time.sleep(max(5.0, seconds / 2))
            idle = list(late)
            bare = 0.0
            for path in PATHS:
                late.clear()
                used = cpu_s(process.pid)
                spent = load(port, path, tokens, seconds)
                rate, used = len(spent) / seconds, (cpu_s(process.pid) - used) / len(spent)
                bare = bare or rate
                jitter = max(late, default=0.0) - statistics.median(idle)
                print(
                    f"{path}: {rate:.0f} requests/s ({rate / bare:.2f} of one without rows), p50 {statistics.median(spent):.0f} ms, "
                    f"p95 {p95(spent):.0f} ms, {used * 1000:.1f} ms of a core each; worst tick {jitter:+.0f} ms against its median alone",
                    flush=True,
                )
        rss = int(Path(f"/proc/{process.pid}/statm").read_text().split()[1]) * 4096 / 1e6
        print(f"the web process has {rss:.0f} MB; a tick alone takes {statistics.median(idle):.0f} ms (median)")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trades", type=int, default=1_000_000)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--data", default="")
    asked = parser.parse_args()
    os.environ |= {
        "DJANGO_SETTINGS_MODULE": "julaba_site.settings",
        "JULABA_DATA_DIR": asked.data or tempfile.mkdtemp(prefix="jlb-"),
        "LOG_LEVEL": "ERROR",
        "ALLOWED_HOSTS": "127.0.0.1,testserver",
    }
    measure(prepare(asked.trades), asked.seconds)


if __name__ == "__main__":
    main()
