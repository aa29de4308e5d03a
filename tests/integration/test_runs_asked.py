"""Runs as they are asked for by command and looked at in the admin."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse

from tests.integration.test_runs import START_SWEEP, ask
from trading.models import BacktestRun, RunStatus

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("_case", "words", "said"),
    [
        ("nothing to vary", [], "--vary: name 1 to 4 parameters"),
        ("no parameter", ["--vary", "stop_size=1,2"], "--vary: 'stop_size' is no parameter"),
        ("no number", ["--vary", "stop_atr=1,2", "--min-trades", "few"], "--min-trades: 'few' is not a whole number"),
        ("absurd", ["--vary", "stop_atr=1,2", "--points", "1000000"], "--points: '1000000' is not a whole number"),
    ],
)
def test_the_command_refuses_a_study_that_cannot_be_made(_case: str, words: list[str], said: str) -> None:
    with pytest.raises(CommandError, match=said) as caught:
        call_command(*START_SWEEP, *words)

    assert caught.value.returncode == 2
    assert not BacktestRun.objects.exists()


def test_a_run_is_looked_at_and_canceled_in_the_admin(client: Client) -> None:
    client.force_login(User.objects.create_superuser("operator", password="long enough password"))
    run = ask()
    page = reverse("admin:trading_backtestrun_change", args=[run.pk])
    act = reverse("admin:trading_backtestrun_act", args=[run.pk, "cancel"])

    assert "Cancel" in client.get(page).content.decode()
    assert client.get(act).status_code == 405
    assert client.post(act).status_code == 302

    run.refresh_from_db()
    assert (run.status, run.error) == (RunStatus.CANCELED, "canceled by operator")
    assert client.get(reverse("admin:trading_backtestrun_changelist")).status_code == 200
