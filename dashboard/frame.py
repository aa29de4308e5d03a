"""What stands around every page: navigation, banner, ages, and what the palette knows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone

from dashboard import figures, presenters
from dashboard.places import PLACES
from notifications.models import Alert
from trading import selectors


def page(
    request: HttpRequest, template: str, *, place: str, known: Mapping[str, Any] | None = None, **values: Any
) -> HttpResponse:
    """Return a page inside the frame; `place` is its entry of the navigation, `known` the context where it was read."""
    known = known or context()
    return render(request, template, {**known, **around(place), "now": timezone.now(), **values})


def around(place: str) -> dict[str, Any]:
    """Return the navigation with the reader's place in it; groups that nobody has filled are left out."""
    return {"places": [(group, members) for group, members in PLACES if members], "place": place}


def context() -> Mapping[str, Any]:
    """Return what the status panel and the palette need; a page may use it too."""
    bot, params, trades = selectors.bot(), selectors.params(), selectors.open_trades()
    shown = figures.figures(bot, selectors.day_opening(), params, selectors.record(), trades) if bot else []
    return {
        "bot": bot,
        "params": params,
        "open_trades": trades,
        "quote": figures.quote_of(params),
        "symbols": list(params.pairs),
        "banner": presenters.banner(bot, presenters.mode_of(settings.BROKER)),
        "figures": shown,
        "unseen": unseen(),
    }


def unseen() -> int:
    """Return how many alerts stand that nobody has acknowledged."""
    return Alert.objects.filter(cleared_at__isnull=True, acknowledged_at__isnull=True).count()
