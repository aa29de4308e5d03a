"""What is dangerous with real money is done only after its word was typed, whatever page the form stood on.

Nothing that tightens asks: a halt works at once in every mode. The pages say nothing of this; whatever comes without the
word is answered by one page that says what would happen and sends the same form again, now with the word. A session that
asks the API sends the word in a header. A token needs none: a program types nothing, and whoever made a token that may
trade proved then who they are and said so for all that it does (docs/adr/0027).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse, QueryDict
from django.urls import ResolverMatch
from django.utils import timezone

from dashboard import formats, frame, pair_form, presenters, stepup, switch
from trading.models import Mode, Trade, TradingState
from trading.services import instructing

FIELD = "typed"
HEADER = "X-Typed-Word"
MOST_SAID = 12
_MADE_ANEW = {"csrfmiddlewaretoken", FIELD}
_UNSAID = {*_MADE_ANEW, "back", "next", "expected_number"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Danger:
    """The word to type, and in one sentence what will happen; `needs_proof` where it asks again who is there."""

    word: str
    says: str
    needs_proof: bool = False


_ENTRIES = "New positions are opened with real money again."
_IN_FORCE = "The engine trades real money by these values from the next tick on"


Asked = Mapping[str, Any]
Act = Callable[[Asked, Mapping[str, Any]], Danger | None]
"""Tells from what was sent, and from the parts of the address, whether it is dangerous."""


def _state(asked: Asked, parts: Mapping[str, Any]) -> Danger | None:
    looser = switch.is_looser(asked.get("state"))
    return Danger(word="RESUME", says=_ENTRIES, needs_proof=True) if looser else None


def _resume(asked: Asked, parts: Mapping[str, Any]) -> Danger | None:
    return _state({"state": TradingState.ACTIVE}, parts)


def _instruction(asked: Asked, parts: Mapping[str, Any]) -> Danger | None:
    return {"part": _part, "stop": _stop}[parts["act"]](asked, parts) if parts["act"] in ("part", "stop") else None


def _stop(asked: Asked, parts: Mapping[str, Any]) -> Danger | None:
    """A stop within the risk that was planned asks for nothing."""
    trade = Trade.objects.filter(pk=parts["pk"]).first()
    try:
        risks_more = trade is not None and instructing.adds_risk(trade, float(asked.get("price", "")))
    except (TypeError, ValueError):
        return None  # which is refused anyway
    says = "This stop risks more real money than the trade was planned with."
    return Danger(word="LOOSEN", says=says) if risks_more else None


def _pair(asked: Asked, parts: Mapping[str, Any]) -> Danger | None:
    return _allow(asked, parts) if asked.get("act") in pair_form.LOOSER else None


def _proposal(asked: Asked, parts: Mapping[str, Any]) -> Danger | None:
    return _confirm(asked, parts) if parts.get("act") == "confirm" else None


def _model(asked: Asked, parts: Mapping[str, Any]) -> Danger | None:
    return _promote(asked, parts) if asked.get("act") == "promote" else None


def _overrule(asked: Asked, parts: Mapping[str, Any]) -> Danger | None:
    return _activate(asked, parts) if parts.get("act") == "overrule" else None


def _propose(asked: Asked, parts: Mapping[str, Any]) -> Danger | None:
    says = f"{_IN_FORCE} if they only lower the risk, else as soon as a comparison finds them no worse."
    return Danger(word="PROPOSE", says=says) if asked.get("do") != "validate" else None


def _always(word: str, says: str, *, needs_proof: bool = False) -> Act:
    def found(asked: Asked, parts: Mapping[str, Any]) -> Danger | None:
        return Danger(word=word, says=says, needs_proof=needs_proof)

    return found


_close = _always("CLOSE", "The next tick closes this position at the market, with real money.")
_part = _always("CLOSE", "The next tick closes a part of this position at the market, with real money.")
_confirm = _always("CONFIRM", "The next tick sends this entry to the venue.", needs_proof=True)
_promote = _always("PROMOTE", "This model judges entries with real money from now on.")
_demote = _always("ROLL BACK", "The model before this one judges entries with real money again.")
_lift = _always("LIFT", "Its opinion counts for entries with real money again.")
_activate = _always("OVERRULE", f"{_IN_FORCE}, whatever their comparison found.", needs_proof=True)
_allow = _always("ALLOW", "This pair may be entered with real money again.", needs_proof=True)
_give = _always("CONSENT", "What another person asked for is done at once, with real money.", needs_proof=True)
_roll_back = _always("ROLL BACK", f"{_IN_FORCE}, uncompared.", needs_proof=True)


def _consent(asked: Asked, parts: Mapping[str, Any]) -> Danger | None:
    return _give(asked, parts) if parts.get("act") == "give" else None


DANGERS: Mapping[str, Act] = {
    "trading-state": _state,
    "manage-pair": _pair,
    "decide-proposal": _proposal,
    "decide-model": _model,
    "roll-back-model": _demote,
    "lift-bypass": _lift,
    "close-trade": _close,
    "instruct-trade": _instruction,
    "change-parameters": _propose,
    "decide-draft": _overrule,
    "roll-back-parameters": _roll_back,
    "answer-consent": _consent,
    "admin:trading_parameterrevision_add": _propose,
    "admin:trading_parameterrevision_act": _roll_back,
    "admin:trading_parameterdraft_act": _overrule,
}
"""By the name of the address; each tells whether this very form is dangerous."""
API_DANGERS: Mapping[tuple[str, str], Act] = {
    ("POST", "api-trading-state"): _state,
    ("POST", "api-state"): _state,
    ("POST", "api-resume"): _resume,
    ("POST", "api-start"): _resume,
    ("POST", "api-close-trade"): _close,
    ("POST", "api-forceexit"): _close,
    ("POST", "api-close-part"): _part,
    ("POST", "api-move-stop"): _stop,
    ("DELETE", "api-blacklist"): _allow,
    ("DELETE", "api-locks"): _allow,
    ("DELETE", "api-lock"): _allow,
    ("POST", "api-confirm-proposal"): _confirm,
    ("POST", "api-promote-model"): _promote,
    ("POST", "api-roll-back-model"): _demote,
    ("POST", "api-lift-bypass"): _lift,
    ("POST", "api-drafts"): _propose,
    ("POST", "api-activate-draft"): _activate,
    ("POST", "api-give-consent"): _give,
    ("POST", "api-roll-back-parameters"): _roll_back,
}
"""The same of the API, by method and name of the address."""


def is_live() -> bool:
    return presenters.mode_of(settings.BROKER) is Mode.LIVE


def danger(match: ResolverMatch, asked: QueryDict) -> Danger | None:
    """Return what is dangerous about this form with real money, or None."""
    of = DANGERS.get(match.view_name)
    return of(asked.dict(), match.kwargs) if of else None


def word_wanted(match: ResolverMatch, method: str, asked: Asked, typed: str) -> Danger | None:
    """Return what a session that asks the API has to type first, or None where it may go on."""
    of = API_DANGERS.get((method, match.view_name)) if is_live() else None
    found = of(asked, match.kwargs) if of else None
    return found if found is not None and typed.strip().upper() != found.word else None


def ask(request: HttpRequest) -> HttpResponse | None:
    """Return the page that asks for the word, or None where the form may go on."""
    match = request.resolver_match
    if request.method != "POST" or match is None or not is_live():
        return None
    found = danger(match, request.POST)
    if found is None:
        return None
    if found.needs_proof and not stepup.is_fresh(request, now=timezone.now()):
        return stepup.ask(request)
    typed = request.POST.get(FIELD)
    if typed is not None and typed.strip().upper() == found.word:
        return None
    return frame.page(
        request,
        "dashboard/typed.html",
        place="",
        danger=found,
        kept=[(name, value) for name, values in request.POST.lists() if name not in _MADE_ANEW for value in values],
        said=_said(request.POST),
        is_wrong=typed is not None,
        back=stepup.origin_of(request),
    )


def _said(asked: QueryDict) -> list[tuple[str, str]]:
    """Return what the form holds, in words; of a long one only the reason."""
    told = [(formats.words(name), str(value)) for name, value in asked.items() if value and name not in _UNSAID]
    return told if len(told) <= MOST_SAID else [(name, value) for name, value in told if name == "reason"]
