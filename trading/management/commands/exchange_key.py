"""manage.py exchange_key: store, list, rotate and revoke the keys of exchanges; a secret never stands in argv."""

from __future__ import annotations

import getpass
import sys
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from trading.adapters import ccxt_client
from trading.models.credentials import Environment, ExchangeKey
from trading.services import credentials

_KEPT = frozenset({"apiKey", "secret", "password"})
"""What Julaba seals of a key, in ccxt's words."""


class Command(BaseCommand):
    help = "Keep the keys of exchanges, encrypted. Keys and secrets are typed at a prompt or read from files."

    def add_arguments(self, parser: CommandParser) -> None:
        acts = parser.add_subparsers(dest="act", required=True)
        add = acts.add_parser(
            "add",
            help="store a key and retire the one before it",
            allow_abbrev=False,  # --secret would mean --secret-file
        )
        _name_key(add)
        add.add_argument("--label", default="", help="what you call it")
        add.add_argument("--attest", default="", metavar="TEXT", help="your statement that the key cannot withdraw")
        add.add_argument("--key-file", type=Path, metavar="FILE", help="file with the key (default: ask)")
        add.add_argument("--secret-file", type=Path, metavar="FILE", help="file with the secret (default: ask)")
        add.add_argument("--password-file", type=Path, metavar="FILE", help="file with the key's passphrase")
        add.add_argument(
            "--ask-password", action="store_true", help="ask for a passphrase even where ccxt knows of none"
        )
        acts.add_parser("list", help="show every key by its last four characters")
        rotate = acts.add_parser(
            "rotate", help="seal every key anew with the first of CREDENTIALS_KEYS; then the others may go"
        )
        _name_person(rotate)
        _name_key(acts.add_parser("revoke", help="retire a key and forget its secret"))

    def handle(self, *, act: str, **options: Any) -> None:
        try:
            getattr(self, f"_{act}")(options)
        except (credentials.CredentialsUnavailable, credentials.KeyRefused) as error:
            raise CommandError(str(error), returncode=2) from error

    def _add(self, options: dict[str, Any]) -> None:
        needs_password = _needs_password(options["exchange"])
        given = credentials.Credentials(
            key=_read("key", options["key_file"]),
            secret=_read("secret", options["secret_file"]),
            password=_read("passphrase", options["password_file"])
            if needs_password or options["password_file"] or options["ask_password"]
            else "",
        )
        if needs_password and not given.password:
            raise CommandError(f"{options['exchange']} asks for a passphrase and none was given", returncode=2)
        row = credentials.store(
            exchange=options["exchange"],
            environment=options["environment"],
            credentials=given,
            by=options["by"],
            now=timezone.now(),
            label=options["label"],
            attestation=options["attest"],
        )
        self.stdout.write(f"Stored the {row}.")

    def _list(self, options: dict[str, Any]) -> None:
        rows = ExchangeKey.objects.order_by("-is_active", "exchange", "environment", "-created_at")
        for row in rows:
            state = "active" if row.is_active else "retired"
            label = f" ({row.label})" if row.label else ""
            self.stdout.write(f"{row}{label}, {state}, stored {row.created_at:%Y-%m-%d %H:%M} UTC by {row.created_by}")
        if not rows:
            self.stdout.write("No key is stored.")

    def _rotate(self, options: dict[str, Any]) -> None:
        count = credentials.rotate(by=options["by"], now=timezone.now())
        self.stdout.write(f"Sealed {count} keys anew; the older CREDENTIALS_KEYS may go now.")

    def _revoke(self, options: dict[str, Any]) -> None:
        exchange, environment = options["exchange"], options["environment"]
        if not credentials.revoke(exchange=exchange, environment=environment, by=options["by"], now=timezone.now()):
            raise CommandError(f"there is no {environment} key of {exchange} to revoke", returncode=2)
        self.stdout.write(f"Revoked the {environment} key of {exchange}; delete it at the exchange too.")


def _name_key(parser: Any) -> None:
    parser.add_argument("exchange", help="as ccxt names it, such as binance")
    parser.add_argument("--environment", choices=Environment.values, required=True, help="what the key is for")
    _name_person(parser)


def _name_person(parser: Any) -> None:
    parser.add_argument("--by", default=getpass.getuser(), help="who does it (default: %(default)s)")


def _needs_password(exchange: str) -> bool:
    """Return whether a key of this exchange has a passphrase; CommandError where it has parts that are not kept."""
    try:
        required = ccxt_client.required_credentials(exchange)
    except ValueError as error:
        raise CommandError(f"{error}: name it as ccxt does, such as binance", returncode=2) from error
    if not {"apiKey", "secret"} <= required <= _KEPT:
        raise CommandError(
            f"a key of {exchange} consists of {' and '.join(sorted(required)) or 'nothing that ccxt names'}: "
            "use an exchange whose keys are a key (apiKey), a secret and at most a passphrase, Julaba keeps no others",
            returncode=2,
        )
    return "password" in required


def _read(name: str, path: Path | None) -> str:
    if path is not None:
        try:
            return path.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError):
            # Neither path nor cause is shown: somebody may have given the secret itself for a file's name.
            raise CommandError(
                f"the file named for the {name} cannot be read as text: correct its name", returncode=2
            ) from None
    if not sys.stdin.isatty():
        raise CommandError(
            f"there is no terminal to ask for the {name} at: "
            "name files with --key-file, --secret-file and --password-file",
            returncode=2,
        )
    return getpass.getpass(f"{name.capitalize()}: ").strip()
