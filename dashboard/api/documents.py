"""The API described for machines and for people: the schema, and two readers of it that load nothing from elsewhere."""

from __future__ import annotations

from typing import Any

from csp.decorators import csp_update
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe
from drf_spectacular.views import SpectacularAPIView
from rest_framework.authentication import SessionAuthentication
from rest_framework.permissions import IsAuthenticated

from dashboard.api.schema import COMPONENTS
from dashboard.tokens import TokenAuthentication

REDOC_STYLES = [
    "'sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU='",  # an empty one, which it fills by rules one by one
    "'sha256-QMIg+bpjm3JdElJ388KYke01izlUW0UoNOeKjpMxdgc='",  # its scroll bars
]
"""Hashes of the two style elements that ReDoc adds; any other stays forbidden."""


def complete(result: dict[str, Any], **kwargs: Any) -> dict[str, Any]:
    """Add what every operation points to."""
    return {**result, "components": {**result.get("components", {}), **COMPONENTS}}


class Schema(SpectacularAPIView):
    """The whole interface as OpenAPI 3; ?format=json for JSON, else YAML."""

    authentication_classes = (TokenAuthentication, SessionAuthentication)
    permission_classes = (IsAuthenticated,)


@require_safe
def swagger(request: HttpRequest) -> HttpResponse:
    """Show Swagger UI, in which requests can be tried with the reader's own session."""
    return render(request, "dashboard/api_swagger.html")


@csp_update({"style-src": REDOC_STYLES})
@require_safe
def redoc(request: HttpRequest) -> HttpResponse:
    return render(request, "dashboard/api_redoc.html")
