"""/metrics: this process's own figures, what the rows say now, what workers counted in Redis, and who may see them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.db import Error as DatabaseError
from django.http import HttpRequest, HttpResponse, HttpResponseForbidden
from django.utils import timezone
from django.utils.crypto import constant_time_compare
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector
from redis import Redis
from redis.exceptions import RedisError

from dashboard import hub, metric_rows
from trading.adapters import meters

LOOPBACK = ("127.0.0.1", "::1")
FORWARDED = ("X-Forwarded-For", "Forwarded", "X-Real-Ip")
COUNTERS = {
    "julaba_exchange_requests": ("Requests to the venue, by path and status.", ("endpoint", "status")),
    "julaba_telegram_rejected": ("Messages of people who may not ask what they asked.", ("reason",)),
    "julaba_parity_mismatches": ("Decisions that a replay of the account did not repeat.", ()),
    "julaba_ticks": ("Ticks by how they ended.", ("outcome",)),
}
HISTOGRAMS = {
    "julaba_tick_duration_seconds": "How long a tick took.",
    "julaba_exchange_latency_seconds": "How long the venue took to answer.",
}


@never_cache
@login_not_required
@require_safe
def metrics(request: HttpRequest) -> HttpResponse:
    """Answer who knows METRICS_TOKEN; without one, who asks from this very machine and through no proxy."""
    if not _may_see(request):
        return HttpResponseForbidden(
            "METRICS_TOKEN opens this: send it as a bearer token.\n", content_type="text/plain"
        )
    ours = CollectorRegistry()
    ours.register(Julaba())
    return HttpResponse(generate_latest(REGISTRY) + generate_latest(ours), content_type=CONTENT_TYPE_LATEST)


def knows_token(request: HttpRequest) -> bool:
    """Return whether the request carries METRICS_TOKEN."""
    scheme, _, given = request.headers.get("Authorization", "").partition(" ")
    return bool(
        settings.METRICS_TOKEN and scheme.lower() == "bearer" and constant_time_compare(given, settings.METRICS_TOKEN)
    )


def _may_see(request: HttpRequest) -> bool:
    if settings.METRICS_TOKEN:
        return knows_token(request)
    is_local = request.META.get("REMOTE_ADDR") in LOOPBACK
    return is_local and not any(name in request.headers for name in FORWARDED)


class Julaba(Collector):
    """Everything that carries the name; `up` says whether the rows could be read at all."""

    def collect(self) -> Iterator[Metric]:
        yield GaugeMetricFamily("julaba_ws_clients", "Browsers that are shown news.", value=hub.HUB.size)
        try:
            rows = list(metric_rows.families(timezone.now()))
        except DatabaseError:
            rows = []
        yield GaugeMetricFamily("julaba_database_up", "1 while the database answers.", value=float(bool(rows)))
        yield from rows
        yield from _from_redis()


def _from_redis() -> Iterable[Metric]:
    counted: Mapping[str, Mapping[meters.Labels, float]] = {}
    waiting = GaugeMetricFamily("julaba_queue_length", "Tasks that wait for a worker.", labels=["queue"])
    try:
        counted = meters.read(settings.REDIS_URL)
        with Redis.from_url(settings.REDIS_URL, socket_timeout=1, socket_connect_timeout=1) as client:
            for queue in settings.CELERY_TASK_QUEUES:
                waiting.add_metric([queue], float(str(client.llen(queue))))
        answers = 1.0
    except (RedisError, OSError):
        answers = 0.0
    yield GaugeMetricFamily("julaba_redis_up", "1 while Redis answers.", value=answers)
    yield waiting
    for name, (text, labels) in COUNTERS.items():
        counter = CounterMetricFamily(name, text, labels=list(labels))
        for values, value in counted.get(name, {}).items():
            counter.add_metric([dict(values).get(label, "") for label in labels], value)
        yield counter
    for name, text in HISTOGRAMS.items():
        yield _histogram(name, text, counted)


def _histogram(name: str, text: str, counted: Mapping[str, Mapping[meters.Labels, float]]) -> Metric:
    found = {dict(labels)["le"]: value for labels, value in counted.get(f"{name}_bucket", {}).items()}
    buckets, total = [], 0.0
    for bound in (*map(str, meters.BUCKETS[name]), "+Inf"):
        total += found.get(bound, 0.0)
        buckets.append((bound, total))
    family = HistogramMetricFamily(name, text)
    family.add_metric([], buckets=buckets, sum_value=counted.get(f"{name}_sum", {}).get((), 0.0))
    return family
