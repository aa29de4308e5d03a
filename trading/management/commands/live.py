"""manage.py live: approve or revoke trading real money, or show what is missing for it."""

from __future__ import annotations

import getpass
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone
from django_otp import devices_for_user, verify_token

from trading.models.credentials import Environment
from trading.services import credentials, going_live


class Command(BaseCommand):
    help = "Approve or revoke trading real money on an exchange, or show what is missing for it."

    def add_arguments(self, parser: CommandParser) -> None:
        acts = parser.add_subparsers(dest="act", required=True)
        for act, text in (
            ("approve", "approve on the doctor's newest pass; a phrase is to be typed"),
            ("revoke", "take every approval back"),
        ):
            changes = acts.add_parser(act, help=text)
            changes.add_argument("exchange", help="as ccxt names it, such as binance")
            changes.add_argument("--reason", required=True, help="why, for the journal")
            changes.add_argument("--by", default=getpass.getuser(), help="who does it (default: %(default)s)")
        status = acts.add_parser(
            "status", help="show what there is and what is missing; exit code 1 where trading is refused"
        )
        status.add_argument("exchange", help="as ccxt names it, such as binance")

    def handle(self, *, act: str, **options: Any) -> None:
        try:
            getattr(self, f"_{act}")(options)
        except going_live.LiveRefused as error:
            raise CommandError(str(error), returncode=1 if act == "status" else 2) from error

    def _approve(self, options: dict[str, Any]) -> None:
        exchange = options["exchange"]
        if settings.REQUIRE_TOTP or settings.SECOND_PERSON:
            self._prove(options["by"])
        try:
            typed = input(f"Type '{going_live.phrase(exchange)}' to approve: ").strip()
        except EOFError:
            raise CommandError("nothing was typed, nothing was approved: run it in a terminal", returncode=2) from None
        approval = going_live.approve(
            exchange=exchange, typed=typed, by=options["by"], reason=options["reason"], now=timezone.now()
        )
        self.stdout.write(f"Approved on the doctor's pass of {approval.doctor.at:%Y-%m-%d %H:%M} UTC.")

    def _prove(self, name: str) -> None:
        """Ask for a code of the account's authenticator: the shell of a machine is not yet a person."""
        user = get_user_model().objects.filter(username=name, is_active=True).first()
        devices = list(devices_for_user(user)) if user else []
        if user is None or not devices:
            raise CommandError(
                f"{name} is no account with an authenticator: name one with --by, and set one up on the page Security",
                returncode=2,
            )
        try:
            code = input(f"Code of the authenticator of {name}: ").strip().replace(" ", "")
        except EOFError:
            raise CommandError("no code was typed, nothing was approved: run it in a terminal", returncode=2) from None
        if not any(verify_token(user, device.persistent_id, code) for device in devices):
            raise CommandError("this is no code of the moment, nothing was approved", returncode=2)

    def _revoke(self, options: dict[str, Any]) -> None:
        count = going_live.revoke(
            exchange=options["exchange"], by=options["by"], reason=options["reason"], now=timezone.now()
        )
        self.stdout.write(f"Revoked {count} approvals." if count else "There was no approval to revoke.")

    def _status(self, options: dict[str, Any]) -> None:
        exchange, now = options["exchange"], timezone.now()
        mode = getattr(settings, "TRADING_MODE", "paper")
        key = credentials.active_key(exchange=exchange, environment=Environment.LIVE)
        doctor = going_live.newest_doctor(exchange=exchange)
        approval = going_live.standing(exchange=exchange, now=now)
        self.stdout.write(f"TRADING_MODE: {mode}")
        self.stdout.write(f"Key: {key or 'none'}")
        self.stdout.write(f"Doctor: {f'{doctor} at {doctor.at:%Y-%m-%d %H:%M} UTC' if doctor else 'never ran'}")
        for check in doctor.checks if doctor else []:
            self.stdout.write(f"  {'ok  ' if check['passed'] else 'FAIL'} {check['name']}: {check['text']}")
        self.stdout.write(f"Approval: {approval or 'none'}")
        going_live.gate(exchange=exchange, mode_setting=mode, now=now)
        self.stdout.write(f"Real money may be traded on {exchange}.")
