"""What an adviser is asked about a setup, and what it answers; no opinion is an answer too."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from trading.core.params import Params
from trading.core.types import Setup

if TYPE_CHECKING:  # the web process knows advice too, and compiles nothing
    from trading.core.analysis import Analysis
    from trading.core.book_history import BookHistory
    from trading.core.candles import Candles


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """One setup that passed every filter and guard, with the candles it was found on (its bar is the last)."""

    setup: Setup
    candles: Candles
    analysis: Analysis
    params: Params
    losses_in_a_row: int
    recent_r: tuple[float, ...]
    """What the newest closed trades made, in R, newest first; at most ten."""
    known: tuple[Advice, ...] = ()
    """What others have answered about the setup already."""
    leader: Callable[[], Candles | None] = lambda: None
    """Returns BTC's bars of the same time, None where there are none; they are loaded only for whoever asks."""
    book: Callable[[], BookHistory | None] = lambda: None
    """Returns records of the pair's book, None where there are none; they are loaded only for whoever asks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Advice:
    """One adviser's answer. `approve` None is no opinion, and then `reason` says why there is none."""

    source: str
    approve: bool | None
    confidence: float | None
    """Of its answer, 0 to 1; for a predictor the probability that the setup wins after costs."""
    reason: str
    influence: float = 1.0
    """How much it may move the decision, 0 to 1, as earned; 0 is shown and ignored."""
    risk: str = ""
    against: tuple[str, ...] = ()
    model: str = ""
    prompt: str = ""
    """Version and hash of the prompt, where there was one."""
    tokens: int = 0
    cost_usd: float = 0.0
    latency_ms: float = 0.0
    features: dict[str, float | None] | None = None
    """What the answer rests on, by name, where it rests on features."""


class Adviser(Protocol):
    """Somebody who may have an opinion on a setup. It never raises: whatever fails is no opinion, with the reason."""

    @property
    def name(self) -> str:
        """Return what its verdict and its rows are called."""
        ...

    @property
    def is_slow(self) -> bool:
        """Return whether it answers outside the tick: then the signal waits for it, with a deadline."""
        ...

    def advise(self, question: Question) -> Advice: ...
