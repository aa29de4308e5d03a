"""The system: health, comparisons, promises, parameters, the journal, alerts."""

from __future__ import annotations

from datetime import datetime

from django.conf import settings
from django.utils.module_loading import import_string

from notifications import formats
from notifications.models import Alert, Role
from notifications.ports import LogReader
from notifications.rendering import table, text
from notifications.services import outbox
from notifications.services.registry import BadRequest, Reply, Request, command, whole
from trading import selectors
from trading.core.params import SPECS
from trading.models import InvariantRun, Lease, ParameterRevision, ReconcileRun

GROUP = "System"
LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
LONGEST_ENTRY = 300


@command("health", group=GROUP, help="Ages of tick, prices, comparison and check; what waits to be sent")
def health(request: Request) -> Reply:
    now, bot = request.now, selectors.bot()
    run, check = ReconcileRun.objects.order_by("-at", "-pk").first(), InvariantRun.objects.order_by("-at").first()
    lease = Lease.objects.filter(name="trader").first()
    rows = [
        ("Last tick", _age(bot.last_tick_at if bot else None, now)),
        ("Newest price", _age(bot.data_at if bot else None, now)),
        ("Comparison", f"{_age(run.at, now)}, {'passed' if run.passed else 'not passed'}" if run else formats.NOTHING),
        ("Check", f"{_age(check.at, now)}, {len(check.violations)} broken" if check else formats.NOTHING),
        ("Trader", "holds the lease" if lease and lease.expires_at > now else "nobody holds the lease"),
        ("Oldest message", formats.span(outbox.overdue(now=now))),
        ("Alerts", f"{Alert.objects.filter(cleared_at__isnull=True).count()} standing"),
    ]
    state = f"Trading is {bot.get_trading_state_display()}." if bot else "There is no account yet."
    return Reply(title="Health", lines=[*table(rows), *text(state)], is_refreshed=True)


@command("reconcile", group=GROUP, help="The last comparison of the books with the venue's")
def reconcile(request: Request) -> Reply:
    run = ReconcileRun.objects.order_by("-at", "-pk").first()
    if run is None:
        return Reply(title="Comparison", lines=text("Nothing was compared yet."))
    lines = text(
        f"{_age(run.at, request.now)} ago: {'passed' if run.passed else 'not passed'}.",
        f"{run.orders} orders, {run.fills} executions, {run.positions} positions were compared.",
        *([f"It could not be finished: {run.problem}"] if run.problem else []),
        *(f"{d['kind']} {d['symbol']}: ours {d['ours']}, theirs {d['theirs']}; {d['action']}" for d in run.differences),
    )
    return Reply(title="Comparison", lines=lines, is_refreshed=True)


@command("invariants", group=GROUP, help="What must hold, and whether it did at the last check")
def invariants(request: Request) -> Reply:
    run = InvariantRun.objects.order_by("-at", "-pk").first()
    if run is None:
        return Reply(title="Promises", lines=text("Nothing was checked yet."))
    broken = [f"{v['id']} is broken ({v['text']}): {v['found']}" for v in run.violations]
    held = f"All {run.checked} promises hold." if not broken else f"{len(broken)} violations:"
    return Reply(title="Promises", lines=text(f"{_age(run.at, request.now)} ago. {held}", *broken), is_refreshed=True)


@command("params", group=GROUP, usage="[part of a name]", help="The parameters in force")
def params(request: Request) -> Reply:
    wanted, values = (request.args[0].lower() if request.args else ""), selectors.params().as_json()
    rows = [(name, _shown(values[name]), SPECS[name].unit) for name in SPECS if wanted in name]
    revision = ParameterRevision.objects.order_by("-number").first()
    title = f"Parameters, revision {revision.number}" if revision else "Parameters"
    return Reply(title=title, lines=table(rows) if rows else text("No parameter has such a name."))


@command("logs", group=GROUP, usage="[n] [level]", role=Role.RISK, help="The newest lines of the log of every process")
def logs(request: Request) -> Reply:
    levels = [word.upper() for word in request.args if not word.isdecimal()]
    if len(levels) > 1 or (levels and levels[0] not in LEVELS):
        raise BadRequest(f"give a number of lines, and the least of {', '.join(LEVELS).lower()}")
    count = whole(tuple(word for word in request.args if word.isdecimal()), default=10, most=50)
    newest: LogReader = import_string(settings.LOG_READER)
    found = newest(count=count, level=levels[0] if levels else "")
    lines = [f"{entry.at:%H:%M:%S} {entry.process} {entry.level} {_first(entry.text)}" for entry in found]
    return Reply(title="Log", lines=text(*(lines or ["Nothing of that level is in the log."])), is_refreshed=True)


@command("journal", group=GROUP, usage="[n]", help="What happened: the newest rows of the journal")
def journal(request: Request) -> Reply:
    events = selectors.events(limit=whole(request.args, default=10, most=50))
    lines = [f"{formats.moment(event.at)} {event.kind}: {event.text}" for event in events]
    return Reply(title="Journal", lines=text(*(lines or ["The journal is empty."])), is_refreshed=True)


@command("alerts", group=GROUP, help="What stands, with a button to acknowledge it")
def alerts(request: Request) -> Reply:
    standing = list(Alert.objects.filter(cleared_at__isnull=True).order_by("-raised_at")[:20])
    lines = [
        f"{alert.severity}, {_age(alert.raised_at, request.now)}: {alert.text}{_seen(alert)}" for alert in standing
    ]
    buttons = [[(f"Acknowledge: {a.key[:30]}", f"k|{a.pk}")] for a in standing if a.acknowledged_at is None]
    return Reply(title="Alerts", lines=text(*(lines or ["Nothing stands."])), buttons=buttons, is_refreshed=True)


@command("version", group=GROUP, help="What runs here")
def version(request: Request) -> Reply:
    return Reply(
        title="Version",
        lines=text(f"Julaba {settings.CODE_VERSION}, {settings.TRADING_MODE} on {settings.EXCHANGE}."),
    )


def _age(at: datetime | None, now: datetime) -> str:
    return formats.span(now - at) if at else formats.NOTHING


def _seen(alert: Alert) -> str:
    return f" (acknowledged by {alert.acknowledged_by})" if alert.acknowledged_at else ""


def _shown(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _first(entry: str) -> str:
    """Return the first line of an entry, and the last one where a traceback follows: that says what went wrong."""
    first, _, rest = entry.partition("\n")
    last = rest.strip().rpartition("\n")[2]
    return f"{first[:LONGEST_ENTRY]}{f' … {last[:LONGEST_ENTRY]}' if last else ''}"
