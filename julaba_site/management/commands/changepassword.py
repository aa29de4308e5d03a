"""manage.py changepassword: Django's own, and like every new password in the audit, told to people, and the end of all sessions."""

from __future__ import annotations

import getpass
from typing import Any

from django.contrib.auth.management.commands import changepassword
from django.contrib.auth.models import User
from django.core.management.base import CommandParser
from django.utils import timezone

from dashboard import login_audit, sessions
from dashboard.models import SessionRecord
from trading.services import audit


class Command(changepassword.Command):
    help = "Give an account a new password. It is in the audit, people hear of it, and the account's sessions end."

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("--by", default=getpass.getuser(), help="who does it (default: %(default)s)")

    def handle(self, *args: Any, **options: Any) -> str | None:
        # Not one transaction with what is asked at the terminal: that would keep everybody else from writing meanwhile.
        said = super().handle(*args, **options)
        user, by, now = (
            User.objects.get(username=options["username"] or getpass.getuser()),
            options["by"],
            timezone.now(),
        )
        sessions.end(SessionRecord.objects.filter(user=user))
        audit.record("password", actor=by, at=now, about=user.username, text="Set another's password by command")
        login_audit.tell(f"{by} gave {user.username} a new password by command", now=now)
        return said
