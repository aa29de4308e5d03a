"""From the settings to the ports, built on first use, once per process; what concerns prices alone is market_wiring's.

What needs ccxt is named by dotted path: it is loaded only where EXCHANGE names a real venue, for it takes much memory.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from functools import cache, lru_cache

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.utils import timezone
from django.utils.module_loading import import_string

from trading import market_wiring
from trading.adapters.simulated_market import SimulatedMarket
from trading.core import strategies
from trading.core.advice import Adviser
from trading.core.params import Params
from trading.core.ports import Broker, MarketData
from trading.core.slippage import Slippage
from trading.market_wiring import SIMULATED, client, market_data
from trading.models import Bot, TradingState
from trading.models.credentials import Environment
from trading.services import control, credentials, doctor, going_live
from trading.services.context import Ports
from trading.services.self_test import Tester

__all__ = [
    "advisers",
    "client",
    "demo_advisers",
    "forget",
    "is_simulated",
    "market_data",
    "ports",
    "ports_over",
    "strategy_list",
    "tester",
]

LONGEST_SOURCE = 20
"""Letters of an adviser's name, which stands in rows."""
_PAPER_BROKER = "trading.adapters.paper_broker.PaperBroker"
_CCXT_BROKER = "trading.adapters.ccxt_broker.CcxtBroker"
_CCXT_PROBE = "trading.adapters.ccxt_probe.CcxtProbe"


def is_simulated() -> bool:
    """Return whether prices come from the simulated market, which needs no network and has any past."""
    return isinstance(market_data(), SimulatedMarket)


def ports(params: Params) -> Ports:
    """Return the ports for a tick with these parameters.

    Live, this is the gate before real money: raises LiveRefused or CredentialsUnavailable, at every tick anew.
    """
    source, now = market_data(), timezone.now()
    made = (
        _live_ports(source, now)
        if settings.TRADING_MODE == "live"
        else ports_over(source, params, Slippage(fraction=params.slippage))
    )
    return replace(
        made,
        venue=settings.EXCHANGE,
        clock=timezone.now,
        halt_file=settings.JULABA_DATA_DIR / "HALT",
        accepts_local_stops=settings.LOCAL_PROTECTION == doctor.ACCEPT,
        advisers=_ready_advisers(),
        bypassed=bypassed,
    )


def tester() -> Tester:
    """Return what places trial orders on the live account; raises as `ports` does."""
    made: Tester = import_string(_CCXT_PROBE)(
        broker=_live_ports(market_data(), timezone.now()).broker, market=market_data()
    )
    return made


def ports_over(source: MarketData, params: Params, slippage: Slippage) -> Ports:
    """Return the ports for another source of prices, such as the past; its money is paper in every mode."""
    balance = Decimal(settings.PAPER_BALANCE)
    broker = import_string(_PAPER_BROKER if settings.TRADING_MODE == "live" else settings.BROKER)(
        market_data=source,
        timeframe=params.timeframe,
        slippage=slippage,
        initial_balance=balance,
    )
    return Ports(
        market_data=source,
        broker=broker,
        strategies=strategy_list(),
        initial_balance=balance,
        code_version=settings.CODE_VERSION,
    )


@cache
def advisers() -> tuple[Adviser, ...]:
    """Return who is asked about setups; raises ImproperlyConfigured for what ADVISERS names wrongly."""
    return _advisers("ADVISERS")


@cache
def demo_advisers() -> tuple[Adviser, ...]:
    """Return who is asked while the simulated past is replayed: those that answer at once."""
    return _advisers("DEMO_ADVISERS")


def bypassed() -> Collection[str]:
    """Return the advisers whose opinion counts for nothing at present."""
    path = settings.ADVICE_BYPASS
    made: Collection[str] = import_string(path)() if path else ()
    return made


@cache
def _ready_advisers() -> tuple[Adviser, ...]:
    """Return the advisers after they have loaded what takes long, so that no setup waits for it."""
    for adviser in advisers():
        if prepare := getattr(adviser, "prepare", None):
            prepare()
    return advisers()


def _advisers(setting: str) -> tuple[Adviser, ...]:
    made = []
    for path in getattr(settings, setting):
        try:
            adviser: Adviser = import_string(path)()
            name, _ = adviser.name, adviser.is_slow
        except (ImportError, AttributeError, TypeError) as error:
            raise ImproperlyConfigured(f"{setting}: {path!r} cannot be loaded: {error}") from error
        if not 1 <= len(name) <= LONGEST_SOURCE:
            raise ImproperlyConfigured(f"{setting}: {path!r} needs a name of 1 to {LONGEST_SOURCE} letters")
        made.append(adviser)
    names = [adviser.name for adviser in made]
    if len(set(names)) != len(names):
        raise ImproperlyConfigured(f"{setting}: two advisers have the same name among {names}; rename one")
    return tuple(made)


@cache
def strategy_list() -> tuple[strategies.Strategy, ...]:
    return strategies.load(settings.STRATEGIES)


def forget() -> None:
    """Build everything anew on next use, for tests that change the settings."""
    market_wiring.forget()
    for made in (strategy_list, advisers, demo_advisers, _ready_advisers, _live_broker, _live_cash):
        made.cache_clear()


def _live_ports(source: MarketData, now: datetime) -> Ports:
    if settings.EXCHANGE == SIMULATED:
        raise ImproperlyConfigured("TRADING_MODE=live needs a real venue: set EXCHANGE, such as EXCHANGE=binance")
    _pass_gate(now)
    key = credentials.active_key(exchange=settings.EXCHANGE, environment=Environment.LIVE)
    broker = _live_broker(key.pk if key else 0)
    return Ports(
        market_data=source,
        broker=broker,
        strategies=strategy_list(),
        initial_balance=_initial_balance(key.pk if key else 0),
        code_version=settings.CODE_VERSION,
    )


def _pass_gate(now: datetime) -> None:
    """Raise LiveRefused before anything was traded; later a refusal halts entries, and positions are still followed."""
    try:
        going_live.gate(exchange=settings.EXCHANGE, mode_setting=settings.TRADING_MODE, now=now)
    except going_live.LiveRefused as refusal:
        if not Bot.objects.filter(pk=1).exists():
            raise
        control.tighten(TradingState.HALTED, reason=str(refusal), now=now)


@lru_cache(maxsize=1)
def _live_broker(key_pk: int) -> Broker:
    """Return the broker with the active key; another key, another broker."""
    keys = credentials.load(exchange=settings.EXCHANGE, environment=Environment.LIVE)
    made: Broker = import_string(_CCXT_BROKER)(client=client(keys, on_denied=_halt))
    return made


def _halt(reason: str) -> None:
    control.tighten(TradingState.HALTED, reason=f"the venue denies access: {reason}", now=timezone.now())


def _initial_balance(key_pk: int) -> Decimal:
    """Return what the account began with; the venue is asked only where no account was opened yet."""
    begun = Bot.objects.filter(pk=1).values_list("initial_balance", flat=True).first()
    return _live_cash(key_pk) if begun is None else begun


@lru_cache(maxsize=1)
def _live_cash(key_pk: int) -> Decimal:
    return _live_broker(key_pk).cash(now=timezone.now())
