"""Machines of a network of their own: each has its addresses, its processes, its name, and a cable that can be pulled."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from julaba_site import embedded
from tests import postgres
from tests.processes import descendants, is_alive

ROOT = Path(__file__).resolve().parents[2]
STORE = "10.203.77.1"
OWN = "julaba-{}-" + str(os.getpid())
"""How namespaces are called: whoever runs these tests at the same moment has networks of their own."""
STORES = OWN.format("store")
PATIENCE_S = 40.0


def missing() -> str:
    """Return why there can be no such network here, empty where there can."""
    if os.geteuid() != 0:
        return "only root makes network namespaces"
    for program in ("ip", "unshare", "runuser", "psql"):
        if shutil.which(program) is None:
            return f"there is no {program}"
    if embedded.server_binary() is None:
        return "there is no redis-server"
    try:
        postgres._programs()
    except postgres.PostgresMissing as error:
        return str(error)
    name = OWN.format("probe")
    if subprocess.run(["ip", "netns", "add", name], capture_output=True, check=False).returncode:
        return "this machine makes no network namespaces"
    try:
        tried = ["ip", "netns", "exec", name, "unshare", "--pid", "--fork", "--mount-proc", "--uts", "true"]
        well = subprocess.run(tried, capture_output=True, check=False).returncode == 0
    finally:
        _ip("netns", "del", name)
    return "" if well else "this machine makes no namespaces of processes"


@dataclass(slots=True)
class Machine:
    """One of them: what runs on it lives and dies together."""

    name: str
    folder: Path
    cable: str
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def space(self) -> str:
        """Return its network namespace."""
        return OWN.format(self.name)

    def start(self, *command: str) -> None:
        # Others can neither see its processes nor look at them: all that they know is the database.
        alone = ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc", "--uts"]
        named = ["sh", "-c", f'hostname {self.name} && exec "$@"', "sh"]
        out = (self.folder / "out.txt").open("ab")
        self.processes.append(
            subprocess.Popen(
                ["ip", "netns", "exec", self.space, *alone, *named, *command],
                cwd=ROOT,
                env=self.environment(),
                stdout=out,
                stderr=out,
            )
        )
        out.close()

    def manage(self, *arguments: str) -> None:
        command = ["ip", "netns", "exec", self.space, sys.executable, "manage.py", *arguments]
        subprocess.run(command, cwd=ROOT, env=self.environment(), check=True, timeout=250)

    def said(self) -> str:
        return (self.folder / "out.txt").read_text(errors="replace")[-3000:]

    def pull(self) -> None:
        """Pull the network cable: nobody hears anything any more, not even that a connection ended."""
        _ip("netns", "exec", STORES, "ip", "link", "set", self.cable, "down")

    def plug(self) -> None:
        _ip("netns", "exec", STORES, "ip", "link", "set", self.cable, "up")

    def freeze(self) -> None:
        """Stop its clock: nothing runs any more, and nobody has noticed."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        for process in self.processes:
            for pid in descendants(process.pid):
                with suppress(ProcessLookupError):
                    os.kill(pid, number)

    def die(self) -> None:
        """Lose power: first the network, so that no connection is closed."""
        if self.space != STORES:
            self.pull()
        for process in self.processes:
            process.kill()  # and with it, by --kill-child, everything on this machine
            process.wait(timeout=PATIENCE_S)
        self.processes.clear()

    def environment(self) -> dict[str, str]:
        kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
        return {
            **kept,
            "JULABA_DATA_DIR": str(self.folder),
            "DATABASE_URL": f"postgres://postgres@{STORE}:5432/julaba?connect_timeout=3",
            "REDIS_URL": f"redis://{STORE}:6379/0",
            "LOG_LEVEL": "WARNING",
        }


@dataclass(frozen=True, slots=True)
class Network:
    """A machine that keeps PostgreSQL and Redis, and as many others as have a name."""

    store: Machine
    others: Sequence[Machine]

    def ask(self, question: str) -> str:
        """Return what the database says, asked on its own machine."""
        command = ["psql", "-h", STORE, "-U", "postgres", "-d", "julaba", "-tAc", question]
        done = subprocess.run(
            ["ip", "netns", "exec", self.store.space, *command], capture_output=True, text=True, timeout=20, check=True
        )
        return done.stdout.strip()


@contextmanager
def network(*names: str) -> Iterator[Network]:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="julaba-machines-")))
        folder.chmod(0o755)
        _forget_the_dead()
        _namespace(stack, STORES)
        _in(STORES, "ip", "addr", "add", f"{STORE}/32", "dev", "lo")
        store = Machine("store", _made(folder / "store"), "")
        others = []
        for number, name in enumerate(names):
            machine = Machine(name, _made(folder / name), f"to-{name}")
            cable, space = machine.cable, machine.space
            _namespace(stack, space)
            ours, theirs = f"10.203.77.{10 + 4 * number}", f"10.203.77.{11 + 4 * number}"
            _ip("link", "add", cable, "netns", STORES, "type", "veth", "peer", "name", "eth0", "netns", space)
            _in(STORES, "ip", "addr", "add", f"{ours}/31", "dev", cable)
            _in(STORES, "ip", "link", "set", cable, "up")
            _in(space, "ip", "addr", "add", f"{theirs}/31", "dev", "eth0")
            _in(space, "ip", "link", "set", "eth0", "up")
            _in(space, "ip", "route", "add", STORE, "via", ours)
            others.append(machine)
        for machine in (store, *others):
            stack.callback(machine.die)
        _keep(stack, store, folder / "db")
        yield Network(store, others)


def _keep(stack: ExitStack, store: Machine, folder: Path) -> None:
    """Run PostgreSQL and Redis on the store."""
    programs, user = postgres._programs(), postgres._unprivileged()
    assert user is not None
    _made(folder)
    shutil.chown(folder, user)
    as_user = ["runuser", "-u", user, "--"]
    subprocess.run([*as_user, programs / "initdb", "-D", folder, "-U", "postgres", "-A", "trust", "--no-sync"], cwd="/", check=True, stdout=subprocess.DEVNULL)  # fmt: skip
    with (folder / "pg_hba.conf").open("a") as rules:
        rules.write("host all all 10.203.77.0/24 trust\n")
    listen = ["-h", STORE, "-p", "5432", "-k", str(folder), "-c", "log_min_messages=panic"]
    server = subprocess.Popen(["ip", "netns", "exec", store.space, *as_user, programs / "postgres", "-D", folder, *listen], cwd="/")  # fmt: skip
    stack.callback(server.wait, timeout=PATIENCE_S)
    stack.callback(server.terminate)
    redis = [str(embedded.server_binary()), "--bind", STORE, "--port", "6379", "--protected-mode", "no", "--save", ""]
    store.start(*redis)
    end = time.monotonic() + PATIENCE_S
    command = ["psql", "-h", STORE, "-U", "postgres", "-c", "CREATE DATABASE julaba"]
    while subprocess.run(["ip", "netns", "exec", store.space, *command], capture_output=True, check=False).returncode:
        assert time.monotonic() < end, "PostgreSQL does not answer"
        time.sleep(0.2)


def _forget_the_dead() -> None:
    """Remove the namespaces of runs that were killed."""
    listed = subprocess.run(["ip", "netns", "list"], capture_output=True, text=True, check=True).stdout
    for name in (line.split()[0] for line in listed.splitlines()):
        pid = name.rpartition("-")[2]
        if name.startswith("julaba-") and pid.isdecimal() and not is_alive(int(pid)):
            subprocess.run(["ip", "netns", "del", name], capture_output=True, check=False)


def _namespace(stack: ExitStack, name: str) -> None:
    _ip("netns", "add", name)
    stack.callback(_ip, "netns", "del", name)
    _in(name, "ip", "link", "set", "lo", "up")


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder


def _in(name: str, *command: str) -> None:
    _ip("netns", "exec", name, *command)


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True, timeout=20)
