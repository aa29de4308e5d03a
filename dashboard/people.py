"""Accounts and their roles, as the page of the users changes them: made, given a role, closed and opened again."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.contrib.auth.models import Group, User
from django.core.exceptions import ValidationError
from django.db.models import Count, Q
from django.utils import timezone

from dashboard import sessions
from dashboard.models import ApiToken, SessionRecord
from trading.services import audit

VIEW, CHANGE, ADD = "auth.view_user", "auth.change_user", "auth.add_user"
MOST = 200
ROLES = {
    "viewer": "may look",
    "trader": "may halt, close, note and test",
    "risk": "may change parameters and models",
    "admin": "may manage people too",
}
"""By name; the permissions of each stand in the migrations."""


class Refused(ValueError):
    """A change that was not made; the text says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """One account with its ways in; `is_fixed` where whoever asks may not change it."""

    user: User
    role: str
    sessions: int
    tokens: int
    devices: int
    is_fixed: bool


def known(asker: User) -> Sequence[Person]:
    """Return the accounts, those that are open first."""
    live = Q(totpdevice__confirmed=True)
    rows = User.objects.annotate(devices=Count("totpdevice", filter=live)).prefetch_related("groups")
    found = list(rows.order_by("-is_active", "username")[:MOST])
    # Counted apart: joined, each count would multiply the others.
    begun = dict(SessionRecord.objects.values_list("user").annotate(count=Count("pk")))
    good = ApiToken.objects.filter(revoked_at__isnull=True, expires_at__gt=timezone.now())
    held = dict(good.values_list("user").annotate(count=Count("pk")))
    return [
        Person(
            user=user,
            role=_role(user),
            sessions=begun.get(user.pk, 0),
            tokens=held.get(user.pk, 0),
            devices=user.devices,
            is_fixed=not _may_change(asker, user),
        )
        for user in found
    ]


def make(*, name: str, role: str, by: User, now: datetime) -> tuple[User, str]:
    """Make an account and return it with its password, which is kept nowhere. Raises Refused."""
    group = _group(role)
    try:
        User.username_validator(name)
    except ValidationError as error:
        raise Refused("the name has other signs than letters, digits and @ . + - _") from error
    if len(name) > 150 or User.objects.filter(username__iexact=name).exists():
        raise Refused(f"the name {name[:40]} is taken or too long: choose another")
    password = secrets.token_urlsafe(12)
    user = User.objects.create_user(name, password=password)
    user.groups.set([group])
    _tell(by, user, now, "Made an account", role=role)
    return user, password


def set_role(user: User, *, role: str, by: User, now: datetime) -> None:
    """Give an account this role alone; its sessions end, so that what is on its screens is true. Raises Refused."""
    _check(by, user)
    group, before = _group(role), _role(user)
    user.groups.set([group])
    sessions.end(SessionRecord.objects.filter(user=user))
    _tell(by, user, now, f"Gave the role {role}", role=role, before=before)


def set_active(user: User, *, is_active: bool, by: User, now: datetime) -> None:
    """Close an account, which ends its sessions and its tokens' use, or open it again. Raises Refused."""
    _check(by, user)
    User.objects.filter(pk=user.pk).update(is_active=is_active)
    if not is_active:
        sessions.end(SessionRecord.objects.filter(user=user))
    _tell(by, user, now, "Opened an account again" if is_active else "Closed an account")


def _check(by: User, user: User) -> None:
    if by.pk == user.pk:
        raise Refused("your own account is changed by somebody else, so that nobody locks everybody out")
    if not _may_change(by, user):
        raise Refused("only somebody who may do everything changes an account that may")


def _may_change(by: User, user: User) -> bool:
    return by.pk != user.pk and by.has_perm(CHANGE) and (by.is_superuser or not user.is_superuser)


def _role(user: User) -> str:
    if user.is_superuser:
        return "everything"
    return ", ".join(sorted(group.name for group in user.groups.all()))


def _group(role: str) -> Group:
    group = Group.objects.filter(name=role).first() if role in ROLES else None
    if group is None:
        raise Refused(f"{role[:40]!r} is none of the roles {', '.join(ROLES)}")
    return group


def _tell(by: User, user: User, now: datetime, text: str, **details: str) -> None:
    audit.record(
        "account", actor=by.get_username(), at=now, about=user.get_username(), text=text, details=dict(details)
    )
