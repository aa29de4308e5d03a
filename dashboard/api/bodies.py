"""A body is held against its description before a view looks at it: kinds, lengths and ranges of what is there.

What is missing, and what is none of a few words, the views say themselves, since they know what to do about it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from rest_framework.exceptions import ParseError
from rest_framework.parsers import JSONParser

from dashboard.problems import Unprocessable

KINDS: dict[str, tuple[tuple[type, ...], str]] = {
    "string": ((str,), "is no text"),
    "integer": ((int,), "is no whole number"),
    "array": ((list,), "is no list"),
    "object": ((dict,), "is no object"),
}


class BodyParser(JSONParser):
    """Reads JSON; what is nested beyond all reading is the caller's mistake like any other."""

    def parse(self, *args: Any, **kwargs: Any) -> Any:
        try:
            found: Any = super().parse(*args, **kwargs)
        except RecursionError:
            raise ParseError("the body is nested too deeply: send an object of names with values") from None
        # What freqtrade's clients send where they have nothing to say.
        return {} if found is None else found


def key(path: str, method: str) -> str:
    """Return an operation as questions and examples know it, such as POST trades/{id}/notes."""
    return f"{method.upper()} {re.sub('{(pk|id)}|<int:pk>', '{id}', path)}"


def described(view: Any, operation: str) -> tuple[Mapping[str, Any], Mapping[str, Any], Mapping[str, Any]]:
    """Return what a body must hold, what it may, and an example."""
    from dashboard.api import questions  # it asks the views for their limits

    asked = questions.BODIES.get(operation)
    return (asked.required, asked.optional, asked.example) if asked else (view.body, view.takes, view.asks)


def check(view: Any, route: str, method: str, data: Any) -> None:
    """Refuse a body of the wrong shape, naming the field."""
    required, optional, _ = described(view, key(route.rpartition("api/v1/")[2], method))
    if not isinstance(data, dict):
        raise Unprocessable(next(iter(required), "body"), "is missing: send an object of names with values")
    for name, schema in {**required, **optional}.items():
        if data.get(name) is not None and (cause := _wrong(data[name], schema)):
            raise Unprocessable(name, cause)
        if name in data and data[name] is None and name in optional and not schema.get("nullable"):
            raise Unprocessable(name, "is null: leave it out instead")


def _wrong(value: Any, schema: Mapping[str, Any]) -> str:
    """Return what is wrong with a value, nothing where it is right."""
    if "type" not in schema:
        return ""
    kinds, refusal = KINDS[schema["type"]]
    if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):
        return refusal
    if isinstance(value, str):
        return _wrong_text(value, schema)
    if isinstance(value, int):
        low, high = schema.get("minimum", value), schema.get("maximum", value)
        return "" if low <= value <= high else f"is no number from {low} to {schema.get('maximum', 'there on')}"
    if isinstance(value, list):
        if len(value) > schema.get("maxItems", len(value)):
            return f"has more than {schema['maxItems']} members"
        return next(filter(None, (_wrong(each, schema["items"]) for each in value)), "")
    return ""


def _wrong_text(value: str, schema: Mapping[str, Any]) -> str:
    if len(value) > schema.get("maxLength", len(value)):
        return f"has more than {schema['maxLength']} characters: say it shorter"
    if "\x00" in value:
        return "holds a character that cannot be kept"
    if "pattern" in schema and value and not re.search(schema["pattern"], value):
        return f"is not written like {schema['pattern']}"
    return ""
