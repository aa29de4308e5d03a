"""Exchange keys are sealed at rest, shown to nobody, and never used for the other kind of money."""

from __future__ import annotations

import getpass
import io
import json
import logging
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet
from django.core import serializers
from django.core.management import CommandError, call_command
from django.db import IntegrityError, connection, transaction
from django.views.debug import ExceptionReporter
from pytest_django import Settings

from trading.models import Event
from trading.models.credentials import ExchangeKey
from trading.services import credentials
from trading.services.credentials import Credentials, CredentialsUnavailable, KeyRefused, WrongEnvironment

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 3, 1, tzinfo=UTC)
OLD, NEW = Fernet.generate_key().decode(), Fernet.generate_key().decode()
KEY, SECRET, PASSWORD = "canary-key-0123456789-AB12", "canary-secret-0123456789", "canary-password"
GIVEN = Credentials(KEY, SECRET, PASSWORD)


@pytest.fixture(autouse=True)
def trading_process(settings: Settings) -> None:
    settings.CREDENTIALS_KEYS, settings.TRADING_MODE = [OLD], "live"


def store(environment: str = "live", given: Credentials = GIVEN) -> ExchangeKey:
    return credentials.store(exchange="binance", environment=environment, credentials=given, by="ann", now=NOW)


def load(environment: str = "live") -> Credentials:
    return credentials.load(exchange="binance", environment=environment)


def dump() -> str:
    """Return every value of every table of the database."""
    with connection.cursor() as cursor:
        rows = []
        for table in connection.introspection.table_names(cursor):
            cursor.execute(f'SELECT * FROM "{table}"')
            rows += cursor.fetchall()
    return repr(rows)


def test_what_was_stored_is_loaded() -> None:
    row = store()

    assert load() == GIVEN
    assert (str(row), row.hint, row.created_by, row.is_active) == ("binance live key …AB12", "AB12", "ann", True)


@pytest.mark.parametrize("canary", [KEY, SECRET, PASSWORD])
def test_a_stored_secret_is_found_nowhere(canary: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    store()
    credentials.rotate(by="ann", now=NOW)
    row, event = ExchangeKey.objects.get(), Event.objects.get(kind="key_stored")

    written = [dump(), repr(row), str(row), serializers.serialize("json", [row])]
    written += [str(event), json.dumps(event.payload), repr(load()), str(load()), f"{load()}", caplog.text]

    assert event.text == "ann stored the binance live key …AB12"
    assert row.sealed in written[0]
    assert not [text for text in written if canary in text]


def test_the_report_of_a_failure_shows_neither_a_key_nor_what_was_sealed(monkeypatch: pytest.MonkeyPatch) -> None:
    seal, kept = credentials._seal, io.StringIO()  # whose contents no report shows

    def noted(*given: Any) -> str:
        kept.write(sealed := seal(*given))
        return sealed

    def fail(*_: Any, **__: Any) -> None:
        raise RuntimeError("the disk is full")

    monkeypatch.setattr(credentials, "_seal", noted)
    monkeypatch.setattr("trading.events.emit", fail)

    with pytest.raises(RuntimeError) as failed:
        store()

    report = ExceptionReporter(None, failed.type, failed.value, failed.tb).get_traceback_html()
    assert "the disk is full" in report
    assert [text for text in (KEY, SECRET, PASSWORD, kept.getvalue()) if text in report] == []


def test_a_process_without_keys_can_neither_store_nor_load_nor_rotate(settings: Settings) -> None:
    store()
    settings.CREDENTIALS_KEYS = []

    for act in (load, store, lambda: credentials.rotate(by="ann", now=NOW)):
        with pytest.raises(CredentialsUnavailable, match=r"^this process has no CREDENTIALS_KEYS"):
            act()

    assert ExchangeKey.objects.get().is_active


def test_with_another_encryption_key_nothing_is_loaded(settings: Settings) -> None:
    store()
    settings.CREDENTIALS_KEYS = [NEW]

    with pytest.raises(CredentialsUnavailable, match="which is not in CREDENTIALS_KEYS: put it back there"):
        load()


def test_what_is_no_encryption_key_is_named_and_not_shown(settings: Settings) -> None:
    settings.CREDENTIALS_KEYS = ["half-a-key"]

    with pytest.raises(CredentialsUnavailable, match="not a Fernet key") as caught:
        store()

    assert "half-a-key" not in str(caught.value)


def test_a_damaged_row_is_not_loaded() -> None:
    row = store()
    ExchangeKey.objects.update(sealed=row.sealed[:-8] + "AAAAAAA=")

    with pytest.raises(CredentialsUnavailable, match="cannot be decrypted"):
        load()


def test_rotation_keeps_a_key_readable_without_the_old_one(settings: Settings) -> None:
    before = store()
    settings.CREDENTIALS_KEYS = [NEW, OLD]

    assert load() == GIVEN
    assert credentials.rotate(by="ann", now=NOW) == 1

    settings.CREDENTIALS_KEYS = [NEW]
    after = ExchangeKey.objects.get()
    assert load() == GIVEN
    assert after.pk == before.pk
    assert after.sealed != before.sealed
    assert after.key_id != before.key_id
    assert Event.objects.get(kind="keys_rotated").text == "ann sealed 1 exchange keys anew"


def test_a_rotation_that_cannot_open_one_key_changes_none(settings: Settings) -> None:
    store()
    settings.CREDENTIALS_KEYS = [NEW]
    settings.TRADING_MODE = "paper"
    store("sandbox")
    before = list(ExchangeKey.objects.order_by("pk").values_list("sealed", "key_id"))

    with pytest.raises(CredentialsUnavailable):
        credentials.rotate(by="ann", now=NOW)

    assert list(ExchangeKey.objects.order_by("pk").values_list("sealed", "key_id")) == before


def test_a_sandbox_key_never_loads_for_live() -> None:
    store("sandbox")

    with pytest.raises(CredentialsUnavailable, match=r"^no live key of binance is stored"):
        load("live")
    with pytest.raises(WrongEnvironment, match=r"^sandbox keys are not read while TRADING_MODE is live"):
        load("sandbox")


def test_a_tag_that_was_changed_in_the_database_does_not_make_a_live_key() -> None:
    store("sandbox")
    ExchangeKey.objects.update(environment="live")

    with pytest.raises(WrongEnvironment, match="sealed for binance sandbox and its row says otherwise"):
        load("live")


@pytest.mark.parametrize("mode", ["paper", "sandbox", "LIVE", ""])
def test_only_a_live_process_reads_live_keys(mode: str, settings: Settings) -> None:
    store("live")
    store("sandbox")
    settings.TRADING_MODE = mode

    with pytest.raises(WrongEnvironment, match=r"^live keys are not read"):
        load("live")
    assert load("sandbox") == GIVEN


def test_a_process_that_names_no_mode_is_a_paper_process(settings: Settings) -> None:
    store("live")
    del settings.TRADING_MODE

    with pytest.raises(WrongEnvironment, match="while TRADING_MODE is paper"):
        load("live")


def test_a_new_key_retires_the_one_before_and_forgets_it() -> None:
    first = store()
    store(given=Credentials("another-key-CD34", "another-secret"))

    first.refresh_from_db()
    assert (first.is_active, first.sealed, first.hint) == (False, "", "AB12")
    assert load() == Credentials("another-key-CD34", "another-secret", "")


def test_the_database_holds_one_active_key() -> None:
    row = store()
    row.pk = None

    with pytest.raises(IntegrityError), transaction.atomic():
        row.save(force_insert=True)


def test_of_two_keys_stored_at_the_same_moment_one_is_refused_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    store()
    # Each of two transactions retires what it sees: not the other's new row.
    monkeypatch.setattr(credentials, "_retire", lambda exchange, environment: 0)

    with pytest.raises(KeyRefused, match="another live key of binance was stored at the same moment: look which"):
        store(given=Credentials("another-key-CD34", "another-secret"))

    assert load() == GIVEN
    assert Event.objects.filter(kind="key_stored").count() == 1


def test_a_revoked_key_is_gone() -> None:
    store()

    assert credentials.revoke(exchange="binance", environment="live", by="ann", now=NOW) is True
    assert credentials.revoke(exchange="binance", environment="live", by="ann", now=NOW) is False

    assert ExchangeKey.objects.get().sealed == ""
    assert Event.objects.get(kind="key_revoked").text == "ann revoked the binance live key …AB12"
    with pytest.raises(CredentialsUnavailable, match=r"^no live key"):
        load()


@pytest.mark.parametrize(
    ("_case", "changes", "words"),
    [
        ("exchange", {"exchange": "Binance!"}, "'Binance!' is no exchange"),
        ("environment", {"environment": "paper"}, "'paper' is neither live nor sandbox"),
        ("nobody", {"by": " "}, "nobody is named"),
        ("short key", {"credentials": Credentials("short", SECRET)}, "the key has fewer than 8 characters"),
        ("no secret", {"credentials": Credentials(KEY, "")}, "the secret has fewer than 8 characters"),
        ("a blank", {"credentials": Credentials(KEY, SECRET + "\n")}, "the secret begins or ends with a blank"),
    ],
)
def test_what_cannot_be_a_key_is_refused(_case: str, changes: dict[str, Any], words: str) -> None:
    values = {"exchange": "binance", "environment": "live", "credentials": GIVEN, "by": "ann", "now": NOW}

    with pytest.raises(KeyRefused, match=words) as caught:
        credentials.store(**{**values, **changes})

    assert SECRET not in str(caught.value)
    assert not ExchangeKey.objects.exists()


def test_text_is_scrubbed_of_every_value() -> None:
    assert GIVEN.scrub(f"GET /?key={KEY}&s={SECRET}&p={PASSWORD}") == "GET /?key=[hidden]&s=[hidden]&p=[hidden]"


# --- manage.py exchange_key ---------------------------------------------------------------------------


def command(*words: str) -> str:
    out = io.StringIO()
    call_command("exchange_key", *words, stdout=out, stderr=out)
    return out.getvalue()


def test_the_command_reads_a_key_from_files_and_shows_four_characters(tmp_path: Path) -> None:
    for name, text in (("key", KEY), ("secret", SECRET), ("password", PASSWORD)):
        (tmp_path / name).write_text(text + "\n")
    files = [f"--{name}-file={tmp_path / name}" for name in ("key", "secret", "password")]

    said = command("add", "binance", "--environment=live", "--by=ann", "--label=main", *files)
    listed = command("list")

    assert said == "Stored the binance live key …AB12.\n"
    assert listed.startswith("binance live key …AB12 (main), active, stored ")
    assert SECRET not in said + listed
    assert load() == GIVEN


def test_the_command_asks_at_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = {"Key: ": KEY, "Secret: ": SECRET, "Passphrase: ": PASSWORD}
    monkeypatch.setattr(sys, "stdin", io.StringIO())
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True)
    monkeypatch.setattr(getpass, "getpass", answers.__getitem__)

    command("add", "binance", "--environment=live", "--ask-password", "--by=ann")

    assert load() == GIVEN


def test_the_command_asks_for_the_passphrase_where_the_exchange_has_one(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = {"Key: ": KEY, "Secret: ": SECRET, "Passphrase: ": PASSWORD}
    monkeypatch.setattr(sys, "stdin", io.StringIO())
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True)
    monkeypatch.setattr(getpass, "getpass", answers.__getitem__)

    command("add", "okx", "--environment=live", "--by=ann")

    assert credentials.load(exchange="okx", environment="live") == GIVEN
    answers["Passphrase: "] = ""
    with pytest.raises(CommandError, match="okx asks for a passphrase and none was given"):
        command("add", "okx", "--environment=live", "--by=ann")


@pytest.mark.parametrize(
    ("exchange", "words"),
    [
        ("hyperliquid", "a key of hyperliquid consists of privateKey and walletAddress: use an exchange whose keys"),
        ("coinmate", "a key of coinmate consists of apiKey and secret and uid"),
        ("nowhere", "ccxt has no exchange 'nowhere': name it as ccxt does"),
    ],
)
def test_the_command_refuses_keys_that_it_could_not_use(exchange: str, words: str) -> None:
    with pytest.raises(CommandError, match=words):
        command("add", exchange, "--environment=live", "--by=ann")

    assert not ExchangeKey.objects.exists()


def test_without_a_terminal_the_command_says_how(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO(KEY))

    with pytest.raises(CommandError, match="name files with --key-file"):
        command("add", "binance", "--environment=live")


def test_the_command_has_no_argument_for_a_secret() -> None:
    with pytest.raises(CommandError, match="unrecognized arguments"):
        command("add", "binance", "--environment=live", f"--secret={SECRET}")


def test_a_secret_that_was_given_for_a_file_is_not_repeated(tmp_path: Path) -> None:
    (tmp_path / "key").write_text(KEY)

    with pytest.raises(CommandError, match="the file named for the secret cannot be read") as caught:
        command("add", "binance", "--environment=live", f"--key-file={tmp_path / 'key'}", f"--secret-file={SECRET}")

    assert SECRET not in str(caught.value)


def test_the_command_rotates_and_revokes(settings: Settings) -> None:
    store()
    settings.CREDENTIALS_KEYS = [NEW, OLD]

    assert command("rotate", "--by=ann").startswith("Sealed 1 keys anew")
    assert command("revoke", "binance", "--environment=live").startswith("Revoked the live key of binance")
    with pytest.raises(CommandError, match="there is no live key of binance to revoke"):
        command("revoke", "binance", "--environment=live")
