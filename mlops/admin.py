"""The admin's pages of models: everything is read only, but promoting, retiring and rolling back, each with its reason."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.views.decorators.http import require_POST

from mlops import registry
from mlops.models import DriftReport, ModelStatus, ModelVersion, Sample, TrainingRun
from trading.admin_parameters import Acting
from trading.admin_readonly import ReadOnly

PROMOTE = "mlops.promote_model"


@admin.register(ModelVersion)
class ModelVersionAdmin(Acting):
    """Models with their figures; a champion is made, taken out or replaced by the one before it."""

    list_display = ("__str__", "status", "samples", "auc", "brier", "influence", "created_at", "reason")
    list_filter = ("kind", "status")
    ordering = ("-pk",)
    acts = {"promote": PROMOTE, "retire": PROMOTE, "roll-back": PROMOTE}

    @admin.display(description="AUC")
    def auc(self, version: ModelVersion) -> str:
        return _figure(version, "auc")

    @admin.display(description="Brier score")
    def brier(self, version: ModelVersion) -> str:
        return f"{_figure(version, 'brier')} against {_figure(version, 'brier_base')}"

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(require_POST(self.act_view))
        return [path("<int:pk>/act/<slug:act>/", view, name="mlops_modelversion_act"), *super().get_urls()]

    def act_view(self, request: HttpRequest, pk: int, act: str) -> HttpResponse:
        if act not in self.acts or not request.user.has_perm(self.acts[act]):
            raise PermissionDenied
        assert isinstance(request.user, User)
        version = get_object_or_404(ModelVersion, pk=pk)
        reason, by, now = request.POST.get("reason", "").strip()[:500], request.user.get_username(), timezone.now()
        try:
            if act == "promote":
                version = registry.promote(version, by=by, reason=reason, now=now)
            elif act == "retire":
                version = registry.retire(version, by=by, reason=reason, now=now)
            else:
                version = registry.roll_back(version.kind, by=by, reason=reason, now=now)
        except registry.ModelRefused as error:
            self.message_user(request, f"{error}.", messages.ERROR)
        else:
            self.message_user(request, f"The model {version} is {version.get_status_display()}.", messages.SUCCESS)
        return HttpResponseRedirect(reverse("admin:mlops_modelversion_change", args=[version.pk]))

    def offered(self, row: ModelVersion) -> list[dict[str, Any]]:
        asked = "Reason"
        if row.status == ModelStatus.CHAMPION:
            return [
                {"act": "retire", "label": "Retire: no opinion from now on", "reason": asked},
                {"act": "roll-back", "label": "Roll back to the champion before", "reason": asked},
            ]
        if row.status == ModelStatus.REFUSED or not row.path:
            return []
        return [{"act": "promote", "label": f"Make {row} the champion", "reason": asked}]


@admin.register(TrainingRun)
class TrainingRunAdmin(ReadOnly):
    list_display = ("requested_at", "kind", "requested_by_name", "status", "progress", "version", "error")
    list_filter = ("kind", "status")
    list_select_related = ("version",)
    ordering = ("-pk",)


@admin.register(DriftReport)
class DriftReportAdmin(ReadOnly):
    list_display = ("at", "version", "asked", "worst", "judged", "calibration", "accuracy", "alerts")
    list_select_related = ("version",)
    ordering = ("-pk",)


@admin.register(Sample)
class SampleAdmin(ReadOnly):
    list_display = ("bar_at", "symbol", "timeframe", "side", "source", "venue", "passed", "won", "r", "weight")
    list_filter = ("source", "venue", "won")
    ordering = ("-pk",)
    show_full_result_count = False


def _figure(version: ModelVersion, name: str) -> str:
    value = version.metrics.get(name)
    return "-" if value is None else f"{value:.4f}"
