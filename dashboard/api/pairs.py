"""Scans, the watch list, the blacklist and locks by the API."""

from __future__ import annotations

from typing import Any, ClassVar

from django.contrib.auth.models import User
from django.http import Http404
from django.utils import timezone
from rest_framework.request import Request
from rest_framework.response import Response

from dashboard import pair_form
from dashboard.api.base import ApiView, problem
from dashboard.api.lists import ListView
from dashboard.listings import pairs as listings
from trading import selectors
from trading.models import Scan
from trading.services.pair_locks import PairRefused


class ScanView(ApiView):
    """One scan with every row, ranked, and the correlations of the best."""

    def get(self, request: Request, pk: int) -> Response:
        scan = Scan.objects.exclude(finished_at=None).filter(pk=pk).first()
        if scan is None:
            raise Http404("there is no such scan")
        rows = [listings.row_as_json(row) for row in scan.rows.order_by("rank")]
        return Response({**listings.scan_as_json(scan), "correlations": scan.correlations, "rows": rows})


class _Acts(ApiView):
    """What people ask of pairs: POST adds something, DELETE with the same body takes it away again."""

    needs = pair_form.PERMISSION
    adds: ClassVar[str]
    removes: ClassVar[str]

    def post(self, request: Request) -> Response:
        return self._do(self.adds, request, status=201)

    def delete(self, request: Request) -> Response:
        return self._do(self.removes, request, status=200)

    def _do(self, act: str, request: Request, *, status: int) -> Response:
        assert isinstance(request.user, User)
        asked: Any = request.data if isinstance(request.data, dict) else {}
        if act in pair_form.LOOSER:
            self.prove(request)
        try:
            done = pair_form.ask(act, asked, by=request.user.get_username(), now=timezone.now())
        except PairRefused as refusal:
            return problem(422, "Nothing was changed", detail=str(refusal), field=refusal.field)
        return Response({"done": done}, status=status)


class Blacklist(_Acts, ListView):
    """POST {"symbol", "reason"}; DELETE {"symbol"}."""

    listing = listings.BLACKLIST
    adds, removes = "ban", "unban"


class Locks(_Acts, ListView):
    """POST {"symbol", "minutes", "reason"}; DELETE {"id"}."""

    listing = listings.LOCKS
    adds, removes = "lock", "lift"


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
