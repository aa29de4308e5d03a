"""Codes of an authenticator (TOTP) and recovery codes: the second step of a log-in for whoever has set one up."""

from __future__ import annotations

import secrets
from base64 import b32encode
from collections.abc import Mapping
from typing import Any

import qrcode
from django.conf import settings
from django.contrib.auth.models import User
from django.contrib.auth.signals import user_logged_in
from django.contrib.sessions.backends.base import SessionBase
from django.db import transaction
from django.dispatch import receiver
from django.http import HttpRequest
from django.utils.crypto import salted_hmac
from django_otp import DEVICE_ID_SESSION_KEY, verify_token
from django_otp import login as otp_login
from django_otp.plugins.otp_static.models import StaticDevice, StaticToken
from django_otp.plugins.otp_totp.models import TOTPDevice

WAITING = "second_step"
"""In the session while the password was right and the code has not been asked for yet."""
CODES = 10
_LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"


def devices(user: User) -> list[TOTPDevice]:
    """Return the account's authenticators that were confirmed, oldest first."""
    return list(TOTPDevice.objects.filter(user=user, confirmed=True).order_by("pk"))


def has_device(user: User) -> bool:
    return bool(TOTPDevice.objects.filter(user=user, confirmed=True).exists())


def is_verified(request: HttpRequest) -> bool:
    """Return whether this session has passed a second step."""
    return bool(request.session.get(DEVICE_ID_SESSION_KEY)) and bool(request.user.is_verified())  # type: ignore[union-attr]


def is_waiting(session: SessionBase | Mapping[str, Any]) -> bool:
    return bool(session.get(WAITING))


def begin(user: User, *, name: str) -> TOTPDevice:
    """Make an authenticator that counts once its first code was typed; one that was begun before is dropped."""
    TOTPDevice.objects.filter(user=user, confirmed=False).delete()
    made: TOTPDevice = TOTPDevice.objects.create(user=user, name=name[:64] or "authenticator", confirmed=False)
    return made


def waiting_device(user: User) -> TOTPDevice | None:
    found: TOTPDevice | None = TOTPDevice.objects.filter(user=user, confirmed=False).order_by("-pk").first()
    return found


def confirm(request: HttpRequest, device: TOTPDevice, code: str) -> bool:
    """Take an authenticator into use with its first code, and let this session count as verified."""
    with transaction.atomic():
        locked = TOTPDevice.objects.select_for_update().get(pk=device.pk)
        if not locked.verify_token(code.replace(" ", "")):
            return False
        TOTPDevice.objects.filter(pk=device.pk).update(confirmed=True)
        locked.refresh_from_db()
    otp_login(request, locked)
    return True


def verify(request: HttpRequest, code: str) -> bool:
    """Check a code of any authenticator of the account, or use up a recovery code; each is taken once."""
    assert isinstance(request.user, User)
    typed = code.strip().lower().replace(" ", "")
    if typed.isascii() and typed.isdecimal():
        found: Any = devices(request.user)
        secret = typed
    else:
        found = StaticDevice.objects.filter(user=request.user, confirmed=True)
        secret = _hashed(request.user, typed)
    for device in found:
        # Each wrong code makes the next one wait longer.
        if taken := verify_token(request.user, device.persistent_id, secret):
            return _passed(request, taken)
    return False


def new_codes(user: User) -> list[str]:
    """Make recovery codes in place of those before, and return them; only their hashes are kept."""
    codes = ["-".join("".join(secrets.choice(_LETTERS) for _ in range(5)) for _ in range(2)) for _ in range(CODES)]
    with transaction.atomic():
        device, _ = StaticDevice.objects.get_or_create(user=user, name="recovery", defaults={"confirmed": True})
        device.token_set.all().delete()
        StaticToken.objects.bulk_create(StaticToken(device=device, token=_hashed(user, code)) for code in codes)
    return codes


def codes_left(user: User) -> int:
    return int(StaticToken.objects.filter(device__user=user).count())


def remove(user: User, pk: int) -> bool:
    """Take an authenticator out of use; with the last one go the recovery codes."""
    count, _ = TOTPDevice.objects.filter(user=user, pk=pk).delete()
    if not has_device(user):
        StaticDevice.objects.filter(user=user).delete()
    return bool(count)


def picture(device: TOTPDevice) -> dict[str, Any]:
    """Return the address of an authenticator as the path of a square picture, and its size in modules."""
    code = qrcode.QRCode(border=2)
    code.add_data(device.config_url)
    rows = code.get_matrix()
    path = "".join(f"M{x} {y}h1v1h-1z" for y, row in enumerate(rows) for x, dark in enumerate(row) if dark)
    return {"path": path, "size": len(rows)}


def typed_key(device: TOTPDevice) -> str:
    """Return the key for those who type it, in groups of four."""
    key = b32encode(device.bin_key).decode()
    return " ".join(key[start : start + 4] for start in range(0, len(key), 4))


def is_demanded(request: HttpRequest) -> bool:
    """Return whether this session lacks a second step that the settings demand of whoever administers."""
    return bool(settings.REQUIRE_TOTP) and not is_verified(request)


@receiver(user_logged_in)
def wait(sender: Any, request: HttpRequest, user: User, **kwargs: Any) -> None:
    if has_device(user) and not getattr(user, "otp_device", None):
        request.session[WAITING] = True


def _passed(request: HttpRequest, device: Any) -> bool:
    otp_login(request, device)
    request.session.pop(WAITING, None)
    return True


def _hashed(user: User, code: str) -> str:
    # 16 signs is what the column takes: 64 bits of a hash with our key, of a code that 49 random bits made.
    return salted_hmac("julaba.recovery", f"{user.pk}:{code}", algorithm="sha256").hexdigest()[:16]
