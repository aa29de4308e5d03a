"""The Celery application of beat alone: it sends names on time, so it loads neither Django nor a task.

    python -m julaba_site.beat

Beat with the whole application sends the same and takes twice the memory; `celery -A julaba_site.beat beat` adds ten
megabytes for a command line that nobody types at.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from celery import Celery
from celery.beat import PersistentScheduler

from julaba_site import life_sign

app = Celery("julaba-beat", fixups=[])
app.config_from_object("julaba_site.settings", namespace="CELERY")
app.conf.worker_redirect_stdouts = False  # a traceback would become one log line per character that it underlines


class Scheduler(PersistentScheduler):
    """Celery's own, which shows with each turn that it lives: hints of the stream go on without it, and backups do not."""

    def tick(self, *args: Any, **options: Any) -> Any:
        life_sign.show()
        return super().tick(*args, **options)


def main() -> None:
    # As a unit of its own it may be the first that ever runs with this data.
    Path(app.conf.beat_schedule_filename).parent.mkdir(parents=True, exist_ok=True)
    app.Beat(loglevel="WARNING", quiet=True, scheduler=Scheduler).run()  # type: ignore[arg-type]


if __name__ == "__main__":
    main()
