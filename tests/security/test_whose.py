"""Numbers that are guessed: whoever may do everything still reaches nothing that is somebody else's own."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone
from django_otp.plugins.otp_totp.models import TOTPDevice

from dashboard import tokens
from dashboard.models import ApiToken, Scope, SessionRecord
from mlops import chat
from tests import factories

pytestmark = pytest.mark.django_db


@pytest.fixture
def olga() -> User:
    return factories.user("olga")


@pytest.fixture
def root() -> Client:
    """Return who is logged in as somebody else, with every permission and a fresh proof."""
    browser = Client()
    browser.force_login(factories.user("root"))
    return browser


def test_nobody_ends_revokes_or_removes_what_is_somebody_elses(olga: User, root: Client) -> None:
    Client().force_login(olga)
    token, _ = tokens.issue(user=olga, name="mine", scope=Scope.READ, days=1, now=timezone.now())
    device = TOTPDevice.objects.create(user=olga, name="mine", confirmed=True)
    session = SessionRecord.objects.get(user=olga)
    paths = (f"tokens/{token.pk}/revoke", f"devices/{device.pk}/remove", f"sessions/{session.pk}/end")

    assert [root.post(f"/account/{path}/").status_code for path in paths] == [404, 404, 404]

    assert ApiToken.objects.get(pk=token.pk).revoked_at is None
    assert TOTPDevice.objects.filter(pk=device.pk).exists()
    assert SessionRecord.objects.filter(pk=session.pk).exists()


def test_nobody_reads_what_somebody_else_asked(olga: User, root: Client) -> None:
    asked = chat.ask("Why is nothing traded?", user=olga, now=timezone.now())
    own = Client()
    own.force_login(olga)
    paths = (f"/api/v1/chat/{asked.pk}", f"/explain/answers/{asked.pk}/")

    assert [own.get(path).status_code for path in paths] == [200, 200]
    assert [root.get(path).status_code for path in paths] == [404, 404]
