"""manage.py watch: look and send in place of a watch that is silent; where it is not, end at once."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import Error as DatabaseError
from django.utils import timezone

from notifications import kinds
from notifications.services import inbox, journal, outbox, silence, unwritable, watch


class Command(BaseCommand):
    help = (
        "Look at what must not go on unnoticed and send what waits, where the worker that does so is silent. "
        "The supervisor runs it; without one, let a timer run it every 20 s."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--now", action="store_true", help="look whether it is silent or not")

    def handle(self, *, now: bool, **options: Any) -> None:
        try:
            self._look(is_asked=now)
        except DatabaseError as error:
            told = unwritable.tell(error)
            raise CommandError(
                f"the database takes nothing ({str(error).splitlines()[0]}), {told} channels were told: "
                "make room on the disk, or start it",
                returncode=1,
            ) from error

    def _look(self, *, is_asked: bool) -> None:
        at = timezone.now()
        limit = timedelta(seconds=kinds.threshold("worker") or kinds.KINDS["worker"].threshold or 0)
        if not is_asked and not silence.is_silent(now=at, limit=limit):
            return
        for update_id in inbox.waiting(now=at):
            inbox.handle(update_id, now=timezone.now())
        journal.relay(now=at)
        watch.look(now=at, is_guard=True)
        sent = outbox.deliver(now=timezone.now())
        self.stdout.write(f"looked in place of the worker; {sent} messages were sent")
