"""From what advisers said to verdicts: they can take a plan away from the technical rules and never add one."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from numbers import Real

from trading.core.advice import Advice
from trading.core.params import Params
from trading.core.types import Verdict

PREDICTOR = "predictor"
"""Its confidence is the probability that the setup wins after costs."""
REGIME = "regime_model"
"""Its confidence is the probability that the market is favourable; its influence, the weight in the score."""
AI = "ai"
"""Its approval needs a confidence that losses in a row raise."""
MOST_WEIGHT = 0.20
"""No more than this part of the score comes from the regime model, whatever it claims to have earned."""
PROPOSING = ("advisory", "hybrid", "autonomous")
"""Modes in which the AI may propose trades of its own."""
LONGEST, LONGEST_LIST, LONGEST_NAME = 2000, 10, 80


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """What the verdicts depend on besides the answers."""

    params: Params
    score: float
    """Technical score of the setup, 0 to 100."""
    score_min: float
    """Its minimum in the setup's regime."""
    losses_in_a_row: int
    bypassed: Collection[str] = ()
    """Sources whose opinion counts for nothing at present."""
    is_proposed: bool = False
    """The AI proposed the trade itself: then nothing is entered without its approval."""


def verdicts(asked: Sequence[str], advices: Sequence[Advice], case: Case) -> tuple[Verdict, ...]:
    """Return one verdict for each source that was asked, in that order; who did not answer has no opinion."""
    answers = {advice.source: advice for advice in reversed(advices)}
    return tuple(
        _verdict(checked(answers.get(source, no_opinion(source, "no answer in time")), source=source), case)
        for source in dict.fromkeys(asked)
    )


def threshold(params: Params, losses_in_a_row: int) -> float:
    """Return the confidence that an approval of the AI needs after so many losses in a row."""
    steps = (params.ai_confidence, params.ai_confidence_one_loss, params.ai_confidence_two_losses)
    return steps[min(max(0, losses_in_a_row), 2)]


def weighted(score: float, advice: Advice) -> float:
    """Return the technical score with the regime model's part in it."""
    weight = min(advice.influence, MOST_WEIGHT)
    return score * (1.0 - weight) + 100.0 * (advice.confidence or 0.0) * weight


def no_opinion(source: str, reason: str, *, latency_ms: float = 0.0) -> Advice:
    return Advice(source=source, approve=None, confidence=None, reason=reason, latency_ms=latency_ms)


def checked(advice: object, *, source: str) -> Advice:
    """Return an answer with every part within its bounds; one that makes no sense is no opinion, with the reason."""
    if not isinstance(advice, Advice):
        return no_opinion(source, f"the answer is no advice but {type(advice).__name__}")
    confidence = _number(advice.confidence, high=1.0)
    approve: object = advice.approve
    problem = ""
    if approve is not None and not isinstance(approve, bool):
        problem = "approve is neither true, false nor empty"
    elif advice.approve is not None and confidence is None:
        problem = "the confidence is no number from 0 to 1"
    return replace(
        advice,
        source=source,
        approve=None if problem else advice.approve,
        confidence=None if problem else confidence,
        reason=_text(f"invalid answer: {problem}" if problem else advice.reason, LONGEST),
        influence=min(1.0, _number(advice.influence) or 0.0),
        risk=_text(advice.risk, 10),
        against=_texts(advice.against),
        model=_text(advice.model, LONGEST_NAME),
        prompt=_text(advice.prompt, LONGEST_NAME),
        tokens=int(_number(advice.tokens, high=2**31 - 1) or 0),
        cost_usd=_number(advice.cost_usd) or 0.0,
        latency_ms=_number(advice.latency_ms) or 0.0,
        features=_features(advice.features),
    )


def _verdict(advice: Advice, case: Case) -> Verdict:
    decides = case.is_proposed and advice.source == AI
    if advice.source in case.bypassed:
        return _shown(advice, case, not decides, "bypassed, its opinion counts for nothing at present")
    if advice.influence <= 0.0:
        return _shown(advice, case, not decides, "shown only, it has earned no influence")
    return _RULES.get(advice.source, _other)(advice, case)


def _ai(advice: Advice, case: Case) -> Verdict:
    params = case.params
    if advice.approve is None:
        passed = not case.is_proposed and (params.ai_down == "technical" or params.ai_mode == "advisory")
        text = "the technical rules decide alone" if passed else "nothing is entered without one"
        return _shown(advice, case, passed, text)
    if params.ai_mode == "advisory" and not case.is_proposed:
        return _shown(advice, case, True, "shown only in advisory mode")
    assert advice.confidence is not None
    limit = threshold(params, case.losses_in_a_row)
    passed = advice.approve and advice.confidence >= limit
    streak = f" after {min(case.losses_in_a_row, 2)} losses in a row" if case.losses_in_a_row > 1 else ""
    streak = " after a loss" if case.losses_in_a_row == 1 else streak
    return _shown(advice, case, passed, f"needs an approval with {limit:.2f}{streak}")


def _predictor(advice: Advice, case: Case) -> Verdict:
    if advice.approve is None or advice.confidence is None:
        return _shown(advice, case, True, "the technical rules decide alone")
    limit = case.params.ml_min_probability
    if not case.params.ml_filter:
        return _shown(advice, case, True, "shown only, the filter of the model is off")
    reason = f"probability of a win {advice.confidence:.2f}, needs {limit:.2f}"
    return Verdict(
        name=advice.source, passed=advice.confidence >= limit, value=advice.confidence, limit=limit, reason=reason
    )


def _regime(advice: Advice, case: Case) -> Verdict:
    if advice.approve is None or advice.confidence is None:
        return _shown(advice, case, True, "the technical rules decide alone")
    value = weighted(case.score, advice)
    reason = (
        f"score {case.score:.2f} becomes {value:.2f} with a probability of {advice.confidence:.2f} "
        f"at a weight of {min(advice.influence, MOST_WEIGHT):.2f}, needs {case.score_min:.2f}"
    )
    return Verdict(name=advice.source, passed=value >= case.score_min, value=value, limit=case.score_min, reason=reason)


def _other(advice: Advice, case: Case) -> Verdict:
    """Let an adviser of the operator's own veto."""
    return _shown(advice, case, advice.approve is not False, "may veto")


_RULES: dict[str, Callable[[Advice, Case], Verdict]] = {PREDICTOR: _predictor, REGIME: _regime, AI: _ai}


def _shown(advice: Advice, case: Case, passed: bool, text: str) -> Verdict:
    """Return a verdict that says in words what the adviser thinks, and what follows from it."""
    if advice.approve is None or advice.confidence is None:
        said = f"no opinion ({advice.reason[:200]})"
    else:
        said = f"{'approves' if advice.approve else 'rejects'} with a confidence of {advice.confidence:.2f}"
    limits = {AI: threshold(case.params, case.losses_in_a_row), PREDICTOR: case.params.ml_min_probability}
    return Verdict(
        name=advice.source,
        passed=passed,
        value=math.nan if advice.confidence is None else advice.confidence,
        limit=limits.get(advice.source, math.nan),
        reason=f"{said}: {text}",
    )


def _number(value: object, *, high: float = math.inf) -> float | None:
    """Return a number from 0 to `high`, None for everything else; True is no number."""
    if isinstance(value, bool) or not isinstance(value, Real):
        return None
    try:
        number = float(value)
    except OverflowError:  # a whole number that no float can hold
        return None
    return number if math.isfinite(number) and 0.0 <= number <= high else None


def _text(value: object, longest: int) -> str:
    """Return a text that every database takes: without zero bytes and half characters."""
    return str(value)[:longest].replace("\x00", "").encode("utf-8", "replace").decode("utf-8")


def _texts(value: object) -> tuple[str, ...]:
    if not isinstance(value, list | tuple):
        return ()
    return tuple(_text(each, LONGEST) for each in value[:LONGEST_LIST])


def _features(value: object) -> dict[str, float | None] | None:
    if not isinstance(value, dict):
        return None
    return {_text(name, LONGEST_NAME): _feature(each) for name, each in value.items()}


def _feature(value: object) -> float | None:
    if not isinstance(value, Real):
        return None
    return float(value) if math.isfinite(float(value)) else None
