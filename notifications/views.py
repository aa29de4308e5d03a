"""The webhook. It keeps what comes and answers at once; a worker handles it."""

from __future__ import annotations

import logging

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse, HttpResponseForbidden, HttpResponseNotAllowed, HttpResponseNotFound
from django.utils import timezone
from django.utils.crypto import constant_time_compare
from django.views.decorators.csrf import csrf_exempt
from kombu.exceptions import OperationalError

from notifications import tasks
from notifications.services import inbox

HEADER = "X-Telegram-Bot-Api-Secret-Token"
LARGEST = 64 * 1024
"""Bytes of a body that are looked at; Telegram's own are far smaller."""

logger = logging.getLogger(__name__)


@csrf_exempt
@login_not_required
def webhook(request: HttpRequest, path: str) -> HttpResponse:
    """Answer 200 to whoever knows path and secret, also to junk, which Telegram would else send again and again."""
    if not settings.TELEGRAM_TOKEN or not constant_time_compare(path, settings.TELEGRAM_PATH):
        return HttpResponseNotFound()
    if request.method != "POST":
        return HttpResponseNotAllowed(["POST"])
    if not constant_time_compare(request.headers.get(HEADER, ""), settings.TELEGRAM_SECRET):
        return HttpResponseForbidden()
    raw = request.read(LARGEST + 1)
    update_id = inbox.accept(raw, now=timezone.now()) if len(raw) <= LARGEST else None
    if update_id is not None:
        _hint(update_id)
    return HttpResponse()


def _hint(update_id: int) -> None:
    """Ask a worker to handle it now; without Redis the next sweep does."""
    try:
        tasks.receive.apply_async(kwargs={"update_id": update_id}, retry=False)
    except OperationalError as error:
        logger.warning("update %s waits for the next sweep, Redis does not answer: %s", update_id, error)
