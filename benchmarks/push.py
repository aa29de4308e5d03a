"""How fast news reach browsers: so many sockets, so many messages a second, and one among them that does not read.

    python benchmarks/push.py [--sockets 500] [--rate 10] [--seconds 20]

A real web process serves them, over a Redis of its own. Every message carries a number and when it was made; each socket
checks that none is missing, and how long each took. One that stops reading must not delay the others.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import socket as tcp
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import websockets.asyncio.client as client
from websockets.typing import Origin

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))
FOLDER = Path(tempfile.mkdtemp(prefix="jlb-"))
os.environ |= {
    "DJANGO_SETTINGS_MODULE": "julaba_site.settings",
    "JULABA_DATA_DIR": str(FOLDER),
    "LOG_LEVEL": "ERROR",
}

from tests import ports

PORT = ports.free()
URL = f"http://127.0.0.1:{PORT}"
os.environ |= {"ALLOWED_HOSTS": "127.0.0.1", "ALLOWED_ORIGINS": URL, "PORT": str(PORT)}
SERVER = """
import asyncio
import os
import time

import julaba_site.asgi as site
from dashboard import consumers, hub

consumers.SOCKETS_PER_USER = 10_000
hub.SPACING_S = 1 / float(os.environ["RATE"])
made = 0


def render(now):
    global made
    made += 1
    return hub.Rendered(panels={"number": str(made), "sent": repr(time.time()), "figures": "x" * 900}, equity=[])


def always(seats):
    seats._due.set()
    asyncio.get_running_loop().call_later(hub.SPACING_S / 4, always, seats)


def ensure_running(seats):
    if "hub-render" not in seats._tasks:
        always(seats)
    start(seats)


start, hub.Hub.ensure_running, hub.overview.render = hub.Hub.ensure_running, ensure_running, render
application = site.application
"""
"""The site itself, but for what it tells: a number, the time and a kilobyte, so many times a second."""


class Count:
    """What all sockets saw together."""

    def __init__(self) -> None:
        self.spent: list[float] = []
        self.lost = 0
        self.is_on = False


def set_up() -> str:
    """Make the tables and somebody who is logged in, and return the cookie."""
    import django

    django.setup()
    from django.conf import settings
    from django.contrib.auth.models import User
    from django.core.management import call_command
    from django.test import Client

    call_command("migrate", verbosity=0)
    client = Client()
    client.force_login(User.objects.create_superuser("bench", password="only for this benchmark"))
    return f"{settings.SESSION_COOKIE_NAME}={client.cookies[settings.SESSION_COOKIE_NAME].value}"


async def listen(cookie: str, count: Count) -> None:
    """Read one socket for ever: count what is missing, and how old each message is."""
    seq = 0
    async with connect(cookie) as socket:
        async for raw in socket:
            frame = json.loads(raw)
            if frame["type"] == "snapshot":
                # A second one means that this socket was too slow and something was left out.
                count.lost += count.is_on and seq > 0
            elif frame["type"] == "panels" and count.is_on:
                count.lost += seq > 0 and frame["seq"] != seq + 1
                count.spent.append((time.time() - float(frame["panels"]["sent"])) * 1000)
            seq = frame["seq"]


def connect(cookie: str) -> client.connect:
    return client.connect(
        URL.replace("http", "ws") + "/ws/live", additional_headers={"Cookie": cookie}, origin=Origin(URL),
        open_timeout=60, ping_interval=None, compression=None,
    )  # fmt: skip


async def run(asked: argparse.Namespace, cookie: str, pid: int) -> None:
    count = Count()
    stuck = await connect(cookie)
    stuck.transport.pause_reading()
    tasks = []
    for begin in range(0, asked.sockets, 50):
        tasks += [asyncio.create_task(listen(cookie, count)) for _ in range(min(50, asked.sockets - begin))]
        await asyncio.sleep(1.0)
    await asyncio.sleep(2.0)
    if failed := [task for task in tasks if task.done()]:
        sys.exit(f"{len(failed)} sockets were closed: {failed[0].exception()}")
    begun, busy = time.monotonic(), cpu_s(pid)
    count.is_on = True
    await asyncio.sleep(asked.seconds)
    count.is_on = False
    lasted, used = time.monotonic() - begun, cpu_s(pid) - busy
    for task in tasks:
        task.cancel()
    ordered = sorted(count.spent)
    p50, p99 = (ordered[int(len(ordered) * part)] for part in (0.5, 0.99))
    print(
        f"{asked.sockets} sockets: {len(ordered) / lasted:.0f} messages/s of {asked.sockets * asked.rate} wanted, p50 {p50:.0f} ms, "
        f"p99 {p99:.0f} ms, {count.lost} lost, beside one that does not read; the web process took {used / lasted:.0%} of a core "
        f"({used / max(1, len(ordered)) * 1e6:.0f} us a message) and has {megabytes(pid):.0f} MB"
    )


def megabytes(pid: int) -> float:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * 4096 / 1e6


def cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def wait_for(port: int) -> None:
    end = time.monotonic() + 60
    while time.monotonic() < end:
        try:
            tcp.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.2)
        else:
            return
    sys.exit("the web process does not answer")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sockets", type=int, default=500)
    parser.add_argument("--rate", type=int, default=10)
    parser.add_argument("--seconds", type=float, default=20.0)
    asked = parser.parse_args()
    from julaba_site import embedded

    redis = None
    if binary := embedded.server_binary():
        socket_path = embedded.socket_path(FOLDER)
        socket_path.parent.mkdir(parents=True, exist_ok=True)
        command = [str(binary), "--port", "0", "--unixsocket", str(socket_path), "--save", "", "--appendonly", "no"]
        redis = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    cookie = set_up()
    (FOLDER / "loud.py").write_text(SERVER)
    command = [sys.executable, "-m", "uvicorn", "loud:application", "--app-dir", str(FOLDER), "--port", str(PORT), "--lifespan",
               "off", "--log-level", "error", "--ws", "websockets-sansio", "--ws-max-size", "65536", "--ws-per-message-deflate", "false"]  # fmt: skip
    web = subprocess.Popen(
        command, cwd=ROOT, env={**os.environ, "RATE": str(asked.rate), "PYTHONPATH": str(ROOT), "MALLOC_ARENA_MAX": "2"}
    )
    try:
        wait_for(PORT)
        asyncio.run(run(asked, cookie, web.pid))
    finally:
        for process in filter(None, (web, redis)):
            process.terminate()
            process.wait(timeout=30)


if __name__ == "__main__":
    main()
