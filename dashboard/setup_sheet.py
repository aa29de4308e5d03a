"""From the demo to real money as a checklist: each step with its true state, and what to do where it is not done."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.db import connection
from django.urls import reverse

from dashboard import chart_sheet, formats, parity_sheet
from notifications.models import Contact
from trading.core.params import Params
from trading.models import BacktestRun, BackupKind, BackupRun, Bot, EquityPoint, RunKind, RunStatus
from trading.models.credentials import Environment
from trading.services import credentials, going_live

FRESH = timedelta(minutes=2)
PAPER_DAYS = 14
"""So long the rules should have traded paper at a real venue's prices before real money is thought of."""
SHOWN_COMMANDS = 6
DONE, OPEN, WAITS = "done", "open", "waits"


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One step; `state` is done, open, or waits (for an earlier one). Commands are lines to copy."""

    name: str
    state: str
    text: str
    commands: Sequence[str] = ()
    href: str = ""
    link: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    title: str
    about: str
    steps: Sequence[Step]

    @property
    def done(self) -> int:
        return sum(step.state == DONE for step in self.steps)

    @property
    def is_done(self) -> bool:
        return self.done == len(self.steps)


def stages(bot: Bot | None, params: Params, *, now: datetime) -> list[Stage]:
    """Return the three stages with the state that settings, rows and the store show now."""
    return [
        Stage(
            title="Demo",
            about="Paper money on a simulated market: no account, no key, no network.",
            steps=[_running(bot, now), _hears(), _backed_up(), _tested(params)],
        ),
        Stage(
            title="Paper at a real venue",
            about="The same rules with paper money at the prices of a venue you choose.",
            steps=[_venue(), _prices(bot, now), _candles(params), _long_enough(now), _agrees()],
        ),
        Stage(
            title="Real money",
            about="Needs a key that may trade and may not withdraw, a pass of the doctor, and a person's typed word.",
            steps=[_database(), _mode(), _key(), _doctor(now), _approved(now)],
        ),
    ]


def next_step(found: Sequence[Stage]) -> Step | None:
    """Return the first step that is not done."""
    return next((step for stage in found for step in stage.steps if step.state == OPEN), None)


def _step(
    name: str, is_done: bool, done: str, undone: str, commands: Sequence[str] = (), *, link: tuple[str, str] = ("", "")
) -> Step:
    return Step(
        name=name,
        state=DONE if is_done else OPEN,
        text=done if is_done else undone,
        commands=() if is_done else commands,
        href=link[1],
        link=link[0],
    )


def _running(bot: Bot | None, now: datetime) -> Step:
    ticks = bot is not None and bot.last_tick_at is not None and now - bot.last_tick_at < FRESH
    undone = (
        "No tick ran within the last two minutes: start Julaba." if bot else "There is no account yet: start Julaba."
    )
    return _step(
        "Julaba runs",
        ticks,
        "It looks at the market every two seconds.",
        undone,
        ["make run"],
        link=("Health", reverse("health")),
    )


def _hears() -> Step:
    people = Contact.objects.filter(receives=True, user__is_active=True).count()
    urls = len(settings.NOTIFY_URLS)
    done = f"{people} contact{'s' * (people != 1)} on Telegram, {urls} other address{'es' * (urls != 1)}."
    return _step(
        "Somebody hears of it",
        bool(people or urls),
        done,
        "Alerts reach nobody outside of these pages: make a bot, write /whoami to it, and add a contact in the admin.",
        [
            "export TELEGRAM_TOKEN=... TELEGRAM_URL=https://julaba.example",
            "make run",
            ".venv/bin/python manage.py telegram set-webhook",
        ],
        link=("Alerts", reverse("alerts")),
    )


def _backed_up() -> Step:
    newest = BackupRun.objects.filter(kind=BackupKind.BACKUP, passed=True).order_by("-at").first()
    done = f"The newest backup is of {newest.at:%Y-%m-%d %H:%M} UTC." if newest else ""
    return _step(
        "A backup is made", newest is not None, done, "There is no backup yet.", [".venv/bin/python manage.py backup"]
    )


def _tested(params: Params) -> Step:
    runs = BacktestRun.objects.filter(kind=RunKind.BACKTEST, status=RunStatus.DONE)
    count = runs.count()
    return _step(
        "The rules were tested on the past",
        count > 0,
        f"{count} backtest{'s' * (count != 1)} done.",
        f"No backtest of the {params.timeframe} rules has been made: start one, it runs beside trading.",
        link=("Backtests", reverse("backtests")),
    )


def _venue() -> Step:
    return _step(
        "A venue is chosen",
        not _is_demo(),
        f"Prices come from {settings.EXCHANGE}, {settings.EXCHANGE_KIND}.",
        "Prices are simulated: name an exchange as ccxt does. It gets an account of its own, the demo stays as it is.",
        ["EXCHANGE=binance make run"],
    )


def _prices(bot: Bot | None, now: datetime) -> Step:
    fresh = bot is not None and bot.data_at is not None and now - bot.data_at < FRESH
    return _after_venue(
        _step(
            "Its prices arrive",
            fresh,
            "The newest price is fresh.",
            "The newest price is older than two minutes: look at the health page and at the log of the stream.",
            link=("Health", reverse("health")),
        )
    )


def _candles(params: Params) -> Step:
    if _is_demo():
        return _after_venue(Step(name="Candles are kept", state=OPEN, text=""))
    without = [symbol for symbol in params.pairs if params.timeframe not in chart_sheet.kept_timeframes(symbol)]
    return _step(
        "Candles are kept",
        not without,
        f"{params.timeframe} bars of all {len(params.pairs)} watched pairs.",
        f"{len(without)} of {len(params.pairs)} watched pairs have no stored {params.timeframe} bars to be tested on.",
        [
            f".venv/bin/python manage.py fetch_candles --symbol {symbol} --timeframe {params.timeframe} --days 90"
            for symbol in without[:SHOWN_COMMANDS]
        ],
    )


def _long_enough(now: datetime) -> Step:
    first = EquityPoint.objects.order_by("at").values_list("at", flat=True).first()
    length = now - first if first else timedelta()
    return _after_venue(
        _step(
            f"{PAPER_DAYS} days on paper",
            length >= timedelta(days=PAPER_DAYS),
            f"This account trades for {formats.span(length)}.",
            f"This account trades for {formats.span(length)}: wait until {PAPER_DAYS} days have shown how it does.",
            link=("Performance", reverse("performance")),
        )
    )


def _agrees() -> Step:
    run = parity_sheet.newest()
    report = run.result if run and run.result else None
    done = f"{report['compared']} decisions were computed again, none differs without a reason." if report else ""
    undone = (
        f"{report['unexplained']} decisions differ without a reason: read the report before you go on."
        if report and report["unexplained"]
        else "What was really decided was never computed again from its stored inputs."
    )
    return _after_venue(
        _step(
            "Decisions agree with their inputs",
            bool(report and report["compared"] and not report["unexplained"]),
            done,
            undone,
            [".venv/bin/python manage.py parity --live --since 7d"],
            link=("Parity", reverse("parity")),
        )
    )


def _database() -> Step:
    accepted = settings.LIVE_ON_SQLITE == "accept"
    return _step(
        "A database for real money",
        connection.vendor == "postgresql" or accepted,
        "PostgreSQL." if connection.vendor == "postgresql" else "SQLite, which somebody accepted by LIVE_ON_SQLITE.",
        "This is SQLite: real money asks for PostgreSQL, or for your word that one file is enough.",
        ["export DATABASE_URL=postgres://USER:PASSWORD@HOST:5432/NAME", ".venv/bin/python manage.py migrate"],
    )


def _mode() -> Step:
    return _after_venue(
        _step(
            "The mode is live",
            settings.TRADING_MODE == "live",
            "TRADING_MODE is live.",
            "TRADING_MODE is paper: stop Julaba first, and give every command below the same variables.",
            [f"export TRADING_MODE=live EXCHANGE={settings.EXCHANGE}"],
        )
    )


def _key() -> Step:
    key = credentials.active_key(exchange=settings.EXCHANGE, environment=Environment.LIVE)
    return _after_venue(
        _step(
            "A live key is stored",
            key is not None,
            f"{key}, sealed." if key else "",
            "No live key is stored: it may trade and must not withdraw, and its use should be bound to this address.",
            [f".venv/bin/python manage.py exchange_key add {settings.EXCHANGE} --environment live"],
        )
    )


def _doctor(now: datetime) -> Step:
    run = going_live.newest_doctor(exchange=settings.EXCHANGE)
    if run is None:
        undone = "The doctor has never examined the live key."
    elif not run.passed:
        failed = "; ".join(f"{check['name']}: {check['text']}" for check in run.checks if not check["passed"])
        undone = f"The doctor found faults on {run.at:%Y-%m-%d %H:%M} UTC: {failed}"
    else:
        undone = (
            f"The doctor's pass of {run.at:%Y-%m-%d %H:%M} UTC is older than 24 hours: an approval needs a newer one."
        )
    is_used = going_live.standing(exchange=settings.EXCHANGE, now=now) is not None
    fresh = run is not None and run.passed and (is_used or now - run.at < going_live.FRESH)
    done = f"Passed on {run.at:%Y-%m-%d %H:%M} UTC, {len(run.checks)} checks." if run else ""
    return _after_venue(_step("The doctor has passed it", fresh, done, undone, [".venv/bin/python manage.py doctor"]))


def _approved(now: datetime) -> Step:
    try:
        going_live.gate(exchange=settings.EXCHANGE, mode_setting=settings.TRADING_MODE, now=now)
    except going_live.LiveRefused as refusal:
        undone = f"{str(refusal)[:1].upper()}{str(refusal)[1:]}."
        is_open = False
    else:
        undone, is_open = "", True
    approval = going_live.standing(exchange=settings.EXCHANGE, now=now)
    done = f"{approval.approved_by} approved on {approval.at:%Y-%m-%d %H:%M} UTC: {approval.reason}" if approval else ""
    return _after_venue(
        _step(
            "A person has approved",
            is_open,
            done,
            undone,
            [f'.venv/bin/python manage.py live approve {settings.EXCHANGE} --reason "why"', "make run"],
        )
    )


def _is_demo() -> bool:
    return bool(settings.EXCHANGE == "simulated")


def _after_venue(step: Step) -> Step:
    """Return the step, which says that it waits while the market is simulated."""
    return Step(name=step.name, state=WAITS, text="Waits until a venue is chosen.") if _is_demo() else step
