"""Who somebody on Telegram is here, and what they may do."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from django.contrib.auth.models import User

from notifications.models import Contact, Role

RANKS = (Role.VIEWER, Role.TRADER, Role.RISK, Role.ADMIN)
"""From the least to the most."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """A known contact with the role that the account has now."""

    contact: Contact
    role: Role

    @property
    def name(self) -> str:
        """Return how the history names who did it."""
        return f"{self.contact.user.get_username()} by Telegram"

    def may(self, role: Role) -> bool:
        return RANKS.index(self.role) >= RANKS.index(role)


def find(*, sender_id: int, chat_id: int) -> Caller | None:
    """Return the caller; None for strangers, for disabled accounts and for those without a role."""
    found = Contact.objects.select_related("user").filter(telegram_user_id=sender_id, chat_id=chat_id).first()
    if found is None or not found.user.is_active:
        return None
    role = role_of(found.user)
    return Caller(contact=found, role=role) if role is not None else None


def role_of(user: User) -> Role | None:
    """Return the highest role among the account's groups; a superuser is an admin."""
    if user.is_superuser:
        return Role.ADMIN
    names = set(user.groups.values_list("name", flat=True))
    return next((role for role in reversed(RANKS) if role.value in names), None)


def receivers(whom: Callable[[User], bool] | None = None) -> list[Contact]:
    """Return whom messages are pushed to: active accounts with a role (of those that `whom` names), one contact for each chat."""
    rows = Contact.objects.filter(receives=True, user__is_active=True).select_related("user").order_by("pk")
    chats: dict[int, Contact] = {}
    for contact in rows.prefetch_related("preferences"):
        if role_of(contact.user) is not None and (whom is None or whom(contact.user)):
            chats.setdefault(contact.chat_id, contact)
    return list(chats.values())
