"""Lists with filters, one sort and a cursor, and what is in them one by one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from django.http import Http404, HttpResponseBase
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from dashboard import advice_sheet, by_hand, export
from dashboard.api.base import ApiView, Ready
from dashboard.listings import TRADES, BadQuery, Listing, asked_of, kept
from dashboard.listings import signals as signal_listing
from dashboard.listings import trades as trade_listing
from trading import selectors

_ORDERS: dict[str, dict[str, str]] = {"": {}, "true": {"sort": "id"}, "false": {"sort": "-closed"}}
_PAGING = {"sort", "cursor", "limit", "format"}


class ListView(ApiView):
    """GET returns {"results", "next"}: `next` is the cursor of what follows, null at the end. ?format=csv: a file."""

    listing: ClassVar[Listing[Any]]

    def get(self, request: Request) -> HttpResponseBase:
        asked = asked_of(request.query_params)
        known = {filter.name for filter in self.listing.filters} | _PAGING
        if unknown := sorted(set(asked) - known):
            # A misspelt filter that is ignored would answer another question than was asked.
            raise BadQuery(unknown[0], f"is no filter of this list: use {', '.join(sorted(known))}")
        kind = asked.get("format", "json")
        if kind not in ("csv", "json"):
            raise BadQuery("format", f"{kind[:20]!r} is none of csv, json")
        if kind == "csv":
            return export.response(self.listing, asked, kind=kind)
        return Ready(kept.body(self.listing, asked, self._body))

    def _body(self, rows: Sequence[Any], following: str | None) -> bytes:
        answer = {"results": [self.listing.told(row) for row in rows], "next": following}
        return JSONRenderer().render(answer)


def list_of(listing: Listing[Any], *, reads: str = "") -> Any:
    """Return the view of a list; `reads` is the permission that looking at it needs."""
    view: type[ListView] = type(f"{listing.name.title()}List", (ListView,), {"listing": listing, "reads": reads})
    return view.as_view()


class TradeList(ListView):
    """The trades; for freqtrade's clients also by ?offset=, and ?order_by_id=true for the first ones first."""

    listing = TRADES

    def get(self, request: Request) -> HttpResponseBase:
        asked = asked_of(request.query_params)
        if not {"offset", "order_by_id"} & set(asked):
            return super().get(request)
        by_id = asked.pop("order_by_id", "")
        if by_id.lower() not in _ORDERS:
            raise BadQuery("order_by_id", f"{by_id[:20]!r} is none of true, false")
        known = {filter.name for filter in self.listing.filters} | {"offset", "sort", "limit"}
        if unknown := sorted(set(asked) - known):
            raise BadQuery(unknown[0], f"does not go with offset: use {', '.join(sorted(known))}")
        return Ready(self._body(*self.listing.skipping({**_ORDERS[by_id.lower()], **asked})))


class TradeView(ApiView):
    """One trade with its orders, each with its steps and fills, and what people asked of it by hand."""

    def get(self, request: Request, pk: int) -> Response:
        trade = selectors.trade(pk)
        if trade is None:
            raise Http404("there is no such trade")
        orders = [trade_listing.order_as_json(order) for order in trade.orders.all()]
        asked = [by_hand.as_json(each) for each in trade.instructions.all()]
        more = {"risk_factors": trade.risk_factors, "orders": orders, "instructions": asked}
        return Response({**trade_listing.as_json(trade), **more})


class SignalView(ApiView):
    """One decision with every verdict and what was advised."""

    def get(self, request: Request, pk: int) -> Response:
        signal = selectors.decision(pk)
        if signal is None:
            raise Http404("there is no such decision")
        advices = [advice_sheet.as_json(advice) for advice in signal.advices.order_by("pk")]
        return Response({**signal_listing.as_json(signal), "advice_due_at": signal.advice_due_at, "advices": advices})
