"""What both of Google's kits are asked for, and the choice between them by GEMINI_SDK."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Protocol

_MODULES = {"generativeai": "mlops.gemini.generativeai_kit", "genai": "mlops.gemini.genai_kit"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One question as it is sent: `rules` is the prompt's fixed part, `content` what changes.

    `schema` is the JSON schema that the answer must follow; None asks for plain text.
    """

    key: str
    endpoint: str
    model: str
    rules: str
    content: str
    schema: Mapping[str, Any] | None
    most_tokens: int
    deadline: float
    """On the clock time.monotonic."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What came back; `tokens_out` counts what the model thought as well."""

    text: str
    tokens_in: int
    tokens_out: int


class Kit(Protocol):
    """A module that wraps one of the kits; it is imported in the process that asks, and nowhere else."""

    FAILURES: tuple[type[Exception], ...]
    """What the kit raises over a request or an answer that it cannot handle."""

    def generate(self, call: Call) -> Told:
        """Ask once, and raise wire.NoAnswer where there is no answer."""
        ...


def load(name: str) -> Kit:
    """Return the kit of this name. The first call takes more than a second, so it is made before the clock runs."""
    made: Any = import_module(_MODULES[name])
    return made  # type: ignore[no-any-return]


def names() -> tuple[str, ...]:
    return tuple(_MODULES)
