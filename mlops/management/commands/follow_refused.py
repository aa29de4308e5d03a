"""manage.py follow_refused: follow refused setups over the bars there are, and count what became of them."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand

from mlops import selectors, tasks


class Command(BaseCommand):
    help = (
        "Follow refused setups as the trades that they would have been, and bring the scorecards up to date; "
        "the running system does it each minute."
    )

    def handle(self, **options: Any) -> None:
        tasks.follow_refused()
        found = selectors.shadows()
        self.stdout.write(
            f"Refused setups: {found.open} being followed, {found.closed} ended, {found.void} could not have been traded."
        )
