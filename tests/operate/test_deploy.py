"""The files in deploy/: that what they name exists here, and that they work as far as that can be tried on one machine."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from configparser import RawConfigParser
from pathlib import Path
from typing import Any

import pytest
import redis
import yaml
from django.conf import settings
from django.core.management import get_commands
from django.urls import resolve

from julaba_site import embedded
from tests.processes import eventually

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
UNITS = sorted((DEPLOY / "systemd").iterdir())
SERVICES = [path for path in UNITS if path.suffix == ".service"]
FOREIGN = {
    *("PATH", "PYTHONUNBUFFERED", "PYTHONDONTWRITEBYTECODE", "MALLOC_ARENA_MAX", "NUMBA_CACHE_DIR"),
    *("POSTGRES_USER", "POSTGRES_DB", "POSTGRES_PASSWORD_FILE", "FORWARDED_ALLOW_IPS"),
}
"""What other programs read."""
READ_ELSEWHERE = {"JULABA_ROLE", "JULABA_HOST"}
KEYED = {"CREDENTIALS_KEYS", "BACKUP_KEY", "BACKUP_SCRATCH_URL"}
"""What pages, schedule and stream must not know."""
PLACED = {"PORT", "JULABA_HOST", "JULABA_ROLE", "BACKUP_DIR", "LOG_DIR", "LOG_NAME", "DEBUG"}
"""What an image settles for itself: where it listens and writes, and that nobody is shown details of errors."""
CLOSED = {
    "User": "julaba",
    "Group": "julaba",
    "UMask": "0077",
    "ProtectSystem": "strict",
    "ProtectProc": "invisible",
    **dict.fromkeys(("CapabilityBoundingSet", "AmbientCapabilities"), ""),
    **dict.fromkeys(
        (
            *("NoNewPrivileges", "PrivateTmp", "PrivateDevices", "ProtectHome", "ProtectClock", "ProtectHostname"),
            *("ProtectKernelLogs", "ProtectKernelModules", "ProtectKernelTunables", "ProtectControlGroups"),
            *("RestrictNamespaces", "RestrictRealtime", "RestrictSUIDSGID", "LockPersonality"),
        ),
        "yes",
    ),
    "RestrictAddressFamilies": "AF_UNIX AF_INET AF_INET6",
    "SystemCallArchitectures": "native",
    "SystemCallFilter": "@system-service",
    "StateDirectory": "julaba",
    "StateDirectoryMode": "0700",
}
"""What every unit sets, lest whoever breaks into one gets further."""


class Unit(RawConfigParser):
    """A systemd unit: names keep their case, and one that is given twice keeps its last value."""

    def __init__(self, path: Path) -> None:
        super().__init__(strict=False, interpolation=None)
        self.optionxform = str  # type: ignore[assignment,method-assign]
        self.read(path)


def known_variables() -> set[str]:
    """Return every variable that the settings read, and NAME_FILE for each secret."""
    names = set(READ_ELSEWHERE)
    for path in (ROOT / "julaba_site").glob("*.py"):
        for kind, name in re.findall(r"env\.(\w+)\(\s*\"([A-Z_]+)\"", path.read_text()):
            names |= {name, f"{name}_FILE"} if kind == "secret" else {name}
    return names


def compose() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yml").read_text())
    return found


def settings_of_operators() -> set[str]:
    """Return the settings that the documents list, those of secrets by their own name."""
    found = set(re.findall(r"^\| `([A-Z_]+)`(?: †)? \|", (ROOT / "docs/CONFIGURATION.md").read_text(), re.MULTILINE))
    assert {"GEMINI_API_KEY", "SECRET_KEY", "TELEGRAM_URL"} <= found
    return found


def commands() -> Iterator[tuple[str, list[str]]]:
    """Yield every command line of ours: where it stands, and its words."""
    for path in SERVICES:
        for line in re.findall(r"^Exec\w+=(.*)$", path.read_text(), re.MULTILINE):
            yield path.name, line.split()
    for name, service in compose()["services"].items():
        if "image" in service and service["image"] == "julaba":
            yield name, [str(word) for word in service["command"]]
    yield "Dockerfile", re.findall(r'"([^"]+)"', (DEPLOY / "Dockerfile").read_text().rpartition("CMD")[2])


def test_every_variable_that_is_set_is_one_that_is_read() -> None:
    named: set[str] = set()
    for path in SERVICES:
        named |= set(re.findall(r"^Environment=(\w+)=", path.read_text(), re.MULTILINE))
    for service in compose()["services"].values():
        named |= set(service.get("environment", {}))
    named |= set(re.findall(r"^(?:ENV|   ) ([A-Z_]+)=", (DEPLOY / "Dockerfile").read_text(), re.MULTILINE))
    for text in (DEPLOY / "nginx/julaba.conf", DEPLOY / "logrotate/julaba"):
        named |= set(re.findall(r"\b([A-Z]{3,}_[A-Z_]+)\b(?==| and| \()", text.read_text()))

    assert {"LOG_DIR", "DATABASE_URL_FILE", "JULABA_DATA_DIR", "TRADING_MODE"} <= named
    assert sorted(named - known_variables() - FOREIGN) == []


@pytest.mark.parametrize("name", [name for name, each in compose()["services"].items() if each["image"] == "julaba"])
def test_every_container_is_told_every_setting(name: str) -> None:
    given = {key.removesuffix("_FILE"): str(value) for key, value in compose()["services"][name]["environment"].items()}
    keyless = KEYED if {"web", "stream", "beat", "migrate"} & {name} else set()

    assert sorted(settings_of_operators() - PLACED - keyless - given.keys()) == []
    assert not keyless & given.keys()
    # What is taken from outside bears the same name there, and secrets lie in files that the service may read.
    mixed = {
        key: value for key, value in given.items() if value.startswith("${") and not value.startswith(f"${{{key}:-")
    }
    assert mixed == {"FORWARDED_ALLOW_IPS": "${TRUSTED_PROXIES:-127.0.0.1}"}


def test_every_unit_reads_the_settings_and_the_example_names_each() -> None:
    for path in SERVICES:
        assert "EnvironmentFile=/etc/julaba/julaba.env\n" in path.read_text()
    example = re.findall(r"^#?([A-Z_]+)=", (DEPLOY / "production.env.example").read_text(), re.MULTILINE)

    assert sorted(settings_of_operators() - {"JULABA_ROLE", "LOG_DIR", "LOG_NAME"} - set(example)) == []
    assert sorted(set(example) - settings_of_operators()) == []
    assert len(example) == len(set(example))


def test_the_pages_do_not_know_the_owner_of_the_database() -> None:
    web = compose()["services"]["web"]

    assert web["environment"]["DATABASE_URL_FILE"] == "/run/secrets/web_database_url"
    assert "web_database_url" in web["secrets"]
    assert "database_url" not in web["secrets"]
    # What is read last holds: with web.env nothing of the owner's address is left in the unit's environment.
    text = (DEPLOY / "systemd/julaba-web.service").read_text()
    assert re.findall("EnvironmentFile=(.*)", text) == ["/etc/julaba/julaba.env", "-/etc/julaba/web.env"]


def test_every_command_exists() -> None:
    asked = [(where, words[words.index("manage.py") + 1]) for where, words in commands() if "manage.py" in words]

    assert {"up", "migrate", "backup", "stream"} <= {name for _, name in asked}
    assert [(where, name) for where, name in asked if name not in get_commands()] == []
    for _, words in commands():
        for application in [word for word in words if word.startswith("julaba_site.")]:
            assert (ROOT / (application.partition(":")[0].replace(".", "/") + ".py")).exists()


@pytest.mark.parametrize("kind", ["systemd", "compose"])
def test_every_queue_has_a_worker_and_no_worker_another_queue(kind: str) -> None:
    if kind == "compose":
        named = {
            words[words.index("-Q") + 1]
            for where, words in commands()
            if "-Q" in words and not where.endswith("service")
        }
    else:
        target = (DEPLOY / "systemd/julaba.target").read_text()
        named = {"trading", *re.findall(r"julaba-worker@(\w+)\.service", target)}

    assert named == set(settings.CELERY_TASK_QUEUES)


def test_a_training_keeps_no_answer_of_the_ai_waiting() -> None:
    both = [words for _, words in commands() if "-Q" in words and words[words.index("-Q") + 1] in ("ml", "%i")]

    assert [int(words[words.index("-c") + 1]) >= 2 for words in both] == [True, True]


def test_every_unit_that_the_target_wants_is_there() -> None:
    wanted = re.findall(r"julaba[\w-]*@?(?:\w+)?\.(?:service|timer)", (DEPLOY / "systemd/julaba.target").read_text())

    assert len(wanted) > 8
    there = {path.name for path in UNITS}
    assert [name for name in wanted if re.sub(r"@\w+\.", "@.", name) not in there] == []


@pytest.mark.parametrize("path", SERVICES, ids=lambda path: str(path.name))
def test_every_unit_is_closed_as_far_as_it_can_be(path: Path) -> None:
    service = Unit(path)["Service"]

    assert {name: service.get(name) for name in CLOSED} == CLOSED
    writes = set(service["ReadWritePaths"].split())
    assert writes <= {"/var/lib/julaba", "/var/log/julaba", "-/var/backups/julaba"}
    holds_keys = "EnvironmentFile=/etc/julaba/keys.env" in path.read_text()
    assert holds_keys == (path.name not in {f"julaba-{name}.service" for name in ("web", "stream", "beat", "migrate")})


@pytest.mark.parametrize("name", ["web", "stream", "beat", "worker@"])
def test_what_is_not_trading_cannot_take_all_memory(name: str) -> None:
    assert re.fullmatch(r"\d+[MG]", Unit(DEPLOY / f"systemd/julaba-{name}.service")["Service"]["MemoryMax"])


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="there is no systemd-analyze")
@pytest.mark.parametrize("path", SERVICES, ids=lambda path: str(path.name))
def test_systemd_finds_little_that_a_unit_could_reach(path: Path, tmp_path: Path) -> None:
    unit = tmp_path / path.name.replace("@.", "@work.")
    unit.write_text(path.read_text())
    told = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", "--threshold=20", "--no-pager", unit],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip

    assert told.returncode == 0, told.stdout[-300:] + told.stderr


@pytest.mark.parametrize("name", ["julaba.service", "julaba-trading.service"])
def test_what_follows_positions_is_watched(name: str) -> None:
    service = Unit(DEPLOY / "systemd" / name)["Service"]

    assert service["Type"] == "notify"
    assert 30 <= int(service["WatchdogSec"]) <= 120
    assert service["Restart"] == "always"


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="there is no systemd-analyze")
def test_systemd_finds_nothing_wrong(tmp_path: Path) -> None:
    for path in UNITS:
        # The one thing that is not there: the installed program.
        (tmp_path / path.name).write_text(path.read_text().replace("/opt/julaba/.venv/bin/python", "/bin/true"))
    names = [path.name.replace("@.", "@work.") for path in UNITS]

    done = subprocess.run(["systemd-analyze", "verify", *(f"./{name}" for name in names)], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)  # fmt: skip

    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_an_upgrade_runs_the_migrations_again_and_waits_for_the_database() -> None:
    migrate = (DEPLOY / "systemd/julaba-migrate.service").read_text()

    # What `systemctl restart julaba.target` reaches; a unit that only remains active would not run again.
    assert re.search(r"^PartOf=julaba.target$", migrate, re.MULTILINE)
    assert re.search(r"^ExecStartPre=.*pg_isready .*\$DATABASE_URL", migrate, re.MULTILINE)
    assert re.search(r"^ExecStartPost=.* check --deploy --fail-level ERROR$", migrate, re.MULTILINE)
    for path in SERVICES:
        words = path.read_text()
        if "celery" in words:
            assert "Requires=julaba-migrate.service" in words
            assert "PartOf=julaba.target" in words


def test_the_units_may_write_where_the_example_keeps_backups() -> None:
    folder = re.search(r"^BACKUP_DIR=(.*)$", (DEPLOY / "production.env.example").read_text(), re.MULTILINE)

    assert folder is not None
    for path in SERVICES:
        assert f"-{folder[1]}" in Unit(path)["Service"]["ReadWritePaths"].split()


@pytest.mark.skipif(shutil.which("nginx") is None, reason="there is no nginx")
def test_nginx_takes_the_example(tmp_path: Path) -> None:
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=julaba.example", "-days", "1"]
    subprocess.run([*command, "-keyout", "k.pem", "-out", "c.pem"], cwd=tmp_path, capture_output=True, check=True)
    text = (DEPLOY / "nginx/julaba.conf").read_text()
    text = re.sub(r"/etc/letsencrypt/\S+/(fullchain|privkey)", lambda found: f"{tmp_path}/{found[1][0]}", text)
    for long, short in (("f.pem", "c.pem"), ("p.pem", "k.pem")):
        text = text.replace(f"{tmp_path}/{long}", f"{tmp_path}/{short}")
    (tmp_path / "nginx.conf").write_text(f"pid {tmp_path}/pid;\nevents {{}}\nhttp {{\n{text}}}\n")

    done = subprocess.run(
        ["nginx", "-t", "-c", str(tmp_path / "nginx.conf")], capture_output=True, text=True, timeout=30
    )

    assert done.returncode == 0, done.stderr


def test_beat_begins_on_an_empty_data_directory(tmp_path: Path) -> None:
    environment = {**os.environ, "JULABA_DATA_DIR": str(tmp_path / "data"), "REDIS_URL": "redis://127.0.0.1:1/0"}
    environment.pop("DJANGO_SETTINGS_MODULE", None)

    beat = subprocess.Popen(
        [sys.executable, "-m", "julaba_site.beat"], cwd=ROOT, env=environment, stderr=subprocess.DEVNULL
    )
    try:
        assert eventually(lambda: any((tmp_path / "data/run").glob("beat-schedule*")), within=60)
        assert beat.poll() is None
    finally:
        beat.kill()
        beat.wait(timeout=10)


def test_nginx_asks_for_addresses_that_exist_and_gives_no_metrics_away() -> None:
    text = (DEPLOY / "nginx/julaba.conf").read_text()

    locations = re.findall(r"location (?:= )?(/\S*) \{", text)
    assert set(locations) == {"/", "/login/", "/metrics", "/ws/"}
    assert resolve("/login/").url_name == "login"
    assert re.search(r"location = /metrics \{ return 404; \}", text)
    assert text.count("{") == text.count("}")
    assert {address.rpartition(":")[2] for address in re.findall(r"proxy_pass (\S+);", text)} == {"8000"}


def test_what_the_image_copies_is_there() -> None:
    text = (DEPLOY / "Dockerfile").read_text()

    copied: list[str] = re.findall(r"^COPY (?!--from)(\S+)", text, re.MULTILINE)
    assert [source for source in copied if not (ROOT / source).exists()] == []
    packages = {path.parent.name for path in ROOT.glob("*/apps.py")}
    assert packages <= set(copied)
    assert re.search(r"^USER julaba$", text, re.MULTILINE)
    assert "HEALTHCHECK" in text


def test_every_container_is_looked_at_and_waits_for_what_it_needs() -> None:
    services = compose()["services"]
    secrets = set(compose()["secrets"])

    for name, service in services.items():
        assert "healthcheck" in service or name == "migrate"
        assert set(service.get("secrets", [])) <= secrets
        files = [
            str(value) for value in service.get("environment", {}).values() if str(value).startswith("/run/secrets/")
        ]
        assert {Path(file).name for file in files} <= set(service.get("secrets", []))
        if service["image"] == "julaba":
            assert service["depends_on"]
            assert service["cap_drop"] == ["ALL"]
    assert "credentials_keys" not in services["web"]["secrets"]
    assert {"credentials_keys", "backup_key"} <= set(services["trading"]["secrets"])
    assert compose()["networks"]["inside"] == {"internal": True}
    assert services["web"]["ports"] == ["127.0.0.1:8000:8000"]


def answers(path: Path) -> bool:
    try:
        redis.Redis(unix_socket_path=str(path)).ping()
    except redis.exceptions.AuthenticationError:
        return True
    except redis.exceptions.ConnectionError:
        return False
    return True


@pytest.fixture
def redis_of_ours(tmp_path: Path) -> Iterator[str]:
    binary = embedded.server_binary()
    if binary is None:
        pytest.skip("there is no redis-server")
    text = (DEPLOY / "redis/julaba.conf").read_text()
    text = text.replace("port 6379", f"port 0\nunixsocket {tmp_path}/r.sock").replace(
        "/etc/redis/julaba.acl", str(tmp_path / "acl")
    )
    text = text.replace("supervised systemd", "supervised no").replace("bind 127.0.0.1 -::1", "")
    (tmp_path / "redis.conf").write_text(text)
    (tmp_path / "acl").write_text((DEPLOY / "redis/julaba.acl").read_text().replace("CHANGE-ME", "secret"))
    process = subprocess.Popen([binary, tmp_path / "redis.conf"], stdout=subprocess.DEVNULL)
    try:
        assert eventually(lambda: answers(tmp_path / "r.sock"))
        yield f"unix://julaba:secret@{tmp_path}/r.sock"
    finally:
        process.terminate()
        process.wait(timeout=10)


def test_redis_lets_julaba_do_its_work_and_nothing_else(redis_of_ours: str, tmp_path: Path) -> None:
    ours = redis.Redis.from_url(redis_of_ours)

    ours.lpush("work", "task")
    assert ours.brpop(["work"], timeout=1)
    ours.publish("julaba", "news")
    ours.hincrbyfloat("julaba:meters", "a", 1.5)
    ours.set("lock", "1", nx=True, ex=5)
    assert ours.eval("return 1", 0)
    assert ours.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}
    assert ours.time()
    for command in (
        ["FLUSHALL"],
        ["CONFIG", "SET", "maxmemory", "1"],
        ["SHUTDOWN"],
        ["ACL", "LIST"],
    ):
        with pytest.raises(redis.exceptions.NoPermissionError):
            ours.execute_command(*command)  # type: ignore[no-untyped-call]
    with pytest.raises(redis.exceptions.AuthenticationError):
        redis.Redis(unix_socket_path=f"{tmp_path}/r.sock").ping()
