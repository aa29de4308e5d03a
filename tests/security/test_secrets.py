"""Secrets stay out of the log, the journal, the audit and messages; and nothing is sent to what stands behind our walls."""

from __future__ import annotations

import io
import logging
import os
import socket
import subprocess
import sys
from datetime import UTC, datetime
from typing import Any

import pytest
from django.conf import settings as configured
from hypothesis import given
from hypothesis import strategies as st
from pytest_django import Settings

from julaba_site import redaction as site_redaction
from julaba_site import security
from notifications.adapters import apprise_door
from notifications.ports import Refused
from notifications.services import outbox
from trading import events
from trading.adapters import ccxt_questions, egress
from trading.core import redaction
from trading.models import AuditEntry, Event
from trading.services import audit

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
CANARY = "canary-4f1d9a7c-of-this-very-run"
SHAPES = [
    "jlb_" + "Ab3-_" * 8,
    "123456789:" + "Ab3-_" * 7,
    "AIza" + "Ab3-_" * 7,
    "gAAAA" + "Ab3-_" * 10,
]


@pytest.fixture(autouse=True)
def _canary() -> None:
    redaction.remember([CANARY])


def logged(message: str, *arguments: Any, error: Exception | None = None) -> str:
    """Return what a handler of another program writes."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.addFilter(site_redaction.Redact())
    logger = logging.getLogger("tests.security.elsewhere")
    logger.handlers = [handler]
    logger.error(message, *arguments, exc_info=error)
    return stream.getvalue()


@pytest.mark.parametrize("secret", [CANARY, *SHAPES])
def test_a_log_holds_no_secret_in_message_argument_or_traceback(secret: str) -> None:
    failure = RuntimeError(f"the venue answered {secret}")

    written = logged(f"asked with {secret} and %s", secret, error=failure)

    assert secret not in written
    assert written.count(redaction.HIDDEN) == 3
    assert "RuntimeError: the venue answered" in written


def test_a_line_whose_arguments_do_not_fit_is_written_all_the_same() -> None:
    assert logged("%d of %s", CANARY).startswith("%d of %s")
    assert CANARY not in logged("%d of %s", CANARY)


@pytest.mark.parametrize(
    "text",
    [
        "postgres://julaba:hunter22@db/julaba",
        "Authorization: Bearer abcdefghijklmnop0123",
        "GET /order?symbol=BTC&signature=0123456789abcdef",
        "password=hunter22",
    ],
)
def test_what_has_a_secrets_shape_is_hidden_unasked(text: str) -> None:
    assert redaction.HIDDEN in redaction.scrub(text)
    for secret in ("hunter22", "abcdefghijklmnop0123", "0123456789abcdef"):
        assert secret not in redaction.scrub(text)


@given(st.text(), st.text())
def test_wherever_a_secret_stands_it_is_gone_and_the_rest_stays(before: str, after: str) -> None:
    hidden = redaction.scrub(f"{before}{CANARY}{after}")

    assert CANARY not in hidden
    assert redaction.scrub(hidden) == hidden


@given(st.text(alphabet="abcdefghij klmnopqrstuvwxyz0123456789.,/-", max_size=80))
def test_plain_words_stay_as_they_are(text: str) -> None:
    assert redaction.scrub(text) == text


@pytest.mark.django_db
def test_the_journal_and_the_audit_hold_none_so_neither_does_what_is_told_of_them() -> None:
    events.emit("note", at=NOW, text=f"key {CANARY}", payload={"inner": [{"deep": CANARY}]})
    audit.record("note", actor="olga", at=NOW, text=CANARY, about=CANARY, details={"deep": [CANARY]})

    assert CANARY not in str(list(Event.objects.values())) + str(list(AuditEntry.objects.values()))
    assert Event.objects.get().payload == {"inner": [{"deep": redaction.HIDDEN}]}


def test_what_a_venue_says_is_scrubbed_before_it_is_kept_with_an_order() -> None:
    said = ccxt_questions.words(RuntimeError(f"binance {{'apiKey': '{CANARY}'}} {'x' * 150} {CANARY}"))

    assert said.startswith(f"RuntimeError: binance {{'apiKey': '{redaction.HIDDEN}'}}")
    assert CANARY[:8] not in said


def test_every_secret_of_the_settings_is_known(settings: Settings) -> None:
    settings.TELEGRAM_TOKEN = settings.GEMINI_API_KEY = "canary-of-a-token"
    settings.NOTIFY_URLS = ["ntfys://canary-of-an-address"]
    settings.CREDENTIALS_KEYS = ["canary-of-a-key"]

    known = security.secrets_of(configured)

    assert {"canary-of-a-token", "ntfys://canary-of-an-address", "canary-of-a-key", settings.SECRET_KEY} <= known


def test_they_are_hidden_from_the_start_on() -> None:
    code = (
        "import django; django.setup(); from trading.core import redaction; print(redaction.scrub('plain-canary-word'))"
    )
    environment = {
        **os.environ,
        "GEMINI_API_KEY": "plain-canary-word",
        "DJANGO_SETTINGS_MODULE": "julaba_site.settings",
    }

    said = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)

    assert said.stdout.strip() == redaction.HIDDEN


def test_every_setting_with_a_secret_is_listed() -> None:
    """What the environment may give by a file is a secret; DATABASE_URL's is the database's own password."""
    import re
    from pathlib import Path

    source = Path(security.__file__).with_name("settings.py").read_text()
    read = set(re.findall(r'env\.secret\("(\w+)"\)', source))

    renamed = {"BACKUP_KEY": "BACKUP_KEYS"}
    assert {renamed.get(name, name) for name in read} <= set(security.SECRETS) | {"DATABASE_URL"}


# --- Where requests go ---


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("127.0.0.1", False),
        ("10.0.0.1", False),
        ("172.16.3.4", False),
        ("192.168.1.1", False),
        ("169.254.169.254", False),
        ("100.64.0.1", False),
        ("0.0.0.0", False),
        ("224.0.0.1", False),
        ("::1", False),
        ("fe80::1%eth0", False),
        ("fd00::1", False),
        ("::ffff:127.0.0.1", False),
        ("2002:7f00:1::", False),
        ("64:ff9b::7f00:1", False),
        ("64:ff9b:1::a00:1", False),
        ("::7f00:1", False),
        ("::ffff:0:7f00:1", False),
        ("fec0::1", False),
        ("64:ff9b::101:101", True),
        ("1.1.1.1", True),
        ("2606:4700:4700::1111", True),
    ],
)
def test_addresses_of_our_own_networks_are_told_from_the_worlds(address: str, expected: bool) -> None:
    assert egress.is_public(address) is expected


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "2130706433", "0x7f000001", "0177.0.0.1", "::1"])
def test_every_spelling_of_this_machine_is_refused(host: str, settings: Settings) -> None:
    settings.PRIVATE_ADDRESSES = []

    with egress.guarded() as refused, pytest.raises(OSError, match="this machine's own network"):
        socket.create_connection((host, 9), timeout=1)
    assert refused == [host]


def test_a_name_that_means_something_else_the_second_time_is_refused_then(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.PRIVATE_ADDRESSES = []
    answers = ["93.184.216.34", "127.0.0.1"]
    family = (socket.AF_INET, socket.SOCK_STREAM, 6, "")
    monkeypatch.setattr(egress, "_usual", lambda host, port, *a, **k: [(*family, (answers.pop(0), port))])

    with egress.guarded():
        assert socket.getaddrinfo("rebinding.example", 80)
        with pytest.raises(egress.AddressRefused):
            socket.getaddrinfo("rebinding.example", 80)


def test_nobody_else_is_guarded(settings: Settings) -> None:
    settings.PRIVATE_ADDRESSES = []
    with egress.guarded():
        pass

    assert socket.getaddrinfo("127.0.0.1", 80)


def test_a_webhook_into_our_own_network_is_refused_for_good(settings: Settings) -> None:
    settings.PRIVATE_ADDRESSES = []
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.0)
        port = server.getsockname()[1]

        with pytest.raises(Refused, match=r"127.0.0.1 leads into this machine's own network.*PRIVATE_ADDRESSES"):
            apprise_door.send(f"json://127.0.0.1:{port}/hook", title="x", text="y")
        with pytest.raises(BlockingIOError):
            server.accept()


@pytest.mark.filterwarnings(
    "ignore::pytest.PytestUnraisableExceptionWarning"
)  # Apprise leaves its socket to the collector
@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_a_datagram_goes_no_way_around(host: str, settings: Settings) -> None:
    settings.PRIVATE_ADDRESSES = []
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        server.settimeout(0.0)
        address = f"rsyslog://{host}:{server.getsockname()[1]}/"

        with pytest.raises(Refused, match="leads into this machine's own network"):
            apprise_door.send(address, title="x", text="y")
        with pytest.raises(BlockingIOError):
            server.recv(1)

        settings.PRIVATE_ADDRESSES = [host]
        apprise_door.send(address, title="x", text="y")
        assert server.recv(1000).endswith(b"y")


@pytest.mark.django_db
def test_a_message_that_waits_to_be_sent_holds_none() -> None:
    made = outbox.put(key="probe", channel="telegram:1", kind="note", text=f"key {CANARY}", now=NOW)

    assert made is not None
    assert made.text == f"key {redaction.HIDDEN}"
