"""Lists of the administration: nothing is done to many rows at once, past the services and the audit."""

from __future__ import annotations

import pytest
from django.contrib import admin
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.db import models
from django.test import Client, RequestFactory
from django.urls import reverse

from dashboard.models import SessionRecord
from notifications.models import AlertRule
from tests import factories
from trading.models import AuditEntry

pytestmark = pytest.mark.django_db

MODELS = sorted(admin.site._registry, key=lambda model: model._meta.label)


@pytest.fixture
def _offered_everywhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """Offer an action to every list, as any package that is installed can."""

    @admin.action(description="Do it to all")
    def do_it(*_: object) -> None:
        raise AssertionError("an action was run")

    monkeypatch.setitem(admin.site._actions, "do_it", do_it)


@pytest.mark.usefixtures("_offered_everywhere")
@pytest.mark.parametrize("model", MODELS, ids=lambda model: model._meta.label)
def test_no_list_offers_to_act_on_many_rows_even_to_a_superuser(model: type[models.Model]) -> None:
    request = RequestFactory().get("/admin/")
    request.user = factories.user("root")

    assert admin.site._registry[model].get_actions(request) == {}


@pytest.mark.usefixtures("_offered_everywhere")
@pytest.mark.parametrize("act", ["do_it", "delete_selected"])
def test_an_action_that_is_asked_for_all_the_same_is_not_run(act: str) -> None:
    browser = Client()
    browser.force_login(factories.user("root"))
    kept = list(SessionRecord.objects.values_list("pk", flat=True))

    form = {"action": act, ACTION_CHECKBOX_NAME: kept, "post": "yes", "index": 0}
    browser.post(reverse("admin:dashboard_sessionrecord_changelist"), form)

    assert list(SessionRecord.objects.values_list("pk", flat=True)) == kept != []


def test_who_silences_an_alert_is_kept_in_the_audit() -> None:
    browser = Client()
    browser.force_login(factories.user("root"))
    form = {"kind": "disk", "threshold": "", "cool_down_s": "60", "escalation_minutes": ""}

    assert browser.post(reverse("admin:notifications_alertrule_add"), {**form, "is_on": "on"}).status_code == 302
    rule = AlertRule.objects.get()
    browser.post(reverse("admin:notifications_alertrule_change", args=[rule.pk]), form)
    browser.post(reverse("admin:notifications_alertrule_delete", args=[rule.pk]), {"post": "yes"})

    told = (
        AuditEntry.objects.filter(act="alert_rule").order_by("number").values_list("actor", "about", "details__is_on")
    )
    assert list(told) == [("root", "disk", True), ("root", "disk", False), ("root", "disk", False)]
    assert not AlertRule.objects.exists()
