"""How each of a person's own contacts hears of each kind of message, as a form: with a sound, without one, not at all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from django.contrib.auth.models import User
from django.db import transaction

from notifications import kinds
from notifications.kinds import Kind
from notifications.models import AlertRule, Contact, Preference, Voice

GROUPS: tuple[tuple[str, Mapping[str, Kind]], ...] = (
    ("What is watched", kinds.CONDITIONS),
    ("What happened", kinds.FACTS),
    ("News of trades", kinds.NEWS),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One kind of message: its field's name, how loud it is now, and how loud it is by default."""

    field: str
    text: str
    severity: str
    voice: str
    default: str
    threshold: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ContactSheet:
    contact: Contact
    groups: Sequence[tuple[str, Sequence[Line]]]


def sheets(user: User) -> list[ContactSheet]:
    """Return the user's own contacts, each with every kind; three queries."""
    contacts = Contact.objects.filter(user=user).prefetch_related("preferences").order_by("pk")
    rules = {rule.kind: rule for rule in AlertRule.objects.all()}
    return [ContactSheet(contact=contact, groups=_groups(contact, rules)) for contact in contacts]


def keep(user: User, asked: Mapping[str, str]) -> int:
    """Store what the form says about the user's own contacts, and return how many lines changed."""
    changed = 0
    with transaction.atomic():
        for sheet in sheets(user):
            for _, lines in sheet.groups:
                for line in lines:
                    wanted = asked.get(line.field, "")
                    if wanted in Voice.values and wanted != line.voice:
                        _store(sheet.contact, line, wanted)
                        changed += 1
    return changed


def _store(contact: Contact, line: Line, wanted: str) -> None:
    kind = line.field.partition(":")[2]
    if wanted == line.default:
        Preference.objects.filter(contact=contact, kind=kind).delete()
    else:
        Preference.objects.update_or_create(contact=contact, kind=kind, defaults={"voice": wanted})


def _groups(contact: Contact, rules: Mapping[str, AlertRule]) -> list[tuple[str, list[Line]]]:
    own = {each.kind: each.voice for each in contact.preferences.all()}
    return [
        (
            title,
            [
                Line(
                    field=f"{contact.pk}:{name}",
                    text=kind.text,
                    severity=str(kind.severity),
                    voice=own.get(name, str(kind.voice.value)),
                    default=str(kind.voice.value),
                    threshold=_threshold(kind, rules.get(name)),
                )
                for name, kind in members.items()
            ],
        )
        for title, members in GROUPS
    ]


def _threshold(kind: Kind, rule: AlertRule | None) -> str:
    if rule is not None and not rule.is_on:
        return "switched off for everybody"
    if kind.threshold is None:
        return ""
    value = rule.threshold if rule is not None and rule.threshold is not None else kind.threshold
    shown = f"{value:.2%}" if kind.unit.startswith("of ") else f"{value:g}"
    return f"{shown} {kind.unit}"
