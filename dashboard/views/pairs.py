"""Pairs: the newest scan with its scores, one pair, what is watched, switches, the blacklist and locks."""

from __future__ import annotations

from django.contrib import messages
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from dashboard import cells, formats, frame, pair_form, pairs_sheet, stepup
from dashboard.listings.pairs import LATEST, SWITCHES, WATCHED
from dashboard.table import Cell, Column
from dashboard.views.lists import ListPage, Tab
from trading import selectors
from trading.models import PairSwitch, ScanRow, WatchedPair
from trading.services.pair_locks import PairRefused

TABS = (
    Tab(name="pairs", label="Scan"),
    Tab(name="pair-switches", label="Switches"),
    Tab(name="pair-history", label="Watch list"),
)
RECENT = 8


def address(symbol: str) -> str:
    return reverse("pair", args=symbol.split("/")) if symbol.count("/") == 1 else ""


def _outcome(row: ScanRow) -> Cell:
    if row.refused_by:
        return Cell(text=f"✕ {formats.words(row.refused_by)}: {row.reason}", tone="loss", hint=row.reason)
    return Cell(text="✓ passed", tone="gain")


def _measure(name: str) -> Column[ScanRow]:
    labels = {"timeframes": ("Timeframes", "How much all timeframes speak for a long, 0 to 100")}
    labels["bitcoin_correlation"] = ("BTC", "Correlation of returns with BTC")
    label, hint = labels[name]
    form = {"timeframes": ".0f", "bitcoin_correlation": ".2f"}[name]

    def cell(row: ScanRow) -> Cell:
        value = row.measures.get(name)
        return cells.NONE if value is None else Cell(text=format(value, form).replace("-", formats.MINUS))

    return Column(label=label, css="num minor", hint=hint, cell=cell)


def _volatility(row: ScanRow) -> Cell:
    value = row.measures.get("volatility")
    return cells.NONE if value is None else Cell(text=f"{value:.2%}")


PAGE = ListPage(
    title="Pairs",
    explains="pairs",
    place="pairs",
    listing=LATEST,
    caption="Pairs of the newest scan, best first",
    empty="Each pair will stand here with its score and what speaks against it. The pairs are scanned every few minutes: "
    "if nothing appears, look at Health, whether the worker named work runs.",
    href=lambda row: address(row.symbol),
    refresh="journal",
    tabs=TABS,
    columns=(
        Column(label="Pair", css="pair", sort="symbol", cell=lambda row: cells.symbol(row.symbol)),
        Column(label="Rank", css="num", sort="rank", cell=lambda row: Cell(text=str(row.rank))),
        Column(label="Score", css="num", sort="score", cell=lambda row: Cell(text=f"{row.score:.0f}")),
        Column(
            label="Parts",
            css="wide",
            hint="ADX 25, volatility 20, volume 15, RSI 15, fresh setup 15, MACD 10",
            cell=lambda row: (
                Cell(segments=pairs_sheet.parts(row), hint=pairs_sheet.said(row)) if row.parts else cells.NONE
            ),
        ),
        Column(label="Outcome", css="wide", cell=_outcome),
        Column(label="Regime", css="minor", cell=lambda row: cells.words(row.regime)),
        Column(
            label="Price",
            css="num",
            sort="price",
            cell=lambda row: Cell(text=formats.price(row.price)) if row.price else cells.NONE,
        ),
        Column(label="ATR", css="num minor", hint="Average true range of a bar over the price", cell=_volatility),
        Column(
            label="Volume 24 h",
            css="num minor",
            sort="volume",
            cell=lambda row: Cell(text=pairs_sheet.large(row.volume)) if row.volume is not None else cells.NONE,
        ),
        _measure("timeframes"),
        _measure("bitcoin_correlation"),
    ),
)


def _switched(row: PairSwitch) -> Cell:
    return Cell(text="✓ made", tone="gain") if row.is_made else Cell(text="✕ refused", tone="loss")


def _score(value: float | None) -> Cell:
    return cells.NONE if value is None else Cell(text=f"{value:.0f}")


SWITCH_PAGE = ListPage(
    title="Pairs",
    explains="pairs",
    place="pairs",
    listing=SWITCHES,
    caption="Switches of the watch list and those that were refused, newest first",
    empty="Each switch will stand here with its reason, and so will each that was refused. There are none while the list is "
    "fixed: the parameter watch set to scan lets the best pairs of the scan be traded.",
    refresh="journal",
    tabs=TABS,
    columns=(
        Column(label="When", sort="at", cell=lambda row: cells.moment(row.at)),
        Column(label="Out", css="pair", cell=lambda row: Cell(text=row.out_symbol, href=address(row.out_symbol))),
        Column(label="In", css="pair", cell=lambda row: Cell(text=row.in_symbol, href=address(row.in_symbol))),
        Column(label="Outcome", cell=_switched),
        Column(label="Out had", css="num", cell=lambda row: _score(row.out_score)),
        Column(label="In had", css="num", cell=lambda row: _score(row.in_score)),
        Column(label="Reason", css="wide wrap", cell=lambda row: Cell(text=row.reason)),
        Column(label="By", css="minor", cell=lambda row: Cell(text=row.by or "Julaba")),
    ),
)


def _left(row: WatchedPair) -> Cell:
    return cells.moment(row.until) if row.until else Cell(text="watched", tone="gain")


HISTORY_PAGE = ListPage(
    title="Pairs",
    explains="pairs",
    place="pairs",
    listing=WATCHED,
    caption="Who was on the watch list when, newest first",
    empty="Pairs that the scan or a person puts on the watch list will stand here. The listed pairs are the parameter pairs, "
    "and have no entry of their own.",
    refresh="journal",
    tabs=TABS,
    columns=(
        Column(
            label="Pair", css="pair", sort="symbol", cell=lambda row: Cell(text=row.symbol, href=address(row.symbol))
        ),
        Column(label="Since", sort="since", cell=lambda row: cells.moment(row.since)),
        Column(label="Until", cell=_left),
        Column(label="By", cell=lambda row: Cell(text=row.by or row.get_source_display())),
        Column(label="Reason", css="wide wrap", cell=lambda row: Cell(text=row.reason)),
    ),
)


@never_cache
@require_safe
def pairs(request: HttpRequest) -> HttpResponse:
    if file := PAGE.file(request):
        return file
    now, known = timezone.now(), frame.context()
    return PAGE.response(
        request,
        template="dashboard/pairs.html",
        tab="pairs",
        known=known,
        now=now,
        scan=selectors.latest_scan(),
        watched=[(each, address(each.symbol)) for each in selectors.watch_list(known["params"])],
        banned=selectors.blacklist(),
        locks=selectors.locks(now=now),
        switches=selectors.switches(limit=RECENT),
        may_manage=request.user.has_perm(pair_form.PERMISSION),
    )


@never_cache
@require_safe
def switches(request: HttpRequest) -> HttpResponse:
    return SWITCH_PAGE.response(request, tab="pair-switches")


@never_cache
@require_safe
def history(request: HttpRequest) -> HttpResponse:
    return HISTORY_PAGE.response(request, tab="pair-history")


@never_cache
@require_safe
def pair(request: HttpRequest, base: str, quote: str) -> HttpResponse:
    """Show one pair: how the newest scan scored and judged it, and what stands against entering it."""
    symbol, now, known = f"{base}/{quote}".upper(), timezone.now(), frame.context()
    newest = selectors.latest_scan()
    row = newest.rows.filter(symbol=symbol).first() if newest else None
    listed = next((each for each in selectors.watch_list(known["params"]) if each.symbol == symbol), None)
    switched = [each for each in selectors.switches(limit=500) if symbol in (each.in_symbol, each.out_symbol)]
    if row is None and listed is None and not switched:
        raise Http404("this pair is neither scanned nor watched")
    return frame.page(
        request,
        "dashboard/pair.html",
        place="pairs",
        known=known,
        now=now,
        symbol=symbol,
        scan=newest,
        row=row,
        parts=pairs_sheet.parts(row) if row and row.parts else [],
        facts=pairs_sheet.facts(row) if row and row.parts else [],
        book=pairs_sheet.book(row) if row else [],
        listed=listed,
        banned=[entry for entry in selectors.blacklist() if entry.symbol == symbol],
        locks=[lock for lock in selectors.locks(now=now) if lock.symbol == symbol],
        switches=switched[:RECENT],
        may_manage=request.user.has_perm(pair_form.PERMISSION),
    )


@require_POST
def manage(request: HttpRequest) -> HttpResponse:
    """Do what a form asks of a pair, and lead back to the page that it stands on."""
    assert isinstance(request.user, User)
    if not request.user.has_perm(pair_form.PERMISSION):
        raise PermissionDenied
    act, now = request.POST.get("act", ""), timezone.now()
    if act in pair_form.LOOSER and not stepup.is_fresh(request, now=now):
        return stepup.ask(request)
    try:
        done = pair_form.ask(act, request.POST.dict(), by=request.user.get_username(), now=now)
    except PairRefused as refusal:
        # Some refusals are sentences of their own, others say what is wrong with a field.
        text = str(refusal)
        known = text if text[:1].isupper() or "/" in text.split(" ")[0] else f"the {refusal.field} {text}"
        messages.error(request, f"Nothing was changed: {known}")
    else:
        messages.success(request, done)
    back = request.POST.get("back", "")
    is_ours = url_has_allowed_host_and_scheme(back, {request.get_host()}, require_https=request.is_secure())
    return redirect(back if is_ours and back.startswith("/pairs/") else "pairs")
