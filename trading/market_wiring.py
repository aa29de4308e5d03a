"""From the settings to the venue: prices, bars, the stream and the clients, built on first use, once per process.

What needs ccxt or pyarrow is named by dotted path, and nothing here loads numba: the stream process has no use for it.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial
from importlib import import_module
from typing import TYPE_CHECKING, Any
from zlib import crc32

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.utils import timezone
from django.utils.module_loading import import_string
from django.views.decorators.debug import sensitive_variables

from trading.adapters import meters
from trading.adapters.price_cache import PriceCache
from trading.adapters.simulated_stream import SimulatedStream
from trading.core.feed import Board, Past, Stream
from trading.core.ports import MarketData
from trading.services.credentials import Credentials
from trading.services.feed_desk import FeedDesk

if TYPE_CHECKING:
    from trading.adapters.candle_store import CandleStore

SIMULATED = "simulated"
_KEPT_MARKET = "trading.adapters.kept_market.KeptMarket"
_CANDLE_STORE = "trading.adapters.candle_store.CandleStore"
_CCXT_STREAM = "trading.adapters.ccxt_stream"
_CCXT_CLIENT = "trading.adapters.ccxt_client.CcxtClient"
_CCXT_PAUSE = "trading.adapters.ccxt_pause.SharedPause"
_CCXT_ALLOWANCE = "trading.adapters.ccxt_budget.Allowance"


@cache
def market_data() -> MarketData:
    """Return the prices of MARKET_DATA; those of a real venue through what the stream and earlier questions have kept.

    The simulated market is a function, which answers at once in every process: nothing of it has to be kept.
    """
    made: MarketData
    if settings.EXCHANGE == SIMULATED:
        made = _source()
        return made
    client = _public_client()  # made now, so that a venue which ccxt does not have is said now
    made = import_string(_KEPT_MARKET)(
        source=lambda: import_string(settings.MARKET_DATA)(client), store=candle_store(), board=board()
    )
    return made


def past() -> Past:
    """Return whom to ask for bars, prices and rules directly."""
    made: Past = _source()
    return made


def stream() -> Stream:
    """Return the connection of the venue, for the one process that streams."""
    if settings.EXCHANGE == SIMULATED:
        made: Stream = SimulatedStream(seed=settings.SIMULATION_SEED)
        return made
    module = import_module(_CCXT_STREAM)
    try:
        made = module.CcxtStream(
            settings.EXCHANGE,
            markets=module.markets_of(_public_client()),
            kind=settings.EXCHANGE_KIND,
            endpoint=settings.EXCHANGE_ENDPOINT or None,
            sandbox=settings.EXCHANGE_SANDBOX,
        )
    except ValueError as error:
        raise ImproperlyConfigured(f"EXCHANGE={settings.EXCHANGE!r}: {error}") from error
    return made


def is_spot(venue: str) -> bool:
    """Return whether candles kept under this name are of the spot market that is traded on."""
    return settings.EXCHANGE != SIMULATED and settings.EXCHANGE_KIND == "spot" and venue == venue_key()


def venue_key() -> str:
    """Return the name under which candles and prices are kept: what differs in prices differs in it."""
    if settings.EXCHANGE == SIMULATED:
        return f"{SIMULATED}-{settings.SIMULATION_SEED}"
    parts = [settings.EXCHANGE]
    if settings.EXCHANGE_KIND == "swap":
        parts.append("swap")
    if settings.EXCHANGE_SANDBOX:
        parts.append("sandbox")
    if settings.EXCHANGE_ENDPOINT:
        parts.append(f"{crc32(settings.EXCHANGE_ENDPOINT.encode()):08x}")
    return "-".join(parts)


def candle_store() -> CandleStore:
    made: CandleStore = import_string(_CANDLE_STORE)(settings.JULABA_DATA_DIR / "candles", venue_key())
    return made


def board() -> Board:
    """Return the shared prices of the venue."""
    made: Board = PriceCache(settings.REDIS_URL, venue_key())
    return made


def desk(*, tick: Callable[[str], None], supervise: Callable[[list[str]], None]) -> FeedDesk:
    """Return what the feed asks of the database; `tick` and `supervise` send the tasks."""
    return FeedDesk(
        venue=settings.EXCHANGE,
        clock=timezone.now,
        tick=tick,
        supervise=supervise,
        meter=partial(meters.flush, settings.REDIS_URL),
    )


@sensitive_variables("keys")
def client(
    keys: Credentials | None = None, *, sandbox: bool = False, on_denied: Callable[[str], None] = lambda reason: None
) -> Any:
    """Return a new CcxtClient of the venue that EXCHANGE names; ImproperlyConfigured where ccxt has no such venue.

    All clients of a process share one budget, and those of all processes heed one pause: a venue counts and bans an
    address, not a key.
    """
    try:
        return import_string(_CCXT_CLIENT)(
            settings.EXCHANGE,
            kind="swap" if settings.EXCHANGE_KIND == "swap" else "spot",
            key=keys.key if keys else "",
            secret=keys.secret if keys else "",
            password=keys.password if keys else "",
            endpoint=settings.EXCHANGE_ENDPOINT or None,
            sandbox=sandbox,
            pause=_pause(),
            allowance=_allowance(),
            on_denied=on_denied,
        )
    except ValueError as error:
        raise ImproperlyConfigured(f"EXCHANGE={settings.EXCHANGE!r}: {error}") from error


def forget() -> None:
    """Build everything anew on next use, for tests that change the settings."""
    for made in (market_data, _source, _public_client, _pause, _allowance):
        made.cache_clear()


@cache
def _source() -> Any:
    """Return the market itself. Any: it is both MarketData and Past."""
    kind = import_string(settings.MARKET_DATA)
    return kind(seed=settings.SIMULATION_SEED) if settings.EXCHANGE == SIMULATED else kind(_public_client())


@cache
def _public_client() -> Any:
    return client(sandbox=settings.EXCHANGE_SANDBOX)


@cache
def _pause() -> Any:
    return import_string(_CCXT_PAUSE)(settings.EXCHANGE)


@cache
def _allowance() -> Any:
    return import_string(_CCXT_ALLOWANCE)()
