"""The admin's pages of parameters: proposing, the gate's findings, overruling it, rolling back; and the runs behind them."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.db import models
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.html import format_html_join
from django.views.decorators.http import require_POST

from trading.admin_readonly import ReadOnly
from trading.forms import RevisionForm
from trading.models import UNFINISHED, BacktestRun, ParameterDraft, ParameterRevision
from trading.research.judgement import FIGURES, SUMMED
from trading.services import backtesting, gate, parameters
from trading.services.parameters import Outcome

PROPOSE, OVERRULE, CANCEL = "trading.add_parameterrevision", "trading.overrule_gate", "trading.change_backtestrun"
ONE_CLICK = "by one click in the administration"


class Acting(ReadOnly):
    """Rows to look at, with buttons: each posts to `<pk>/act/<act>/`, where `acts` names the permission it needs."""

    acts: dict[str, str] = {}
    change_form_template = "admin/trading/acting.html"

    def get_urls(self) -> list[URLPattern]:
        name = self.opts.model_name
        view = self.admin_site.admin_view(require_POST(self.act_view))
        return [path("<int:pk>/act/<slug:act>/", view, name=f"trading_{name}_act"), *super().get_urls()]

    def act_view(self, request: HttpRequest, pk: int, act: str) -> HttpResponse:
        if act not in self.acts or not request.user.has_perm(self.acts[act]):
            raise PermissionDenied
        assert isinstance(request.user, User)
        reason = request.POST.get("reason", "").strip()[:500]
        try:
            said = getattr(self, act.replace("-", "_"))(request, pk, reason, request.user)
        except (
            gate.GateRefused,
            backtesting.RunRefused,
            parameters.NothingToRollBack,
            parameters.RevisionConflict,
        ) as error:
            self.message_user(request, f"{error}.", messages.ERROR)
        else:
            self.message_user(request, said, messages.SUCCESS)
        return HttpResponseRedirect(reverse(f"admin:trading_{self.opts.model_name}_change", args=[pk]))

    def render_change_form(
        self,
        request: HttpRequest,
        context: dict[str, Any],
        add: bool = False,
        change: bool = False,
        form_url: str = "",
        obj: Any = None,
    ) -> HttpResponse:
        allowed = {act for act, needed in self.acts.items() if request.user.has_perm(needed)}
        shown = [act for act in self.offered(obj) if act["act"] in allowed] if obj else []
        context = {**context, **self.beside(obj), "acts": shown}
        return super().render_change_form(request, context, add, change, form_url, obj)

    def offered(self, row: Any) -> list[dict[str, Any]]:
        """Return the buttons of a row: the act, its label, and whether it asks for a reason."""
        return []

    def beside(self, row: Any) -> dict[str, Any]:
        """Return what the page shows under the row's own fields."""
        return {}


class ParameterRevisionAdmin(Acting):
    """The history of the parameters; "add" proposes a change and needs a reason."""

    list_display = ("number", "created_at", "author_name", "gate", "what_changed", "reason")
    list_display_links = ("number",)
    list_filter = ("gate",)
    search_fields = ("reason", "author_name")
    ordering = ("-number",)
    fields = ("number", "created_at", "author_name", "gate", "reason", "what_changed", "values")
    acts = {"roll-back": PROPOSE}

    @admin.display(description="changed")
    def what_changed(self, revision: ParameterRevision) -> str:
        return _changes(revision.changes)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm(PROPOSE)

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        if not self.has_add_permission(request):
            raise PermissionDenied
        now = timezone.now()
        if request.method == "POST":
            form = RevisionForm(request.POST)
            if form.is_valid() and (response := self._propose(request, form)):
                return response
        else:
            revision = parameters.current(now=now)
            params = parameters.params_of(revision)
            form = RevisionForm(initial={**params.as_json(), "expected_number": revision.number})
        context = {
            **self.admin_site.each_context(request),
            "title": "Change parameters",
            "opts": self.opts,
            "form": form,
            "in_force": parameters.current(now=now),
        }
        return TemplateResponse(request, "admin/trading/parameterrevision/edit.html", context)

    def roll_back(self, request: HttpRequest, pk: int, reason: str, user: User) -> str:
        now = timezone.now()
        made = parameters.roll_back(
            number=ParameterRevision.objects.values_list("number", flat=True).get(pk=pk),
            reason=reason or ONE_CLICK,
            author=user,
            expected_number=parameters.current(now=now).number,
            now=now,
        )
        return f"Revision {made.number} is in force from the next tick on. {made.reason}."

    def offered(self, row: ParameterRevision) -> list[dict[str, Any]]:
        if row.number == parameters.current(now=timezone.now()).number:
            return []
        return [{"act": "roll-back", "label": f"Roll back to revision {row.number}", "reason": "Reason (optional)"}]

    def beside(self, row: ParameterRevision | None) -> dict[str, Any]:
        draft = ParameterDraft.objects.filter(revision=row).first() if row else None
        return _comparison(draft)

    def _propose(self, request: HttpRequest, form: RevisionForm) -> HttpResponse | None:
        assert isinstance(request.user, User)
        try:
            made = parameters.propose(
                values=form.values(),
                reason=form.cleaned_data["reason"],
                author=request.user,
                expected_number=form.cleaned_data["expected_number"],
                now=timezone.now(),
            )
        except parameters.RevisionConflict as conflict:
            form.add_error(None, str(conflict))
            return None
        if made.outcome is Outcome.UNCHANGED:
            form.add_error(None, made.text)
            return None
        self.message_user(request, made.text, messages.SUCCESS)
        if made.draft:
            return HttpResponseRedirect(reverse("admin:trading_parameterdraft_change", args=[made.draft.pk]))
        return HttpResponseRedirect(reverse("admin:trading_parameterrevision_changelist"))


class ParameterDraftAdmin(Acting):
    """Proposed parameters, what the gate found, and the decision where it needs a person."""

    list_display = ("pk", "created_at", "author_name", "status", "what_changed", "finding", "revision")
    list_filter = ("status",)
    list_select_related = ("revision",)
    ordering = ("-pk",)
    fields = (
        *("status", "created_at", "author_name", "reason", "what_changed", "finding"),
        *("settled_at", "settled_by", "overrule_reason", "revision"),
    )
    acts = {"overrule": OVERRULE, "discard": PROPOSE}

    @admin.display(description="changes")
    def what_changed(self, draft: ParameterDraft) -> str:
        return _changes(draft.changes)

    def overrule(self, request: HttpRequest, pk: int, reason: str, user: User) -> str:
        made = gate.overrule(pk, reason=reason, author=user, now=timezone.now())
        return f"Revision {made.number} is in force from the next tick on; it says that you overruled the gate."

    def discard(self, request: HttpRequest, pk: int, reason: str, user: User) -> str:
        gate.discard(pk, by=user.get_username(), now=timezone.now())
        return f"Draft {pk} was discarded."

    def offered(self, row: ParameterDraft) -> list[dict[str, Any]]:
        if row.status not in gate.OPEN:
            return []
        return [
            {"act": "overrule", "label": "Overrule the gate and put it in force", "reason": "Why you overrule it"},
            {"act": "discard", "label": "Discard", "reason": ""},
        ]

    def beside(self, row: ParameterDraft | None) -> dict[str, Any]:
        return _comparison(row)


class BacktestRunAdmin(Acting):
    """Runs of research, newest first."""

    list_display = (
        *("pk", "requested_at", "requested_by_name", "kind", "status", "progress"),
        *("timeframe", "attempts", "note", "error"),
    )
    list_filter = ("status", "kind")
    ordering = ("-pk",)
    fields = (
        *("kind", "status", "progress", "attempts", "requested_at", "requested_by_name", "started_at", "finished_at"),
        *("symbols", "timeframe", "start_at", "end_at", "exchange", "seed", "note", "error", "lines"),
        *("data_hash", "code_version", "parameters"),
    )
    acts = {"cancel": CANCEL}

    def get_queryset(self, request: HttpRequest) -> models.QuerySet[BacktestRun]:
        return super().get_queryset(request).defer("result")

    @admin.display(description="log")
    def lines(self, run: BacktestRun) -> str:
        return format_html_join("\n", "<div>{} {}</div>", ((line["at"], line["text"]) for line in run.log)) or "—"

    def cancel(self, request: HttpRequest, pk: int, reason: str, user: User) -> str:
        backtesting.cancel(pk, by=user.get_username(), now=timezone.now())
        return f"Run {pk} was canceled."

    def offered(self, row: BacktestRun) -> list[dict[str, Any]]:
        return [{"act": "cancel", "label": "Cancel", "reason": ""}] if row.status in UNFINISHED else []


def _comparison(draft: ParameterDraft | None) -> dict[str, Any]:
    """Return both sides' figures as rows, with the verdicts of the rules that look at them."""
    found = draft.comparison if draft else None
    if draft is None or not found:
        return {"draft": draft, "rows": []}
    verdicts = {finding["name"]: finding for finding in found["findings"]}
    rows = [
        {
            "name": name.replace("_fraction", "").replace("_", " "),
            "active": _figure(found["active"].get(name)),
            "candidate": _figure(found["candidate"].get(name)),
            "verdict": verdicts.get(name),
        }
        for name in (*SUMMED, *FIGURES)
    ]
    parts = verdicts["parts"]
    rows.append(
        {
            "name": "parts in which it keeps up",
            "active": parts["active"],
            "candidate": parts["candidate"],
            "verdict": parts,
        }
    )
    return {"draft": draft, "rows": rows, "found": found}


def _changes(changes: list[dict[str, Any]]) -> str:
    rows = ((change["name"], _shown(change["old"]), _shown(change["new"])) for change in changes)
    return format_html_join("\n", "<div>{}: {} → {}</div>", rows) or "—"


def _figure(value: object) -> str:
    if value is None:
        return "—"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _shown(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
