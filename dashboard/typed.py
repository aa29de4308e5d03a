"""What is dangerous with real money is done only after its word was typed, whatever page the form stood on.

Nothing that tightens asks: a halt works at once in every mode. The pages say nothing of this; whatever comes without the
word is answered by one page that says what would happen and sends the same form again, now with the word.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from django.conf import settings
from django.http import HttpRequest, HttpResponse, QueryDict
from django.urls import ResolverMatch
from django.utils import timezone

from dashboard import formats, frame, pair_form, presenters, stepup, switch
from trading.models import Mode

FIELD = "typed"
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


def _state(asked: Mapping[str, str], act: object) -> Danger | None:
    looser = switch.is_looser(asked.get("state"))
    return Danger(word="RESUME", says=_ENTRIES, needs_proof=True) if looser else None


def _pair(asked: Mapping[str, str], act: object) -> Danger | None:
    says = "This pair may be entered with real money again."
    return Danger(word="ALLOW", says=says, needs_proof=True) if asked.get("act") in pair_form.LOOSER else None


def _proposal(asked: Mapping[str, str], act: object) -> Danger | None:
    return Danger(word="CONFIRM", says="The next tick sends this entry to the venue.") if act == "confirm" else None


def _model(asked: Mapping[str, str], act: object) -> Danger | None:
    says = "This model judges entries with real money from now on."
    return Danger(word="PROMOTE", says=says) if asked.get("act") == "promote" else None


def _overrule(asked: Mapping[str, str], act: object) -> Danger | None:
    says = f"{_IN_FORCE}, whatever their comparison found."
    return Danger(word="OVERRULE", says=says, needs_proof=True) if act == "overrule" else None


def _propose(asked: Mapping[str, str], act: object) -> Danger | None:
    says = f"{_IN_FORCE} if they only lower the risk, else as soon as a comparison finds them no worse."
    return Danger(word="PROPOSE", says=says) if asked.get("do") != "validate" else None


def _always(word: str, says: str) -> Callable[[Mapping[str, str], object], Danger | None]:
    def found(asked: Mapping[str, str], act: object) -> Danger | None:
        return Danger(word=word, says=says)

    return found


_close = _always("CLOSE", "The next tick closes this position at the market, with real money.")
_roll_back = _always("ROLL BACK", f"{_IN_FORCE}, uncompared.")
DANGERS: Mapping[str, Callable[[Mapping[str, str], object], Danger | None]] = {
    "trading-state": _state,
    "manage-pair": _pair,
    "decide-proposal": _proposal,
    "decide-model": _model,
    "roll-back-model": _always("ROLL BACK", "The model before this one judges entries with real money again."),
    "lift-bypass": _always("LIFT", "Its opinion counts for entries with real money again."),
    "close-trade": _close,
    "change-parameters": _propose,
    "decide-draft": _overrule,
    "roll-back-parameters": _roll_back,
    "admin:trading_parameterrevision_add": _propose,
    "admin:trading_parameterrevision_act": _roll_back,
    "admin:trading_parameterdraft_act": _overrule,
}
"""By the name of the address; each tells whether this very form is dangerous."""


def is_live() -> bool:
    return presenters.mode_of(settings.BROKER) is Mode.LIVE


def danger(match: ResolverMatch, asked: QueryDict) -> Danger | None:
    """Return what is dangerous about this form with real money, or None."""
    of = DANGERS.get(match.view_name)
    return of(asked.dict(), match.kwargs.get("act")) if of else None  # type: ignore[arg-type]


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
