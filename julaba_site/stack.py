"""The running system: which processes, in which order.

`manage.py up` prepares, then turns into this program, which needs no Django and so takes half the memory.
"""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import sys
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import NoReturn
from urllib.parse import urlsplit

from julaba_site import sd_notify
from julaba_site.probe import Probe
from julaba_site.supervisor import Child, Supervisor

ROOT = Path(__file__).resolve().parent.parent
PYTHON = [sys.executable]
MANAGE = [*PYTHON, str(ROOT / "manage.py")]
# Without the warnings about what is meant so: WhiteNoise reads small files in one go, and root is the user's choice.
UVICORN = [*PYTHON, "-Wignore:StreamingHttpResponse must consume", "-m", "uvicorn", "julaba_site.asgi:application"]
# Whoever breaks into the process that serves pages finds no key that opens the exchange keys.
WITHOUT_KEYS = [
    "env",
    "-u",
    "CREDENTIALS_KEYS",
    "-u",
    "CREDENTIALS_KEYS_FILE",
    "-u",
    "BACKUP_KEY",
    "-u",
    "BACKUP_KEY_FILE",
    "JULABA_ROLE=web",
]
CELERY = [*PYTHON, "-Wignore:You're running the worker with superuser", "-m", "celery", "-q", "--skip-checks"]
"""`manage.py up` has checked the settings; here it would load every page, 25 MB a worker, for nothing."""
WORKER = ["worker", "-lWARNING", "--without-gossip", "--without-mingle", "--without-heartbeat"]
ENVIRONMENT = {
    "PYTHONUNBUFFERED": "1",
    # Each process does one thing at a time: more arenas and threads would only cost memory.
    "MALLOC_ARENA_MAX": "2",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
}
MOST_MEMORY_KB = 1_000_000
"""A trading process that has grown beyond this, several times what it needs, is replaced after its tick."""
IDLE_MEMORY_KB = 160_000
"""Any other process that has grown beyond this is replaced after its task: a scan takes 200 MB for a second."""
OTHER_QUEUES = "work,notify,ml,research"
OTHER_PROCESSES = 3
"""So one heavy job, of which a machine does one at a time, and one slow answer keep no message waiting."""
HANDOVER = "JULABA_STACK"
REDIS_PATIENCE_S, WEB_PATIENCE_S = 10.0, 60.0
PAGES_NICE, WORK_NICE = 7, 10
"""A fifth and a tenth of what trading gets where there is too little for all; the units of systemd say the same."""
WATCH_SILENCE_S = 42.0
WORK_SILENCE_S = 300.0
"""Longer than beat may be silent: it is beat that sends what work would do."""
REDIS_SILENCE_S = 30.0
STREAM_SILENCE_S = 60.0
PING = b"PING\r\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Stack:
    """What to run. `origin` is what a browser calls the pages; no `redis_command` means that Redis runs already,
    and no stream that the market is simulated: a tick asks it for any price.

    All of it stops when `parent` dies, where that is given.
    """

    host: str
    port: int
    origin: str
    redis_command: list[str] | None
    redis_socket: str
    needs_past: bool
    needs_stream: bool
    parent: int | None
    log: str
    proxies: str = ""
    """Addresses of the proxies whose headers are believed, with commas between them."""

    def take_over(self) -> NoReturn:
        """Turn this process into the running system, with the same process id and the same locks."""
        path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
        environment = {**os.environ, **ENVIRONMENT, "PYTHONPATH": path, HANDOVER: json.dumps(asdict(self))}
        os.execve(sys.executable, [*PYTHON, "-m", __name__], environment)  # noqa: S606 - ourselves


class NoRedisError(Exception):
    """The Redis that was started does not answer."""


def run(stack: Stack) -> None:
    """Start everything and look after it until asked to stop."""
    signs = Path(stack.log).parent.parent / "run"
    with Supervisor(parent=stack.parent, log=Path(stack.log), notes=signs / "ended") as supervisor:
        if stack.redis_command:
            _start_redis(supervisor, stack.redis_command, stack.redis_socket)
        _start_web(supervisor, stack)
        if stack.needs_past:
            _replay_the_past(supervisor)
        # A worker can go deaf, such as after a Redis that hung: it lives, and hears nothing any more.
        heartbeat = signs / "tick.alive"
        command = ["env", f"JULABA_HEARTBEAT={heartbeat}", *CELERY, "-Ajulaba_site", *WORKER, "-c1"]
        command += ["-Qtrading", "-ntrading@%h", f"--max-memory-per-child={MOST_MEMORY_KB}"]
        # Left alone, a worker drops its task at once: SIGTERM would let it finish, up to a minute later.
        supervisor.start(Child("trading", command, orphan_signal=signal.SIGQUIT, heartbeat=heartbeat))
        # The processes of one worker share most of their memory, which those of four would not.
        command = [*CELERY, "-Ajulaba_site", *WORKER, f"-c{OTHER_PROCESSES}", f"-Q{OTHER_QUEUES}", "-nwork@%h"]
        command += [f"--max-memory-per-child={IDLE_MEMORY_KB}"]
        # Who looks after alerts and sends messages may be silent itself.
        looked = signs / "watch.alive"
        supervisor.start(
            Child(
                "work",
                command,
                orphan_signal=signal.SIGQUIT,
                heartbeat=looked,
                silence_s=WORK_SILENCE_S,
                nice=WORK_NICE,
            )
        )
        if stack.needs_stream:
            hears = signs / "stream.alive"
            command = [*WITHOUT_KEYS, f"JULABA_HEARTBEAT={hears}", *MANAGE, "stream"]
            supervisor.start(Child("stream", command, heartbeat=hears, silence_s=STREAM_SILENCE_S))
        turns = signs / "beat.alive"
        command = ["env", f"JULABA_HEARTBEAT={turns}", *PYTHON, "-m", "julaba_site.beat"]
        supervisor.start(Child("beat", command, heartbeat=turns))
        # Until work is started anew, this looks and sends in its place, once in a while.
        supervisor.start(
            Child(
                "watch", [*MANAGE, "watch"], runs_once=True, stands_in=True, heartbeat=looked, silence_s=WATCH_SILENCE_S
            )
        )
        sd_notify.ready(f"answers on {stack.origin}/")
        supervisor.run()
        sd_notify.stopping()


def _start_redis(supervisor: Supervisor, command: list[str], path: str) -> None:
    supervisor.start(Child("redis", command, probe=Probe(path, PING), silence_s=REDIS_SILENCE_S))
    if not supervisor.run(partial(_redis_answers, path), timeout=REDIS_PATIENCE_S) and not supervisor.is_stopping:
        raise NoRedisError(f"{command[0]} does not answer: read run/redis.log in the data directory, or set REDIS_URL")


def _start_web(supervisor: Supervisor, stack: Stack) -> None:
    listen = [f"--host={stack.host}", f"--port={stack.port}", "--timeout-graceful-shutdown=3", "--lifespan=off"]
    # Packed, each socket would pack every frame anew, and hold 300 kB to do so.
    sockets = ["--ws=websockets-sansio", "--ws-max-size=65536", "--ws-per-message-deflate=false"]
    terse = ["--log-level=warning", "--no-server-header"]
    # Nobody but a proxy that was named may say where a request came from.
    proxies = ["--proxy-headers", f"--forwarded-allow-ips={stack.proxies}"] if stack.proxies else ["--no-proxy-headers"]
    command = [*WITHOUT_KEYS, *UVICORN, *listen, *sockets, *terse, *proxies]
    lives = f"GET /livez HTTP/1.1\r\nHost: {urlsplit(stack.origin).netloc}\r\nConnection: close\r\n\r\n"
    probe = Probe((_local(stack.host), stack.port), lives.encode())
    supervisor.start(Child("web", command, probe=probe, nice=PAGES_NICE))
    if supervisor.run(partial(_page_answers, stack), timeout=WEB_PATIENCE_S):
        supervisor.say(f"Julaba answers on {stack.origin}/ - Ctrl-C stops it")
    elif not supervisor.is_stopping:
        supervisor.say(f"the pages on {stack.origin}/ do not answer: see the lines of web; trading starts all the same")


def _replay_the_past(supervisor: Supervisor) -> None:
    demo = Child("demo", [*MANAGE, "demo"], runs_once=True)
    supervisor.start(demo)
    supervisor.run(lambda: demo.exit_code is not None)
    if demo.exit_code and not supervisor.is_stopping:
        supervisor.say("the simulated past could not be replayed, so trading starts without one")
    # What it refused is followed while trading begins, so that the reports are filled soon.
    supervisor.start(Child("reports", [*WITHOUT_KEYS, *MANAGE, "follow_refused"], runs_once=True, nice=WORK_NICE))


def _redis_answers(path: str) -> bool:
    try:
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(1)
            client.connect(path)
            client.sendall(b"PING\r\n")
            return client.recv(16).startswith(b"+PONG")
    except OSError:  # not there yet
        return False


def _local(host: str) -> str:
    """Return where this machine reaches what listens on that address."""
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - the operator's choice


def _page_answers(stack: Stack) -> bool:
    """Return whether a stranger who asks for the first page ends on one that is shown, which is the log-in."""
    host = _local(stack.host)
    page: str | None = "/"
    for _ in range(3):
        asking = http.client.HTTPConnection(host, stack.port, timeout=5)
        try:
            asking.request("GET", page or "/", headers={"Host": urlsplit(stack.origin).netloc})
            answer = asking.getresponse()
        except (OSError, http.client.HTTPException):  # not there yet
            return False
        finally:
            asking.close()
        page = answer.getheader("Location")
        # Whoever is led to https is led to the proxy, which is not ours to ask.
        if answer.status == http.HTTPStatus.OK or (page or "").startswith("https://"):
            return True
    return False


def main() -> None:
    try:
        run(Stack(**json.loads(os.environ.pop(HANDOVER))))
    except NoRedisError as error:
        print(f"Julaba cannot start: {error}", file=sys.stderr)  # noqa: T201
        sys.exit(2)
    except KeyboardInterrupt:  # the second Ctrl-C
        sys.exit(130)


if __name__ == "__main__":
    main()
