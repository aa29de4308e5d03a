"""Alerts by the API: one is acknowledged by a person, once."""

from __future__ import annotations

from django.http import Http404
from django.utils import timezone
from rest_framework.request import Request
from rest_framework.response import Response

from dashboard.api.base import ApiView
from dashboard.listings.alerts import as_json
from notifications.models import Alert
from notifications.services import alerts


class Acknowledge(ApiView):
    """POST notes that somebody has seen an alert; who saw it first stays written down."""

    needs = "notifications.change_alert"

    def post(self, request: Request, pk: int) -> Response:
        alerts.acknowledge(pk, by=request.user.get_username(), now=timezone.now())
        alert = Alert.objects.filter(pk=pk).first()
        if alert is None:
            raise Http404("there is no such alert")
        return Response(as_json(alert))
