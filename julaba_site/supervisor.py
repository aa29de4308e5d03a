"""Starts child processes, restarts those that die, and leaves none behind.

One thread does it all: Linux ties the death signal to the thread that started the child, and a fork is only
safe where there is no other thread.
"""

from __future__ import annotations

import contextlib
import ctypes
import logging
import os
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import FrameType
from typing import IO, Any, Self

from julaba_site import ended, kept_log, sd_notify
from julaba_site.probe import Probe

FIRST_DELAY_S, LONGEST_DELAY_S, SETTLED_S = 1.0, 30.0, 60.0
GRACE_S = 15.0
SILENCE_S = 90.0
POLL_S = 0.2
STAND_IN = 4
"""So many times the silence that calls it, whoever stands in may take: a machine on which others are silent is slow."""
AWAY_S = 5.0
"""A loop that turns five times a second and has not for so long was stopped, and perhaps everything else with it."""
LONGEST_LINE = 64 * 1024
PR_SET_PDEATHSIG = 1
STDOUT = 1
LOG_BYTES, LOG_FILES = 10_000_000, 5

# Loaded before any fork: between fork and exec nothing but system calls is safe.
_libc = ctypes.CDLL(None) if sys.platform == "linux" else None


@dataclass(slots=True, eq=False)
class Child:
    """A command to keep alive; one that `runs_once` may end by itself, and its `exit_code` then tells how.

    It is asked to stop by SIGTERM, and where Linux can tell that the supervisor died, by `orphan_signal`. One that
    leaves its `heartbeat` file untouched for `silence_s`, or the `probe` without an answer, counts as dead, whatever
    it is waiting for. One that `stands_in` is no one's own heart: it is run only while the heartbeat, somebody else's,
    is silent. A `nice` one lets others go first where the machine has too little for all.
    """

    name: str
    command: Sequence[str]
    runs_once: bool = False
    orphan_signal: signal.Signals = signal.SIGTERM
    heartbeat: Path | None = None
    probe: Probe | None = None
    silence_s: float = SILENCE_S
    stands_in: bool = False
    nice: int = 0
    exit_code: int | None = None
    process: subprocess.Popen[bytes] | None = None
    started_at: float = 0.0
    delay: float = FIRST_DELAY_S
    due_at: float | None = None
    is_killed: bool = False
    unfinished: bytes = b""

    def spawn(self) -> None:
        self.started_at, self.due_at, self.exit_code, self.is_killed = time.monotonic(), None, None, False
        self.process = subprocess.Popen(  # noqa: S603 - our own commands
            self.command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            # A session of its own: Ctrl-C reaches only the supervisor, and the whole group can be killed at once.
            start_new_session=True,
            preexec_fn=partial(_die_with, os.getpid(), self.orphan_signal),
            bufsize=0,
        )
        os.set_blocking(self.pipe.fileno(), False)
        if self.nice:
            _yield(self.process.pid, self.nice)

    @property
    def pipe(self) -> IO[bytes]:
        assert self.process is not None
        assert self.process.stdout is not None
        return self.process.stdout

    def kill(self) -> None:
        """Kill the process and whatever it started."""
        if self.process:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)

    def silent_for(self) -> float:
        """Return for how many seconds a living child has given no sign, 0 where none is asked for."""
        if (self.process is None and not self.stands_in) or (self.heartbeat is None and self.probe is None):
            return 0.0
        age = time.monotonic() - self.started_at
        if self.heartbeat is not None:
            with contextlib.suppress(FileNotFoundError):
                age = min(age, time.time() - self.heartbeat.stat().st_mtime)
        if self.probe is not None:
            age = min(age, time.monotonic() - self.probe.heard_at)
        return age

    def ask(self) -> None:
        """Ask the question of a living child, or look whether it was answered."""
        if self.process is not None and self.probe is not None:
            self.probe.turn()

    def plan_restart(self) -> float:
        """Return the seconds to wait, doubling with each short life."""
        now = time.monotonic()
        if now - self.started_at >= SETTLED_S:
            self.delay = FIRST_DELAY_S
        wait, self.delay = self.delay, min(self.delay * 2, LONGEST_DELAY_S)
        self.due_at = now + wait
        return wait


class Supervisor:
    """Looks after its children inside a `with` block; leaving it stops them, the last started first.

    Given its `parent` process, it stops as soon as that has died. What is written is kept in `log` too, which this
    one process alone turns over when it has grown. A child that ended by itself leaves its exit code in a file of
    its name in `notes`.
    """

    def __init__(self, *, parent: int | None = None, log: Path | None = None, notes: Path | None = None) -> None:
        self._log = _kept(log) if log else None
        self._notes = notes
        self._children: list[Child] = []
        self._pipes = selectors.DefaultSelector()
        self._parent = parent
        self._handlers: dict[signal.Signals, Any] = {}
        self._is_stopping = False
        self._turned_at = self._back_at = time.monotonic()
        self._turned_at_clock = time.time()

    def __enter__(self) -> Self:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            self._handlers[number] = signal.signal(number, self._on_signal)
        return self

    def __exit__(self, *_: object) -> None:
        self._is_stopping = True
        for child in reversed(self._children):
            self._stop(child)
            if child.probe:
                child.probe.forget()
        self._pipes.close()
        for number, handler in self._handlers.items():
            signal.signal(number, handler)

    def start(self, child: Child) -> None:
        if self._is_stopping:
            return
        self._children.append(child)
        if child.stands_in:
            child.started_at = time.monotonic()
        else:
            self._spawn(child)

    def run(self, until: Callable[[], bool] = lambda: False, *, timeout: float = float("inf")) -> bool:
        """Look after the children until `until` holds; return False when asked to stop or out of time."""
        deadline = time.monotonic() + timeout
        while not self._is_stopping and time.monotonic() < deadline:
            if until():
                return True
            self._turn()
            self._notice_absence()
            sd_notify.alive()
            for child in self._children:
                self._restart_when_due(child)
                child.ask()
                if child.stands_in and child.process is None:
                    self._stand_in(child)
                else:
                    self._kill_when_silent(child)
            if self._parent not in {None, os.getppid()}:
                self._is_stopping = True
        return False

    @property
    def is_stopping(self) -> bool:
        return self._is_stopping

    def say(self, *lines: str) -> None:
        for line in lines:
            self._write("julaba", line.encode())

    def _on_signal(self, number: int, _frame: FrameType | None) -> None:
        if self._is_stopping and number == signal.SIGINT:
            for child in self._children:
                child.kill()
            raise KeyboardInterrupt
        self._is_stopping = True

    def _spawn(self, child: Child) -> None:
        try:
            child.spawn()
        except OSError as error:
            self.say(f"{child.name} cannot start ({error}); trying again in {child.plan_restart():.0f} s")
        else:
            self._pipes.register(child.pipe, selectors.EVENT_READ, child)

    def _restart_when_due(self, child: Child) -> None:
        if child.due_at is not None and child.due_at <= time.monotonic():
            self._spawn(child)

    def _notice_absence(self) -> None:
        """Begin to count anew after a pause of our own, such as a machine's sleep: others could not show themselves."""
        now, clock = time.monotonic(), time.time()
        if max(now - self._turned_at, clock - self._turned_at_clock) > AWAY_S:
            self._back_at = now
        self._turned_at, self._turned_at_clock = now, clock

    def _is_silent(self, child: Child, limit: float) -> bool:
        return min(child.silent_for(), time.monotonic() - self._back_at) > limit

    def _stand_in(self, child: Child) -> None:
        if self._is_silent(child, child.silence_s):
            self._spawn(child)

    def _kill_when_silent(self, child: Child) -> None:
        limit = child.silence_s * (STAND_IN if child.stands_in else 1)
        if not child.is_killed and self._is_silent(child, limit):
            self.say(f"{child.name} has done nothing for {limit:.0f} s and is killed")
            child.is_killed = True
            child.kill()

    def _stop(self, child: Child) -> None:
        if child.process is None:
            return
        child.process.terminate()
        deadline = time.monotonic() + GRACE_S
        while child.exit_code is None and time.monotonic() < deadline:
            self._turn()
        if child.exit_code is None:
            self.say(f"{child.name} did not stop within {GRACE_S:.0f} s and is killed")
            child.kill()
        while child.exit_code is None:
            self._turn()

    def _turn(self) -> None:
        """Pass on what the children wrote, and bury those that died."""
        for key, _ in self._pipes.select(POLL_S):
            self._pass_on(key.data)
        for child in self._children:
            if child.process and child.process.poll() is not None:
                self._bury(child, child.process)

    def _pass_on(self, child: Child) -> bool:
        """Write out the whole lines that wait in the child's pipe; return False when it is empty."""
        try:
            chunk = os.read(child.pipe.fileno(), LONGEST_LINE)
        except BlockingIOError:
            return False
        if not chunk:
            self._forget(child.pipe)
        *lines, child.unfinished = (child.unfinished + chunk).split(b"\n")
        if len(child.unfinished) >= LONGEST_LINE:
            lines, child.unfinished = [*lines, child.unfinished], b""
        for line in lines:
            self._write(child.name, line)
        return bool(chunk)

    def _forget(self, pipe: IO[bytes]) -> None:
        with contextlib.suppress(KeyError):  # it was closed before its process died
            self._pipes.unregister(pipe)

    def _bury(self, child: Child, process: subprocess.Popen[bytes]) -> None:
        child.kill()  # what it started and left behind
        while self._pass_on(child):  # its last words
            pass
        self._forget(child.pipe)
        if child.unfinished:
            self._write(child.name, child.unfinished)
        child.pipe.close()
        child.process, child.exit_code, child.unfinished = None, process.returncode, b""
        if not (child.runs_once or self._is_stopping):
            self._note(child.name, process.returncode)
            wait = child.plan_restart()
            self.say(f"{child.name} ended with exit code {process.returncode}; starting it again in {wait:.0f} s")

    def _note(self, name: str, exit_code: int) -> None:
        if self._notes is None:
            return
        try:
            ended.note(self._notes, name, exit_code)
        except OSError as error:  # such as a full disk, which is an alert of its own
            self.say(f"that {name} ended cannot be noted: {error}")

    def _write(self, name: str, line: bytes) -> None:
        rest = f"{name:<7} | ".encode() + line + b"\n"
        if self._log:
            self._log.info("%s", rest.decode(errors="replace").rstrip("\n"))
        try:
            while rest:
                rest = rest[os.write(STDOUT, rest) :]
        except OSError:  # whoever read it has gone, and with it the wish that this runs
            self._is_stopping = True


def _kept(path: Path) -> logging.Logger:
    path.parent.mkdir(parents=True, exist_ok=True)
    handler = kept_log.Turning(path, maxBytes=LOG_BYTES, backupCount=LOG_FILES, encoding="utf-8", delay=True)
    handler.setFormatter(logging.Formatter("%(asctime)s %(message)s"))
    log = logging.getLogger("julaba.log")
    log.propagate, log.handlers = False, [handler]
    log.setLevel(logging.INFO)
    return log


def _yield(pid: int, nice: int) -> None:
    """Let a process that leads a session of its own go after others."""
    with contextlib.suppress(OSError):  # it has ended, or is as nice already
        os.setpriority(os.PRIO_PROCESS, pid, os.getpriority(os.PRIO_PROCESS, 0) + nice)
    # Where Linux shares the machine among sessions first, what is nice within one gives nothing to the others.
    with contextlib.suppress(OSError):
        Path(f"/proc/{pid}/autogroup").write_text(str(nice))


def _die_with(supervisor: int, number: signal.Signals) -> None:
    """Ask Linux to send this process a signal when the supervisor dies, however it dies."""
    if _libc is None:
        return
    _libc.prctl(PR_SET_PDEATHSIG, number, 0, 0, 0)
    if os.getppid() != supervisor:  # it died before we could ask
        os.kill(os.getpid(), number)
