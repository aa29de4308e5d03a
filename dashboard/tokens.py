"""Tokens of the API: made at random, shown once, known by their hash alone, each with a scope, an end and a limit."""

from __future__ import annotations

import hashlib
import secrets
from base64 import b64decode
from datetime import datetime, timedelta
from functools import cache

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.views.decorators.debug import sensitive_variables
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed, Throttled
from rest_framework.request import Request

from dashboard import limits
from dashboard.listings.prepared import Statement
from dashboard.models import ApiToken, Scope
from trading.services import audit

MARK, LONGEST_BASIC = "jlb_", 500
LONGEST = timedelta(days=90)
MOST = 20
"""Good tokens that one account may have at once."""
NOTE_EVERY = timedelta(minutes=1)
RANKS = (Scope.READ, Scope.TRADE, Scope.ADMIN)


class TokenRefused(ValueError):
    """A token that cannot be made: `field` is what to correct, the text says how."""

    def __init__(self, field: str, cause: str) -> None:
        super().__init__(cause)
        self.field = field


@sensitive_variables("value")
def issue(
    *, user: User, name: str, scope: str, days: int, now: datetime, per_minute: int = 600
) -> tuple[ApiToken, str]:
    """Make a token and return it with its value, which nobody can read again."""
    if not name.strip() or len(name) > 60:
        raise TokenRefused("name", "is missing or longer than 60 characters: say what the token is for")
    if scope not in Scope.values:
        raise TokenRefused("scope", f"is none of {', '.join(Scope.values)}")
    if not 1 <= days <= LONGEST.days:
        raise TokenRefused("days", f"is no number of days from 1 to {LONGEST.days}")
    if not 1 <= per_minute <= 6000:
        raise TokenRefused("per_minute", "is no number of requests from 1 to 6000")
    value = MARK + secrets.token_urlsafe(32)
    with transaction.atomic():
        if good(user, now=now).count() >= MOST:
            raise TokenRefused("name", f"cannot be used: you have {MOST} tokens already, revoke one first")
        token = ApiToken.objects.create(
            user=user,
            name=name.strip(),
            scope=scope,
            prefix=value[:10],
            digest=_digest(value),
            per_minute=per_minute,
            created_at=now,
            expires_at=now + timedelta(days=days),
        )
        audit.record(
            "token_made",
            actor=user.get_username(),
            at=now,
            about=str(token),
            text=f"Made a token that may {scope} for {days} days",
            details={"token": token.pk, "scope": scope},
        )
    return token, value


def good(user: User, *, now: datetime) -> QuerySet[ApiToken]:
    """Return the account's tokens that open something."""
    return ApiToken.objects.filter(user=user, revoked_at__isnull=True, expires_at__gt=now)


def revoke(pk: int, *, user: User, now: datetime) -> bool:
    """Revoke one of the account's own tokens; False where there is no such one, or it is revoked."""
    with transaction.atomic():
        rows = ApiToken.objects.filter(pk=pk, user=user, revoked_at__isnull=True)
        if not rows.update(revoked_at=now):
            return False
        token = ApiToken.objects.get(pk=pk)
        audit.record("token_revoked", actor=user.get_username(), at=now, about=str(token), text="Revoked a token")
    return True


def may(token: ApiToken, needed: Scope) -> bool:
    """Return whether the token's scope includes another one."""
    return RANKS.index(Scope(token.scope)) >= RANKS.index(needed)


class TokenAuthentication(BaseAuthentication):
    """Authorization: Bearer jlb_..., in the header alone: an address ends up in logs.

    A client that knows nothing but Basic, such as freqtrade's, gives the token as its password.
    """

    def authenticate(self, request: Request) -> tuple[User, ApiToken] | None:
        value = _given(request.headers.get("Authorization", ""))
        if value is None:
            return None
        now = timezone.now()
        token = _find(value)
        if token is None or not token.is_good(now=now) or not token.user.is_active:
            raise AuthenticationFailed("The token is unknown, revoked or over: make another one on the page Security.")
        if not limits.take(f"token:{token.pk}", limit=token.per_minute, now=now):
            raise Throttled(
                wait=limits.seconds_left(now=now), detail=f"This token may ask {token.per_minute} times a minute."
            )
        _note(token, now)
        return token.user, token

    def authenticate_header(self, request: Request) -> str:
        return 'Bearer realm="julaba"'


def of(request: HttpRequest | Request) -> ApiToken | None:
    """Return the token that a request of the API came with; None where it came with a session."""
    found = getattr(request, "auth", None)
    return found if isinstance(found, ApiToken) else None


@sensitive_variables()
def _given(header: str) -> str | None:
    """Return the token of a header; None where it holds something else, such as what a proxy asked for."""
    kind, _, value = header.partition(" ")
    if kind.lower() == "bearer":
        return value.strip()
    if kind.lower() != "basic" or len(value) > LONGEST_BASIC:
        return None
    try:
        password = b64decode(value.strip(), validate=True).decode().partition(":")[2]
    except ValueError:
        return None
    return password if password.startswith(MARK) else None


@sensitive_variables("value")
def _find(value: str) -> ApiToken | None:
    if not value.startswith(MARK) or len(value) > 100:
        return None
    statement = _by_digest()
    found = statement.objects(statement.fetch({"": _digest(value)}))
    return found[0] if found else None


@cache
def _by_digest() -> Statement[ApiToken]:
    """Return the question that every request asks; the empty text stands for the digest."""
    return Statement(ApiToken.objects.select_related("user").filter(digest=""))


def _note(token: ApiToken, now: datetime) -> None:
    """Write down that it was used, once a minute."""
    old = Q(last_used_at__isnull=True) | Q(last_used_at__lte=now - NOTE_EVERY)
    if token.last_used_at is None or now - token.last_used_at >= NOTE_EVERY:
        ApiToken.objects.filter(old, pk=token.pk).update(last_used_at=now)


def _digest(value: str) -> str:
    return hashlib.sha256(value.encode()).hexdigest()
