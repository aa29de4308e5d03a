"""Celery tasks: load, call once. Imports are inside, so that sending a task costs no process numba or pandas."""

from __future__ import annotations

from celery import shared_task
from django.utils import timezone


@shared_task
def tick() -> str:
    from trading import wiring
    from trading.services import lease, parameters
    from trading.services import tick as ticking

    now = timezone.now()
    _, params = parameters.in_force(now=now)
    return ticking.run(ports=wiring.ports(params), now=now, owner=lease.process_name())


@shared_task
def scan() -> None:
    from trading import wiring
    from trading.services import parameters, scanning

    now = timezone.now()
    _, params = parameters.in_force(now=now)
    scanning.scan(market_data=wiring.market_data(), strategies=wiring.strategy_list(), params=params, now=now)


@shared_task
def prune() -> None:
    from trading.services import retention

    retention.prune(now=timezone.now())
