"""A machine is lost with a position open: its backup makes the same system elsewhere, halted, and the venue confirms the rest.

Elsewhere is another directory, another copy of the program and, where root may choose one, another user.
"""

from __future__ import annotations

import os
import pwd
import re
import shutil
import signal
import subprocess
import sys
import urllib.parse
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from http.cookiejar import CookieJar
from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from julaba_site import embedded
from tests.operate.live_site import METRICS_TOKEN, ROOT, Site, live_site
from tests.processes import eventually, needs_linux
from trading.services.restoring import EPOCHS_AHEAD

pytestmark = [
    needs_linux,
    pytest.mark.stack,
    pytest.mark.timeout(1200),
    pytest.mark.skipif(embedded.server_binary() is None, reason="there is no redis-server"),
]
KEY, OTHER = Fernet.generate_key().decode(), Fernet.generate_key().decode()
PASSWORD = "a-long-password-for-another-machine"
SET_PASSWORD = f"""
from django.contrib.auth.models import User
user = User.objects.get(username="ann")
user.set_password({PASSWORD!r})
user.save()
"""
NOBODY = "nobody"
AS_NOBODY = ["setpriv", "--reuid", NOBODY, "--clear-groups", "--inh-caps", "-all,+dac_read_search", "--ambient-caps", "+dac_read_search"]  # fmt: skip
"""Another user, who may read the interpreter wherever it lies, and write nothing but what is his."""


@dataclass(slots=True)
class Elsewhere:
    """The other machine: `prefix` makes a command one of its user's."""

    program: Path
    data: Path
    given: dict[str, str]
    prefix: list[str]
    user: str

    def start(self, *arguments: str, **variables: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [*self.prefix, sys.executable, "manage.py", *arguments],
            cwd=self.program,
            env={**self.given, **variables},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def manage(self, *arguments: str, **variables: str) -> tuple[int, str]:
        with self.start(*arguments, **variables) as process:
            said, _ = process.communicate(timeout=300)
        return process.returncode, said


def other_user() -> str:
    """Return whom else the program can be run as, empty where there is nobody."""
    if os.geteuid() != 0 or shutil.which("setpriv") is None:
        return ""
    tried = subprocess.run([*AS_NOBODY, sys.executable, "-c", ""], capture_output=True, check=False)
    return NOBODY if tried.returncode == 0 else ""


@pytest.fixture(scope="module")
def lost(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Site, Path]]:
    """Yield the system that was, after its machine has died, and its last backup; the venue and the stop are there."""
    backups = tmp_path_factory.mktemp("backups")
    with live_site(tmp_path_factory.mktemp("lost"), BACKUP_KEY=KEY) as site:
        done = site.manage("shell", "-v0", "-c", SET_PASSWORD)
        assert done.returncode == 0, done.stderr
        done = site.manage("backup", "--to", str(backups))
        assert done.returncode == 0, done.stderr
        os.kill(site.process.pid, signal.SIGKILL)
        site.process.wait(timeout=30)
        (file,) = backups.iterdir()
        yield site, file


@pytest.fixture(scope="module")
def elsewhere(lost: tuple[Site, Path], tmp_path_factory: pytest.TempPathFactory) -> Elsewhere:
    site, file = lost
    home, user = tmp_path_factory.mktemp("elsewhere"), other_user()
    program = home / "program"
    done = subprocess.run(["git", "clone", "-q", "--no-hardlinks", str(ROOT), str(program)], capture_output=True, check=False)  # fmt: skip
    if done.returncode:
        ignored = shutil.ignore_patterns(".git", ".venv*", "var", "__pycache__")
        shutil.copytree(ROOT, program, ignore=ignored)
    given = {**site.given, "JULABA_DATA_DIR": str(home / "data"), "PYTHONPATH": str(program), "BACKUP_KEY": KEY}
    shutil.copy(file, home)
    if user:
        for path in (home, home / file.name):
            os.chown(path, pwd.getpwnam(user).pw_uid, -1)
        given["HOME"] = str(home)
    return Elsewhere(program, home / "data", given, AS_NOBODY if user else [], user)


@pytest.mark.parametrize("harm", ["another key", "no key", "cut short", "one bit"])
def test_what_cannot_be_relied_on_is_refused_in_one_sentence_and_leaves_nothing(
    lost: tuple[Site, Path], elsewhere: Elsewhere, harm: str
) -> None:
    content = bytearray(lost[1].read_bytes())
    if harm == "one bit":
        content[len(content) // 2] ^= 1
    damaged = elsewhere.data.parent / lost[1].name.replace("julaba-", "harmed-")
    damaged.write_bytes(content[: len(content) // 2] if harm == "cut short" else content)
    variables = {"BACKUP_KEY": {"another key": OTHER, "no key": ""}.get(harm, KEY)}
    wanted = {"another key": "sealed by another key", "no key": "set BACKUP_KEY"}.get(harm, "take another backup")

    for words in (["--check"], []):
        code, said = elsewhere.manage("restore", str(damaged), *words, **variables)
        assert code == 1, said
        assert wanted in said
        assert said.strip().count("\n") == 0, said
    assert not list(elsewhere.data.glob("*.sqlite3"))


def test_it_is_the_same_system_elsewhere_halted_until_a_person_has_looked(
    lost: tuple[Site, Path], elsewhere: Elsewhere
) -> None:
    site, file = lost
    epoch, stops = int(site.ask("SELECT epoch FROM trading_lease")), site.stops()
    before = site.market.orders()
    file = elsewhere.data.parent / file.name

    code, said = elsewhere.manage("restore", str(file), "--check")
    assert (code, "every invariant holds" in said) == (0, True), said
    code, said = elsewhere.manage("restore", str(file))
    assert (code, "holds live on binance" in said) == (0, True), said
    made = next(elsewhere.data.glob("*.sqlite3"))
    assert made.stat().st_uid == (pwd.getpwnam(elsewhere.user).pw_uid if elsewhere.user else os.getuid())
    assert made.stat().st_mode & 0o077 == 0

    with (elsewhere.data.parent / "out.txt").open("w") as out:
        up = subprocess.Popen([*elsewhere.prefix, sys.executable, "manage.py", "up"], cwd=elsewhere.program, env=elsewhere.given, stdout=out, stderr=out)  # fmt: skip
    there = Site(site.market, site.api, up, elsewhere.data, elsewhere.data.parent / "out.txt", elsewhere.given)
    try:
        assert eventually(there.is_ready, within=200), there.log()
        assert int(there.ask("SELECT epoch FROM trading_lease")) > epoch + EPOCHS_AHEAD
        assert there.ask("SELECT trading_state FROM trading_bot") == "halted"
        compared = (
            "SELECT count(*) FROM trading_reconcilerun WHERE passed AND at > (SELECT max(at) FROM trading_statechange)"
        )
        assert eventually(lambda: there.ask(compared) != "0", within=120), there.log()
        assert any(reason.startswith("Trading state: ") for reason in there.reasons())
        assert there.asked("/health")[0] == 503
        assert is_let_in(there)
        assert there.stops() == stops
        assert there.market.orders() == before
        there.process = up
        code, said = elsewhere.manage("check_invariants")
        assert code == 0, said

        code, said = elsewhere.manage("resume", "--reason", "looked at the venue, it agrees")

        assert code == 0, said
        assert eventually(lambda: there.ask("SELECT trading_state FROM trading_bot") == "active", within=20)
        assert there.goes_on(within=60)
        there.assert_sound()
    finally:
        up.terminate()
        up.wait(timeout=90)
        sys.stdout.write(there.log())


def test_what_is_there_is_not_overwritten(lost: tuple[Site, Path], elsewhere: Elsewhere) -> None:
    code, said = elsewhere.manage("restore", str(elsewhere.data.parent / lost[1].name))

    assert code == 1
    assert "already holds julaba-live-binance.sqlite3" in said


def is_let_in(site: Site) -> bool:
    """Return whether the account of the lost machine still opens the pages."""
    address = f"http://127.0.0.1:{site.given['PORT']}"
    browser = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(CookieJar()))
    page = browser.open(f"{address}/login/", timeout=20).read().decode()
    token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page)
    assert token is not None
    form = {"username": "ann", "password": PASSWORD, "csrfmiddlewaretoken": token[1]}
    with browser.open(f"{address}/login/", urllib.parse.urlencode(form).encode(), timeout=20) as answer:
        return "/login" not in answer.url and METRICS_TOKEN not in answer.read().decode()
