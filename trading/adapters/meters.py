"""Counters and histograms that live in Redis, so that what a worker counted shows where the web process is asked.

A process collects in memory and writes after its task, so nothing on the way of an order waits for Redis. Redis may
be emptied at any moment: a counter that begins anew is what Prometheus expects of a restart.
"""

from __future__ import annotations

import json
import threading
from collections import defaultdict
from collections.abc import Mapping
from functools import cache

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

KEY = "julaba:meters"
_PATIENCE_S = 0.5
_MOST_WAITING = 2_000
"""So many values wait for a Redis that is away; what comes on top is lost."""
BUCKETS: Mapping[str, tuple[float, ...]] = {
    "julaba_tick_duration_seconds": (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0),
    "julaba_exchange_latency_seconds": (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0),
}
Labels = tuple[tuple[str, str], ...]
_waiting: defaultdict[tuple[str, Labels], float] = defaultdict(float)
_lock = threading.Lock()
"""The stream asks the venue in one thread and writes down in another."""


def count(name: str, by: int = 1, **labels: str) -> None:
    """Add to a counter."""
    _add(name, tuple(sorted(labels.items())), float(by))


def observe(name: str, value: float) -> None:
    """Add one value to a histogram of BUCKETS."""
    for bound in (*BUCKETS[name], float("inf")):
        if value <= bound:
            _add(f"{name}_bucket", (("le", _bound(bound)),), 1.0)
            break
    _add(f"{name}_sum", (), value)


def flush(url: str) -> None:
    """Write down what was collected; while Redis does not answer, it waits here."""
    if not _waiting:
        return
    with _lock:
        told = dict(_waiting)
    try:
        pipe = _connection(url).pipeline(transaction=False)
        for (name, labels), value in told.items():
            pipe.hincrbyfloat(KEY, json.dumps([name, labels]), value)
        pipe.execute()
    except (redis.RedisError, OSError):
        return  # the gauges of Redis itself say so
    with _lock:
        for key, value in told.items():
            _waiting[key] -= value
            if abs(_waiting[key]) < 1e-12:
                del _waiting[key]


def read(url: str) -> dict[str, dict[Labels, float]]:
    """Return every value by name and labels; raises redis.RedisError."""
    found: dict[str, dict[Labels, float]] = {}
    rows: Mapping[bytes, bytes] = _connection(url).hgetall(KEY)  # type: ignore[assignment] # not the asynchronous one
    for field, value in rows.items():
        name, labels = json.loads(field)
        found.setdefault(name, {})[tuple((str(key), str(text)) for key, text in labels)] = float(value)
    return found


def _add(name: str, labels: Labels, value: float) -> None:
    with _lock:
        if (name, labels) in _waiting or len(_waiting) < _MOST_WAITING:
            _waiting[name, labels] += value


def _bound(bound: float) -> str:
    return "+Inf" if bound == float("inf") else str(bound)


@cache
def _connection(url: str) -> redis.Redis:
    retry = Retry(NoBackoff(), 0)
    return redis.Redis.from_url(url, socket_timeout=_PATIENCE_S, socket_connect_timeout=_PATIENCE_S, retry=retry)
