"""The examination before going live: each question has one answer in one sentence, and all of them are kept.

A check that cannot be made has failed. What the venue says in its errors is kept without the key's own values.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Protocol

from django.db import connection

from trading.core.ports import MarketDataUnavailable, NotSent, OrderRejected, OutcomeUnknown, StopSupport
from trading.core.types import Market
from trading.models.credentials import DoctorRun, Environment, ExchangeKey
from trading.services import credentials
from trading.services.credentials import Credentials, CredentialsUnavailable, WrongEnvironment

CLOCK_LIMIT = timedelta(milliseconds=500)
ACCEPT = "accept"
"""The word with which an operator takes a risk that the doctor would refuse."""
UNANSWERED = (MarketDataUnavailable, OutcomeUnknown, OrderRejected, NotSent)
VENUE_CHECKS = ("clock", "may_trade", "may_not_withdraw", "addresses", "balance", "pairs", "stops", "self_test")


class SelfTestFailed(OrderRejected):
    """The far-away order was not held as it was asked for; the text says what was seen instead."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Permissions:
    """What a venue says of a key; None where it does not tell."""

    can_trade: bool
    can_withdraw: bool | None
    """Withdrawals or transfers out of the account, of any kind."""
    ip_restricted: bool | None


class Probe(Protocol):
    """What the doctor asks a venue. Every method fails only by the exceptions of trading.core.ports."""

    def clock_offset(self, *, now: datetime) -> timedelta: ...

    def permissions(self, *, now: datetime) -> Permissions: ...

    def cash(self, *, now: datetime) -> Decimal:
        """Return the account's money in quote."""
        ...

    def markets(self) -> Mapping[str, Market]: ...

    def stop_support(self, symbol: str) -> StopSupport: ...

    def self_test(self, symbol: str, *, now: datetime) -> str:
        """Place the smallest order far from the price, see it in the open orders by our id, and cancel it.

        A stop where there is something to sell. Returns in words what was placed. Raises SelfTestFailed, or what the
        failed call raised; what was placed is canceled whatever happens.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What the operator has settled: the watched pairs, the least money (quote), and which risks are accepted."""

    symbols: Sequence[str]
    minimum_cash: Decimal
    local_protection: str = ""
    sqlite: str = ""


@dataclass(frozen=True, slots=True)
class Check:
    name: str
    passed: bool
    text: str


def run(*, exchange: str, mode: str, connect: Callable[[Credentials], Probe], terms: Terms, now: datetime) -> DoctorRun:
    """Examine everything that can be and keep the result; the stop is tried only where all else passed.

    `mode` is 'live' or 'sandbox'. `connect` makes the probe, so that what is examined is the key that is stored.
    """
    environment = Environment(mode)
    key = credentials.active_key(exchange=exchange, environment=environment)
    found, checks = _credentials(exchange, environment, key)
    checks.append(_database(terms))
    if found is None or key is None:
        checks += _unasked(("reachable", *VENUE_CHECKS), "there is no usable key")
    else:
        checks += [
            Check(check.name, check.passed, found.scrub(check.text))
            for check in _venue(connect, found, key, terms, now, all(check.passed for check in checks))
        ]
    return DoctorRun.objects.create(
        at=now,
        exchange=exchange,
        mode=environment,
        key=key,
        passed=all(check.passed for check in checks),
        checks=[asdict(check) for check in checks],
    )


def _credentials(
    exchange: str, environment: Environment, key: ExchangeKey | None
) -> tuple[Credentials | None, list[Check]]:
    try:
        found = credentials.load(exchange=exchange, environment=environment)
    except WrongEnvironment as error:
        return None, [Check("credentials", False, str(error)), Check("environment", False, str(error))]
    except CredentialsUnavailable as error:
        tag = f"no key of {exchange} is tagged {environment}: store one that is"
        if key is not None:
            tag = f"the tag of the {key} cannot be verified before it can be decrypted"
        return None, [Check("credentials", False, str(error)), Check("environment", False, tag)]
    return found, [
        Check("credentials", True, f"the {key} is stored and can be decrypted"),
        Check("environment", True, f"it is tagged and sealed as {environment}"),
    ]


def _database(terms: Terms) -> Check:
    if connection.vendor == "postgresql":
        return Check("database", True, "PostgreSQL")
    if terms.sqlite == ACCEPT:
        return Check("database", True, f"Warning: {connection.vendor} was accepted for real money")
    return Check(
        "database",
        False,
        f"{connection.vendor} keeps the books of real money: set DATABASE_URL to a PostgreSQL, or LIVE_ON_SQLITE=accept",
    )


def _venue(
    connect: Callable[[Credentials], Probe],
    found: Credentials,
    key: ExchangeKey,
    terms: Terms,
    now: datetime,
    well: bool,
) -> Iterator[Check]:
    try:
        probe = connect(found)
        offset = probe.clock_offset(now=now)
    except UNANSWERED as error:
        yield Check("reachable", False, f"the venue did not answer ({error}): look at the network and try again")
        yield from _unasked(VENUE_CHECKS, "the venue did not answer")
        return
    yield Check("reachable", True, "the venue answers")
    for check in _questions(probe, offset, key, terms, now):
        well = well and check.passed
        yield check
    yield _self_test(probe, terms, now) if well else _unasked(("self_test",), "the other checks must pass first")[0]


def _questions(probe: Probe, offset: timedelta, key: ExchangeKey, terms: Terms, now: datetime) -> Iterator[Check]:
    yield _clock(offset)
    yield from _asked(VENUE_CHECKS[1:4], lambda: _rights(probe.permissions(now=now), key))
    yield from _asked(("balance",), lambda: [_balance(probe.cash(now=now), terms)])
    yield from _asked(("pairs",), lambda: [_pairs(probe.markets(), terms)])
    yield from _asked(("stops",), lambda: [_stops(probe, terms)])


def _asked(names: Sequence[str], question: Callable[[], list[Check]]) -> list[Check]:
    try:
        return question()
    except UNANSWERED as error:
        return [Check(name, False, f"the venue did not say ({error}): try again, or correct the key") for name in names]


def _unasked(names: Sequence[str], reason: str) -> list[Check]:
    return [Check(name, False, f"not asked: {reason}") for name in names]


def _clock(offset: timedelta) -> Check:
    text = f"the venue's clock is {offset / timedelta(milliseconds=1):.0f} ms ahead of ours"
    if abs(offset) < CLOCK_LIMIT:
        return Check("clock", True, text)
    return Check("clock", False, f"{text}, 500 ms is the limit: let this machine follow a time server (NTP)")


def _rights(rights: Permissions, key: ExchangeKey) -> list[Check]:
    trade = "the key may trade" if rights.can_trade else "the key may not trade: give it the right at the venue"
    return [Check("may_trade", rights.can_trade is True, trade), _withdrawal(rights, key), _addresses(rights)]


def _withdrawal(rights: Permissions, key: ExchangeKey) -> Check:
    name = "may_not_withdraw"
    if rights.can_withdraw is None and key.attestation:
        return Check(name, True, f"the venue does not tell; {key.created_by} stated: {key.attestation}")
    if rights.can_withdraw is None:
        return Check(
            name, False, "the venue does not tell: store the key again with --attest and a statement that it cannot"
        )
    if rights.can_withdraw:
        return Check(name, False, "the key may withdraw or transfer: take that right away at the venue")
    return Check(name, True, "the key may not withdraw")


def _addresses(rights: Permissions) -> Check:
    """Only warn: not every operator has an address that stays."""
    texts = {
        True: "the key works from listed addresses only",
        False: "Warning: the key works from any address, list this machine's at the venue",
        None: "Warning: the venue does not tell whether the key is bound to addresses",
    }
    return Check("addresses", True, texts[rights.ip_restricted])


def _balance(cash: Decimal, terms: Terms) -> Check:
    if cash.is_finite() and cash >= terms.minimum_cash:
        return Check("balance", True, f"{cash} is at least {terms.minimum_cash}")
    return Check("balance", False, f"the account has {cash}, {terms.minimum_cash} is the least: pay more in")


def _pairs(markets: Mapping[str, Market], terms: Terms) -> Check:
    missing = [symbol for symbol in terms.symbols if symbol not in markets]
    if missing or not terms.symbols:
        text = f"the venue has no {', '.join(missing)}" if missing else "no pair is watched"
        return Check("pairs", False, f"{text}: correct the parameter pairs")
    return Check("pairs", True, f"the venue has {', '.join(terms.symbols)}")


def _stops(probe: Probe, terms: Terms) -> Check:
    bare = [symbol for symbol in terms.symbols if probe.stop_support(symbol) is StopSupport.NONE]
    if not bare:
        return Check("stops", True, "the venue holds a stop for every pair")
    if terms.local_protection == ACCEPT:
        return Check("stops", True, f"Warning: stops of {', '.join(bare)} are kept by this process alone, as accepted")
    return Check(
        "stops",
        False,
        f"the venue holds no stop for {', '.join(bare)}: watch other pairs, or set LOCAL_PROTECTION=accept",
    )


def _self_test(probe: Probe, terms: Terms, now: datetime) -> Check:
    try:
        symbol = next((name for name in terms.symbols if probe.stop_support(name) is not StopSupport.NONE), None)
        if symbol is None:
            return Check("self_test", True, "Warning: no pair has stops at the venue, so none was tried")
        placed = probe.self_test(symbol, now=now)
    except UNANSWERED as error:
        return Check("self_test", False, f"the trial order failed ({error}): cancel at the venue what is left of it")
    return Check("self_test", True, f"{placed} was placed, seen and canceled")
