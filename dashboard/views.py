"""Pages of the dashboard."""

from __future__ import annotations

from django.contrib.auth.views import PasswordChangeView
from django.contrib.messages.views import SuccessMessageMixin
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse_lazy
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from dashboard import overview as page


@never_cache
@require_safe
def overview(request: HttpRequest) -> HttpResponse:
    now = timezone.now()
    return render(request, "dashboard/overview.html", {**page.context(now), "now": now})


class Password(SuccessMessageMixin, PasswordChangeView):  # type: ignore[type-arg]
    template_name = "dashboard/password.html"
    success_url = reverse_lazy("overview")
    success_message = "Your password was changed."
