"""manage.py second_step: say who has set up a second step, or take a lost authenticator away."""

from __future__ import annotations

import getpass
from typing import Any

from django.contrib.auth.models import User
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone
from django_otp.plugins.otp_static.models import StaticDevice
from django_otp.plugins.otp_totp.models import TOTPDevice

from dashboard import login_audit, sessions, twofactor
from dashboard.models import SessionRecord
from trading.services import audit


class Command(BaseCommand):
    help = "Say who has set up a second step, or take away one that was lost, with all sessions of the account."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--reset", metavar="NAME", help="whose authenticators and recovery codes open nothing more")
        parser.add_argument("--by", default=getpass.getuser(), help="who does it (default: %(default)s)")

    def handle(self, *, reset: str | None, by: str, **options: Any) -> None:
        if reset is None:
            for user in User.objects.order_by("username"):
                self.stdout.write(f"{user.username}: {'set up' if twofactor.has_device(user) else 'not set up'}")
            return
        found = User.objects.filter(username=reset).first()
        if found is None:
            raise CommandError(f"there is no account {reset}: manage.py second_step lists them", returncode=2)
        TOTPDevice.objects.filter(user=found).delete()
        StaticDevice.objects.filter(user=found).delete()
        sessions.end(SessionRecord.objects.filter(user=found))
        now = timezone.now()
        audit.record("device_removed", actor=by, at=now, about=reset, text="Reset a second step by command")
        login_audit.tell(f"{by} took the second step of {reset} away by command", now=now)
        self.stdout.write(f"{reset} logs in with the password alone now, and can set up another authenticator.")
