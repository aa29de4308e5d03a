"""What a venue's answer to an order proves: our own table, since the class of ccxt's exception proves nothing.

    ACCEPTED       a reply that names an id, and our client id, symbol and side
    REJECTED       a code that is listed here as a definite refusal, with a status that is not 5xx; or refused by ccxt unsent
    DUPLICATE_ID   the client id is known to the venue already
    NOT_SENT       connecting failed before the first byte of the request
    THROTTLED      refused unprocessed, by the venue's own rules
    CLOCK          refused for its timestamp
    DENIED_ACCESS  the key is wrong, revoked or without the right
    AMBIGUOUS      everything else

The codes are in ccxt_codes.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from urllib3.exceptions import ConnectTimeoutError, HTTPError, NewConnectionError

from trading.adapters import ccxt_codes as codes
from trading.adapters.ccxt_lazy import ccxt

# Whatever ccxt lets out: its own errors, requests' and sockets' (OSError), and what its parsers raise on junk.
VENDOR_ERRORS = (
    ccxt.BaseError,
    HTTPError,
    OSError,
    LookupError,
    TypeError,
    ValueError,
    AttributeError,
    ArithmeticError,
    RecursionError,
)

_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")


class Outcome(StrEnum):
    """What is proved about one order request; see the module."""

    ACCEPTED = "accepted"
    REJECTED = "rejected"
    DUPLICATE_ID = "duplicate_id"
    NOT_SENT = "not_sent"
    THROTTLED = "throttled"
    CLOCK = "clock"
    DENIED_ACCESS = "denied_access"
    AMBIGUOUS = "ambiguous"


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """The order that was asked for: `market_id` is the venue's own name of the symbol, `side` is buy or sell."""

    client_id: str
    symbol: str
    market_id: str
    side: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """A reply that arrived whole, before ccxt read it."""

    status: int
    body: str
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """What is known of the wire: how many requests began, and the last whole reply."""

    requests: int
    reply: Reply | None = None


def classify(exchange_id: str, what: object, asked: Asked, *, sent: Sent) -> Outcome:
    """Return what `what`, the order that ccxt returned or the error that it raised, proves about the order."""
    if not isinstance(what, BaseException):
        return Outcome.ACCEPTED if names_our_order(exchange_id, what, asked, sent=sent) else Outcome.AMBIGUOUS
    if not sent.requests:
        return _unsent(what)
    if sent.reply is None:
        return Outcome.NOT_SENT if never_connected(what) else Outcome.AMBIGUOUS
    venue = codes.of(exchange_id)
    return _generic(what, sent.reply) if venue is None else _coded(venue, sent.reply)


def names_our_order(exchange_id: str, order: object, asked: Asked, *, sent: Sent) -> bool:
    """True where ccxt's order and the reply behind it name an id, and no other order than ours."""
    if not isinstance(order, dict) or not is_plausible_id(order.get("id")):
        return False
    if sent.reply is not None and not isinstance(parsed(sent.reply.body), dict):
        return False
    raw = order.get("info")
    if not isinstance(raw, dict):
        return False
    venue = codes.of(exchange_id)
    named = next(
        (raw[key] for key in ("clientOrderId", "newClientOrderId", "clientAlgoId", "externalOid") if raw.get(key)), None
    )
    named = named or order.get("clientOrderId")
    if named != asked.client_id and (named is not None or (venue is not None and venue.echoes_client_id)):
        return False
    symbol = raw.get("symbol")
    if order.get("symbol") != asked.symbol or (venue is not None and symbol not in (None, asked.market_id)):
        return False
    side = str(raw.get("side", order.get("side"))).lower()
    return not asked.side or side == asked.side or side not in ("buy", "sell")


def code_of(reply: Reply) -> tuple[str, str]:
    """Return the code and the text that the venue itself put into the body; empty where there are none."""
    content = parsed(reply.body)
    if not isinstance(content, dict) or isinstance(content.get("code"), dict | list | bool):
        return "", ""
    code = content.get("code")
    return "" if code is None else str(code), str(content.get("msg") or content.get("message") or "")


def is_unknown_order(exchange_id: str, reply: Reply | None) -> bool:
    """True only where the venue itself says that it has no such order."""
    venue = codes.of(exchange_id)
    if reply is None or venue is None or reply.status >= 500:
        return False
    return code_of(reply)[0] in venue.unknown_order or _has_nothing(reply)


def _has_nothing(reply: Reply) -> bool:
    """True where MEXC's contracts answer well, and with nothing."""
    content = parsed(reply.body)
    return isinstance(content, dict) and content.get("success") is True and content.get("data") is None


def is_denied(exchange_id: str, error: BaseException, *, sent: Sent) -> bool:
    """True where a question failed since the key is wrong, revoked, or not for this address."""
    if sent.reply is None:
        return not sent.requests and _unsent(error) == Outcome.DENIED_ACCESS
    venue = codes.of(exchange_id)
    outcome = _generic(error, sent.reply) if venue is None else _coded(venue, sent.reply)
    return outcome == Outcome.DENIED_ACCESS


def parsed(body: str) -> object:
    """Return a body's JSON, or None."""
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def is_plausible_id(value: object) -> bool:
    return isinstance(value, str | int) and not isinstance(value, bool) and bool(_ID.fullmatch(str(value)))


def never_connected(error: BaseException) -> bool:
    """True where connecting (DNS, TCP or TLS) failed, so that not one byte of the request had left.

    Only what the error wraps is believed, not its `__context__`: that may be an earlier request's failure.
    """
    seen: set[int] = set()
    waiting: list[object] = [error]
    while waiting:
        link = waiting.pop()
        if not isinstance(link, BaseException) or id(link) in seen:
            continue
        seen.add(id(link))
        if isinstance(link, NewConnectionError | ConnectTimeoutError) or _in_handshake(link):
            return True
        waiting += [link.__cause__, getattr(link, "reason", None), *link.args]
    return False


def _in_handshake(error: BaseException) -> bool:
    trace = error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_name == "do_handshake":
            return True
        trace = trace.tb_next
    return False


def _unsent(error: BaseException) -> Outcome:
    """Classify what ccxt or our own budget raised before it sent anything."""
    if isinstance(error, ccxt.AuthenticationError):
        return Outcome.DENIED_ACCESS
    refusals = (ccxt.InvalidOrder, ccxt.InsufficientFunds, ccxt.BadRequest, ccxt.NotSupported)
    return Outcome.REJECTED if isinstance(error, refusals) else Outcome.NOT_SENT


def _coded(venue: codes.Codes, reply: Reply) -> Outcome:
    if reply.status in venue.busy_status:
        return Outcome.THROTTLED
    code, text = code_of(reply)
    if reply.status >= 500 or not code:
        return Outcome.AMBIGUOUS
    if code in codes.BINANCE_BY_TEXT and venue.echoes_client_id:
        return _by_text(text.lower())
    if code == "30018" and "market order" in text.lower():
        return Outcome.REJECTED  # with any other text it is the account that may not trade
    if code == "400":
        # MEXC's word for whatever it does not like about a request.
        refused = Outcome.REJECTED if "scale is invalid" in text else Outcome.AMBIGUOUS
        return Outcome.DENIED_ACCESS if "api key required" in text else refused
    # On Binance spot, -2021 and -2022 belong to cancel-replace; futures use them for an order that is refused.
    if code == "-2021" and "would immediately trigger" in text.lower():
        return Outcome.REJECTED
    proofs = (
        (Outcome.REJECTED, venue.rejected),
        (Outcome.DENIED_ACCESS, venue.denied),
        (Outcome.THROTTLED, venue.throttled),
        (Outcome.CLOCK, venue.clock),
        (Outcome.DUPLICATE_ID, venue.duplicate),
    )
    return next((outcome for outcome, listed in proofs if code in listed), Outcome.AMBIGUOUS)


def _by_text(text: str) -> Outcome:
    if "duplicate" in text:
        return Outcome.DUPLICATE_ID
    return Outcome.REJECTED if any(known in text for known in codes.BINANCE_REFUSALS) else Outcome.AMBIGUOUS


def _generic(error: BaseException, reply: Reply) -> Outcome:
    """Classify for a venue without a table: the class counts only beside a 4xx status and a body of JSON."""
    if not 400 <= reply.status < 500 or reply.status in (408, 409, 425, 429):
        return Outcome.AMBIGUOUS
    if not isinstance(parsed(reply.body), dict):
        return Outcome.AMBIGUOUS
    if isinstance(error, ccxt.DuplicateOrderId):
        return Outcome.DUPLICATE_ID
    if isinstance(error, ccxt.InsufficientFunds):
        return Outcome.REJECTED
    if isinstance(error, ccxt.AuthenticationError) and reply.status in (401, 403):
        return Outcome.DENIED_ACCESS
    return Outcome.AMBIGUOUS
