"""Keys of exchanges, encrypted at rest; a process without CREDENTIALS_KEYS can neither store nor read any.

CredentialsUnavailable      there is nothing that may be used
    WrongEnvironment        there is, for the other of paper money and real money
KeyRefused                  what should be stored cannot be a key
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings
from django.db import IntegrityError, transaction
from django.views.decorators.debug import sensitive_variables

from trading import events
from trading.core import redaction
from trading.models.credentials import Environment, ExchangeKey
from trading.services import audit

SHORTEST = 8
"""The last four characters are shown: a shorter key would be half public."""


class CredentialsUnavailable(Exception):
    """No credentials may be used; the text says why and what to do."""


class WrongEnvironment(CredentialsUnavailable):
    """A sandbox key was about to be used for real money, or a live key for anything else."""


class KeyRefused(ValueError):
    """What was given cannot be an exchange's key; the text says which part and never repeats it."""


@dataclass(frozen=True, slots=True, repr=False)
class Credentials:
    """What an exchange asks for; `password` is empty where it asks for none."""

    key: str
    secret: str
    password: str = ""

    def __repr__(self) -> str:
        return "Credentials(hidden)"

    def scrub(self, text: str) -> str:
        """Return `text` without any of its own values: vendors repeat requests in their errors."""
        # The longest first: one may be a part of another.
        for value in sorted(filter(None, (self.key, self.secret, self.password)), key=len, reverse=True):
            text = text.replace(value, "[hidden]")
        return text


@sensitive_variables("credentials", "sealed", "ring")
def store(
    *,
    exchange: str,
    environment: str,
    credentials: Credentials,
    by: str,
    now: datetime,
    label: str = "",
    attestation: str = "",
) -> ExchangeKey:
    """Seal a key and make it the active one; the one before it is retired and its secret forgotten.

    Raises KeyRefused where another key was stored at the same moment, too: one of the two is the active one.
    """
    _refuse_impossible(exchange, environment, credentials, by)
    redaction.remember((credentials.key, credentials.secret, credentials.password))
    ring = _ring()
    sealed = _seal(ring, exchange, environment, credentials)
    row = ExchangeKey(
        exchange=exchange,
        environment=environment,
        label=label,
        hint=credentials.key[-4:],
        sealed=sealed,
        key_id=_id_of(_keys()[0]),
        attestation=attestation.strip(),
        created_at=now,
        created_by=by,
    )
    try:
        with transaction.atomic():
            _retire(exchange, environment)
            row.save(force_insert=True)
            _tell("key_stored", row, f"{by} stored the {row}", by=by, now=now)
    except IntegrityError:
        raise KeyRefused(
            f"another {environment} key of {exchange} was stored at the same moment: "
            "look which with manage.py exchange_key list, and store yours again if it shall be used"
        ) from None
    return row


def active_key(*, exchange: str, environment: str) -> ExchangeKey | None:
    """Return the row in use; no encryption key is needed for looking, and what is sealed is read by who opens it alone."""
    rows = ExchangeKey.objects.filter(exchange=exchange, environment=environment, is_active=True)
    return rows.defer("sealed").first()


@sensitive_variables("opened")
def load(*, exchange: str, environment: str) -> Credentials:
    """Return the active credentials.

    With TRADING_MODE=live only live keys are read, in any other mode only sandbox keys: a process that trades
    paper money has no way to an account with real money. What is sealed names its exchange and environment, so
    a row whose tag was changed behind our back is refused too. Raises CredentialsUnavailable.
    """
    _refuse_other_mode(environment)
    row = active_key(exchange=exchange, environment=environment)
    if row is None:
        raise CredentialsUnavailable(
            f"no {environment} key of {exchange} is stored: "
            f"add one with manage.py exchange_key add {exchange} --environment {environment}"
        )
    opened = _open(_ring(), row)
    if (opened["exchange"], opened["environment"]) != (exchange, environment):
        raise WrongEnvironment(
            f"the {row} was sealed for {opened['exchange']} {opened['environment']} and its row says otherwise: "
            f"add the right key with manage.py exchange_key add {exchange} --environment {environment}"
        )
    found = Credentials(opened["key"], opened["secret"], opened["password"])
    # From here on no line of this process's log can hold them.
    redaction.remember((found.key, found.secret, found.password))
    return found


@sensitive_variables("ring", "sealed")
def rotate(*, by: str, now: datetime) -> int:
    """Seal every stored key anew with the newest encryption key and return how many; all of them or none."""
    ring, newest = _ring(), _id_of(_keys()[0])
    with transaction.atomic():
        rows = list(ExchangeKey.objects.exclude(sealed="").order_by("pk"))
        for row in rows:
            _open(ring, row)
            sealed = ring.rotate(row.sealed).decode("ascii")
            # A key that was retired meanwhile stays forgotten.
            ExchangeKey.objects.filter(pk=row.pk, sealed=row.sealed).update(sealed=sealed, key_id=newest)
        events.emit(
            "keys_rotated",
            at=now,
            text=f"{by} sealed {len(rows)} exchange keys anew",
            payload={"key_id": newest, "count": len(rows)},
        )
        text = f"Sealed {len(rows)} exchange keys anew"
        audit.record("keys_rotated", actor=by, at=now, text=text, details={"key_id": newest})
    return len(rows)


def revoke(*, exchange: str, environment: str, by: str, now: datetime) -> bool:
    """Retire the active key and forget its secret; False where there was none."""
    with transaction.atomic():
        row = active_key(exchange=exchange, environment=environment)
        if row is None or not _retire(exchange, environment):
            return False
        _tell("key_revoked", row, f"{by} revoked the {row}", by=by, now=now)
    return True


def _retire(exchange: str, environment: str) -> int:
    rows = ExchangeKey.objects.filter(exchange=exchange, environment=environment, is_active=True)
    return rows.update(is_active=False, sealed="")


def _tell(kind: str, row: ExchangeKey, text: str, *, by: str, now: datetime) -> None:
    payload = {"key": row.pk, "exchange": row.exchange, "environment": row.environment, "hint": row.hint}
    events.emit(kind, at=now, text=text, payload=payload)
    audit.record(kind, actor=by, at=now, about=str(row), text=text, details=payload)


def _refuse_other_mode(environment: str) -> None:
    mode = getattr(settings, "TRADING_MODE", "paper")
    if (mode == "live") != (environment == Environment.LIVE):
        raise WrongEnvironment(
            f"{environment} keys are not read while TRADING_MODE is {mode}: "
            "live keys need TRADING_MODE=live, sandbox keys any other"
        )


@sensitive_variables("credentials", "value")
def _refuse_impossible(exchange: str, environment: str, credentials: Credentials, by: str) -> None:
    if not re.fullmatch(r"[a-z0-9_]{2,30}", exchange):
        raise KeyRefused(f"{exchange!r} is no exchange: name it as ccxt does, in small letters, such as binance")
    if environment not in Environment.values:
        raise KeyRefused(f"{environment!r} is neither live nor sandbox: say which of them the key is for")
    if not by.strip():
        raise KeyRefused("nobody is named as the one who stores the key: say who it is")
    for name, value in (("key", credentials.key), ("secret", credentials.secret)):
        if len(value) < SHORTEST:
            raise KeyRefused(f"the {name} has fewer than {SHORTEST} characters: copy the whole of it")
    for name, value in (("key", credentials.key), ("secret", credentials.secret), ("password", credentials.password)):
        if value != value.strip() or "\0" in value:
            raise KeyRefused(f"the {name} begins or ends with a blank or holds a zero byte: copy it again")


@sensitive_variables()
def _seal(ring: MultiFernet, exchange: str, environment: str, credentials: Credentials) -> str:
    content = {
        "key": credentials.key,
        "secret": credentials.secret,
        "password": credentials.password,
        "exchange": exchange,
        "environment": environment,
    }
    return ring.encrypt(json.dumps(content).encode()).decode("ascii")


@sensitive_variables()
def _open(ring: MultiFernet, row: ExchangeKey) -> dict[str, str]:
    if row.key_id not in {_id_of(key) for key in _keys()}:
        raise CredentialsUnavailable(
            f"the {row} was sealed with encryption key {row.key_id}, which is not in CREDENTIALS_KEYS: "
            "put it back there, or store the exchange's key anew"
        )
    try:
        opened: dict[str, str] = json.loads(ring.decrypt(row.sealed))
    except InvalidToken:
        raise CredentialsUnavailable(f"the {row} cannot be decrypted, its row was damaged: store it anew") from None
    return opened


def _keys() -> Sequence[str]:
    keys: Sequence[str] = getattr(settings, "CREDENTIALS_KEYS", [])
    return keys


@sensitive_variables()
def _ring() -> MultiFernet:
    if not _keys():
        raise CredentialsUnavailable(
            "this process has no CREDENTIALS_KEYS and cannot decrypt: do this in a trading process or with manage.py"
        )
    try:
        return MultiFernet([Fernet(key) for key in _keys()])
    except ValueError:
        raise CredentialsUnavailable(
            "CREDENTIALS_KEYS holds something that is not a Fernet key (32 bytes as urlsafe base64): correct it"
        ) from None


def _id_of(key: str) -> str:
    # The key is 32 random bytes: sixteen digits of its hash tell keys apart and tell nothing else.
    return hashlib.sha256(key.encode()).hexdigest()[:16]
