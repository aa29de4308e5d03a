"""Scans, the watch list, the blacklist and locks by the API."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Any, ClassVar

from django.contrib.auth.models import User
from django.db import transaction
from django.http import Http404
from django.utils import timezone
from rest_framework.request import Request
from rest_framework.response import Response

from dashboard import pair_form
from dashboard.api.base import ApiView, problem
from dashboard.api.bodies import BodyParser
from dashboard.api.lists import ListView
from dashboard.listings import pairs as listings
from dashboard.problems import Unprocessable
from trading import selectors
from trading.models import Scan
from trading.services.pair_locks import PairRefused

BY_API = "asked by the API"


class ScanView(ApiView):
    """One scan with every row, ranked, and the correlations of the best."""

    def get(self, request: Request, pk: int) -> Response:
        scan = Scan.objects.exclude(finished_at=None).filter(pk=pk).first()
        if scan is None:
            raise Http404("there is no such scan")
        rows = [listings.row_as_json(row) for row in scan.rows.order_by("rank")]
        return Response({**listings.scan_as_json(scan), "correlations": scan.correlations, "rows": rows})


class LockParser(BodyParser):
    """Understands a lock as freqtrade's clients send it, too: in a list, with `pair` and the moment `until`."""

    def parse(self, *args: Any, **kwargs: Any) -> Any:
        found = super().parse(*args, **kwargs)
        if not isinstance(found, list):
            return found
        if len(found) != 1 or not isinstance(found[0], dict):
            raise Unprocessable("body", "is no list of one lock: send one at a time")
        asked = found[0]
        if asked.get("side") not in (None, "", "*"):
            raise Unprocessable("side", "is one of two: a lock holds both, leave it out")
        reason = asked.get("reason") or BY_API
        return {"symbol": asked.get("pair"), "minutes": _minutes(asked.get("until")), "reason": reason}


def _minutes(until: Any) -> int:
    """Return how many whole minutes there are up to a moment, such as 2024-03-30 16:00:00Z."""
    try:
        moment = datetime.fromisoformat(until)
    except (TypeError, ValueError):
        raise Unprocessable("until", "is no moment: write it like 2024-03-30 16:00:00Z") from None
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return max(0, math.ceil((aware - timezone.now()) / timedelta(minutes=1)))


def _banned(asked: Any) -> list[dict[str, Any]]:
    reason = asked.get("reason") or BY_API
    return [{"symbol": symbol, "reason": reason} for symbol in asked["blacklist"]]


class _Asks(ApiView):
    needs = pair_form.PERMISSION

    def _do(self, act: str, request: Request, *, status: int, asked: Any = None) -> Response:
        assert isinstance(request.user, User)
        asked = request.data if asked is None else asked
        if act in pair_form.LOOSER:
            self.prove(request)
        try:
            done = pair_form.ask(act, asked, by=request.user.get_username(), now=timezone.now())
        except PairRefused as refusal:
            return problem(422, "Nothing was changed", detail=str(refusal), field=refusal.field)
        return Response({"done": done}, status=status)


class _Acts(_Asks):
    """What people ask of pairs: POST adds something, DELETE with the same body takes it away again."""

    adds: ClassVar[str]
    removes: ClassVar[str]

    def post(self, request: Request) -> Response:
        return self._do(self.adds, request, status=201)

    def delete(self, request: Request) -> Response:
        return self._do(self.removes, request, status=200)


class Blacklist(_Acts, ListView):
    """POST {"symbol", "reason"}; DELETE {"symbol"}. As freqtrade's clients do, POST {"blacklist"} adds a list of pairs."""

    listing = listings.BLACKLIST
    adds, removes = "ban", "unban"

    def post(self, request: Request) -> Response:
        asked: Any = request.data  # an object, as bodies.check has seen
        if not asked.get("blacklist"):
            return super().post(request)
        with transaction.atomic():
            each = [self._do(self.adds, request, status=201, asked=one) for one in _banned(asked)]
            wrong = next((answer for answer in each if answer.status_code != HTTPStatus.CREATED), None)
            if wrong is not None:
                transaction.set_rollback(True)
                return wrong
        return Response({"done": " ".join(answer.data["done"] for answer in each)}, status=201)


class Locks(_Acts, ListView):
    """POST {"symbol", "minutes", "reason"}; DELETE {"id"}. Of freqtrade's clients, a list of one {"pair", "until", "reason"} is understood."""

    listing = listings.LOCKS
    adds, removes = "lock", "lift"
    parser_classes = (LockParser,)


class Lock(_Asks):
    """DELETE lifts one lock; as freqtrade's clients do."""

    def delete(self, request: Request, pk: int) -> Response:
        return self._do("lift", request, status=200, asked={"id": pk})


class Watchlist(_Acts):
    """What is traded now; POST {"symbol", "reason"} adds a pair, DELETE with the same takes it away."""

    adds, removes = "watch", "unwatch"

    def get(self, request: Request) -> Response:
        params = selectors.params()
        return Response({"mode": params.watch, "results": [_told(each) for each in selectors.watch_list(params)]})


class Switches(_Acts, ListView):
    """GET lists switches and refused ones; POST {"symbol", "reason", "out_symbol"?} switches at once."""

    listing = listings.SWITCHES
    adds = "switch"
    http_method_names = ("get", "head", "options", "post")


def _told(each: selectors.Watched) -> dict[str, Any]:
    place = listings.place_as_json(each.place) if each.place else {"symbol": each.symbol, "source": "parameter"}
    scanned = {"rank": each.row.rank, "score": each.row.score, "refused_by": each.row.refused_by} if each.row else None
    return {**place, "scanned": scanned}
