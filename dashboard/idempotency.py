"""A request with an idempotency key is worked on once: whoever repeats it gets the answer that the first one got."""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta

from django.db import IntegrityError, transaction
from rest_framework.request import Request
from rest_framework.response import Response

from dashboard import tokens
from dashboard.models import KeptAnswer
from dashboard.problems import Conflict, Unprocessable

HEADER = "Idempotency-Key"
KEPT = timedelta(hours=24)
LONGEST = 100


def claim(request: Request, *, now: datetime) -> KeptAnswer | None:
    """Return the row of a request with a key: new, to be worked on, or finished, to be answered from; None without a key."""
    key = request.headers.get(HEADER, "")
    if not key:
        return None
    if len(key) > LONGEST or not key.isascii() or not key.isprintable():
        raise Unprocessable(HEADER, f"has more than {LONGEST} characters or signs that cannot be printed: use a UUID")
    asked = hashlib.sha256(request.body).hexdigest()
    values = {"method": request.method, "path": request.get_full_path()[:300], "asked": asked}
    who = asker(request)
    try:
        with transaction.atomic():
            return KeptAnswer.objects.create(asker=who, key=key, at=now, **values)
    except IntegrityError:
        kept = KeptAnswer.objects.filter(asker=who, key=key).first()
    if kept is None:
        raise Conflict("A request with this key has just failed: repeat it.")
    if {name: getattr(kept, name) for name in values} != values:
        raise Unprocessable(HEADER, "was used for another request: take a new key for each")
    if kept.status is None:
        raise Conflict("A request with this key was begun and has no answer yet: look at what came of it.")
    return kept


def keep(kept: KeptAnswer, answer: Response) -> None:
    """Keep what was answered for whoever repeats the request; a failure of ours is no answer."""
    rows = KeptAnswer.objects.filter(pk=kept.pk, status__isnull=True)
    if answer.status_code >= 500:
        rows.delete()
        return
    body = answer.rendered_content
    rows.update(status=answer.status_code, kind=answer.headers.get("Content-Type", ""), body=body.decode())


def give_up(kept: KeptAnswer) -> None:
    """Forget a request that ended in an error nobody expected: all that it had changed was undone with it."""
    KeptAnswer.objects.filter(pk=kept.pk, status__isnull=True).delete()


def prune(*, now: datetime) -> int:
    count, _ = KeptAnswer.objects.filter(at__lt=now - KEPT).delete()
    return count


def asker(request: Request) -> str:
    """Return who asks, so that nobody's keys meet anybody else's."""
    token = tokens.of(request)
    return f"token:{token.pk}" if token else f"user:{request.user.pk}"
