"""Trades as a table, and one trade with everything that became of it."""

from __future__ import annotations

import uuid

from django.contrib import messages
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from dashboard import by_hand, cells, formats, frame, switch, trade_sheet
from dashboard.listings import TRADES
from dashboard.listings import trades as listing
from dashboard.table import Cell, Column
from dashboard.views.lists import ListPage
from dashboard.views.notes import PERMISSION
from trading import selectors
from trading.models import ACTIVE, Trade, TradeStatus
from trading.services import manual


def _pair(row: Trade) -> Cell:
    tag = "" if row.status == TradeStatus.CLOSED else row.get_status_display()
    return cells.symbol(row.symbol, tag=tag)


def _tags(row: Trade) -> Cell:
    names = [tag.name for tag in row.tags.all()]
    return Cell(text=", ".join(names)) if names else cells.NONE


def _pnl(row: Trade) -> Cell:
    return Cell.signed(formats.signed_money(row.pnl), hint=f"after fees of {formats.money(row.fees)}")


def _r(row: Trade) -> Cell:
    return _multiple(listing.r_of(row))


def _multiple(r: float | None) -> Cell:
    return Cell.signed(formats.multiple(r) if r is not None else None)


def _share(row: Trade, name: str) -> Cell:
    value = listing.confidence(row, name)
    return Cell(text=f"{value:.0%}") if value is not None else cells.NONE


def _held(row: Trade) -> Cell:
    if not row.opened_at or not row.closed_at:
        return cells.NONE
    return Cell(text=formats.span(row.closed_at - row.opened_at))


def _exit(row: Trade) -> Cell:
    price = listing.exit_price(row)
    return Cell(text=formats.price(price)) if price is not None else cells.NONE


def _left_by(row: Trade) -> Cell:
    return Cell(text=dict(listing.EXITS).get(row.exit_reason, formats.words(row.exit_reason)) or formats.NOTHING)


PAGE = ListPage(
    title="Trades",
    place="trades",
    listing=TRADES,
    caption="Trades, newest first",
    empty="Trades will stand here from the moment a setup is taken. Until then the signals say what refused each one.",
    href=lambda row: reverse("trade", args=[row.pk]),
    refresh="open closed",
    explains="closed",
    columns=(
        Column(label="Pair", css="pair", sort="symbol", cell=_pair),
        Column(label="Side", cell=lambda row: cells.side(row.side)),
        Column(label="PnL", css="num", sort="pnl", cell=_pnl, hint="Realised, after fees, in quote"),
        Column(label="R", css="num", sort="r", cell=_r, hint="Result in units of the first risk"),
        Column(
            label="MFE",
            css="num minor",
            cell=lambda row: _multiple(listing.best_r(row)),
            hint="Maximum favourable excursion: how far the price went in favour, in units of the first risk",
        ),
        Column(
            label="MAE",
            css="num minor",
            cell=lambda row: _multiple(listing.worst_r(row)),
            hint="Maximum adverse excursion: how far the price went against the trade, in units of the first risk",
        ),
        Column(label="Size", css="num minor", cell=lambda row: Cell(text=formats.quantity(row.quantity))),
        Column(label="Entry", css="num minor", cell=lambda row: Cell(text=formats.price(row.entry_price))),
        Column(label="Exit", css="num minor", cell=_exit, hint="Mean of all exits"),
        Column(label="Left by", cell=_left_by),
        Column(label="Fees", css="num minor", sort="fees", cell=lambda row: Cell(text=formats.money(row.fees))),
        Column(
            label="Slippage",
            css="num minor",
            cell=lambda row: cells.ratio(listing.slippage(row)),
            hint="How much worse than planned the entry was filled, in hundredths of a percent",
        ),
        Column(label="Held", css="num minor", cell=_held),
        Column(
            label="AI",
            css="num minor extra",
            cell=lambda row: _share(row, "ai_confidence"),
            hint="How confident the AI was of the setup",
        ),
        Column(
            label="ML",
            css="num minor extra",
            cell=lambda row: _share(row, "win_probability"),
            hint="The probability of a win that the predictor gave the setup",
        ),
        Column(
            label="Session",
            css="minor extra",
            cell=lambda row: cells.words(listing.session(row)),
            hint="By the hour of entry, UTC: Asia to 8, Europe to 13, America to 20, then late",
        ),
        Column(label="Tags", css="minor", cell=_tags),
        Column(
            label="Opened", css="num", sort="created", cell=lambda row: cells.moment(row.opened_at or row.created_at)
        ),
        Column(label="Closed", css="num", sort="closed", cell=lambda row: cells.moment(row.closed_at)),
    ),
)


@never_cache
@require_safe
def trades(request: HttpRequest) -> HttpResponse:
    return PAGE.response(request)


@never_cache
@require_safe
def trade(request: HttpRequest, pk: int) -> HttpResponse:
    found = selectors.trade(pk)
    if found is None:
        raise Http404("there is no such trade")
    now = timezone.now()
    sheet = trade_sheet.sheet(found, now=now)
    return frame.page(
        request,
        "dashboard/trade.html",
        place="trades",
        now=now,
        sheet=sheet,
        may_note=request.user.has_perm(PERMISSION),
        may_close=found.status in ACTIVE and request.user.has_perm(switch.PERMISSION),
        press=uuid.uuid4().hex,
        by_hand_news=by_hand.KINDS,
    )


@require_POST
def close_trade(request: HttpRequest, pk: int) -> HttpResponse:
    """Ask for a trade to be closed at the market; the next tick does it, as it does every exit."""
    assert isinstance(request.user, User)
    if not request.user.has_perm(switch.PERMISSION):
        raise PermissionDenied
    if manual.request_close(pk, by=request.user.get_username(), now=timezone.now()):
        messages.success(request, f"Trade {pk} is closed with the next tick.")
    else:
        messages.error(request, f"Nothing was changed: trade {pk} is closed, or leaves already.")
    return redirect(by_hand.back(request, pk))
