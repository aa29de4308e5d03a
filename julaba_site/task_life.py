"""What happens around every Celery task: its id in the log, and its meters."""

from __future__ import annotations

import time
from contextlib import ExitStack
from typing import Any

from celery.signals import task_postrun, task_prerun, worker_ready

from julaba_site import sd_notify

TICK = "trading.tasks.tick"
_running: dict[str, tuple[float, ExitStack]] = {}


@worker_ready.connect
def hears(**_: Any) -> None:
    sd_notify.ready("hears its queues")


@task_prerun.connect
def begin(task_id: str, task: Any, **_: Any) -> None:
    from trading import log_ids

    stack = ExitStack()
    stack.enter_context(
        log_ids.bound(**{"tick" if task.name == TICK else "task": f"{_short(task.name)}-{task_id[:8]}"})
    )
    _running[task_id] = (time.perf_counter(), stack)


@task_postrun.connect
def end(task_id: str, task: Any, retval: Any = None, state: str = "", **_: Any) -> None:
    from django.conf import settings

    from trading.adapters import meters

    began, stack = _running.pop(task_id, (None, ExitStack()))
    stack.close()
    if task.name == TICK and began is not None:
        meters.observe("julaba_tick_duration_seconds", time.perf_counter() - began)
        meters.count("julaba_ticks", outcome=str(retval) if state == "SUCCESS" else "error")
    if not task.request.is_eager:
        meters.flush(settings.REDIS_URL)
        sd_notify.alive()  # a worker can live and hear nothing: systemd watches over what ends its tasks


def _short(name: str) -> str:
    return name.rpartition(".")[2]
