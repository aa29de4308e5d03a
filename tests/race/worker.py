"""A trading worker of a process of its own: ticks along the same slots as all the others."""

from __future__ import annotations

import os
import sys
from datetime import timedelta

import django


def main(path: str) -> None:
    os.environ["DJANGO_SETTINGS_MODULE"] = "tests.settings"
    django.setup()
    from tests.engine import close_of, enter_at, ports_over, run_tick, series
    from tests.race.test_one_bar import FILE_OPTIONS, QUIET
    from trading.services import scratch

    crash = (100.0, 100.2, 90.0, 91.0)
    ports = ports_over(series([crash, QUIET, crash, QUIET, QUIET]), enter_at(-1, 1, 2, 3))
    with scratch.attached(path, FILE_OPTIONS):
        for row in range(-1, 4):
            for seconds in (0, 0, 5, 5):
                # Two beats send every slot twice; one owner for all takes the lease's protection away.
                run_tick(ports, close_of(row) + timedelta(seconds=seconds), owner="everybody")


if __name__ == "__main__":
    main(*sys.argv[1:])
