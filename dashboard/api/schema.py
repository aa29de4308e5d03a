"""The description of the API in OpenAPI's words, made from the views themselves: what they ask, need and answer."""

from __future__ import annotations

import inspect
import json
import re
from functools import cache
from pathlib import Path
from typing import Any

from drf_spectacular.openapi import AutoSchema
from drf_spectacular.plumbing import ComponentRegistry
from rest_framework.permissions import SAFE_METHODS

from dashboard import typed
from dashboard.api import bodies, questions
from dashboard.listings.query import Filter
from dashboard.models import Scope
from dashboard.problems import PROBLEM

ROOT = "/api/v1/"
Described = dict[str, Any]
TEXT: Described = {"type": "string"}
PROBLEM_SCHEMA: Described = {
    "type": "object",
    "description": "RFC 9457. `field` and `cause` say what to correct.",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        **dict.fromkeys(("type", "title", "detail", "field", "cause"), TEXT),
        "status": {"type": "integer"},
    },
    "example": {
        "type": "about:blank",
        "title": "Nothing was changed",
        "status": 422,
        "detail": "is missing: say why, it is kept and shown",
        "field": "reason",
        "cause": "is missing: say why, it is kept and shown",
    },
}
REFUSALS = {
    "400": "The request cannot be read.",
    "401": "Nobody is logged in, or the token is unknown, revoked or over.",
    "403": "The account or the token may not do this, or a fresh proof is missing.",
    "404": "There is nothing at this address.",
    "409": "It cannot be done now.",
    "413": "The body is too large.",
    "422": "A field is wrong: the problem names it.",
    "429": "The token has asked too often: Retry-After says when to ask again.",
    "503": "Not now: Retry-After says when to ask again.",
}
_PROBLEM = {PROBLEM: {"schema": {"$ref": "#/components/schemas/Problem"}}}
UNCHANGED: Described = {"description": "Nothing has changed since the answer whose ETag was sent."}
COMPONENTS: Described = {
    "schemas": {"Problem": PROBLEM_SCHEMA},
    # Said once, and pointed to by every operation: the description is a quarter of what it would be.
    "responses": {
        **{status: {"description": text, "content": _PROBLEM} for status, text in REFUSALS.items()},
        "304": UNCHANGED,
    },
    "securitySchemes": {
        "token": {"type": "http", "scheme": "bearer", "description": "A token of the page Security."},
        "session": {
            "type": "apiKey",
            "in": "cookie",
            "name": "sessionid",
            "description": "The browser's session; what changes something needs the header X-CSRFToken too, and with "
            f"real money a dangerous act the header {typed.HEADER}: the refusal says which word.",
        },
    },
}


class Describe(AutoSchema):
    """Describes a view of ours without serializers: those would say once more what the views say already."""

    def get_operation(
        self, path: str, path_regex: str, path_prefix: str, method: str, registry: ComponentRegistry
    ) -> Described | None:
        if not path.startswith(ROOT):
            return None
        view: Any = self.view
        is_read = method.upper() in SAFE_METHODS
        told: Described = {
            "operationId": _name(path, method),
            "summary": f"{method.upper()} {path.removeprefix(ROOT)}",
            "description": _said(view, is_read=is_read),
            "tags": [path.removeprefix(ROOT).split("/")[0]],
            "parameters": [*_of_path(path), *(_of_query(view, path) if method.upper() == "GET" else ())],
            "security": [{"token": []}, {"session": []}],
            "responses": _answers(view, path, method),
        }
        if not is_read:
            told["parameters"].append(_header("Idempotency-Key", "The same key again gets the same answer for 24 h."))
            told["requestBody"] = _body(view, _key(path, method))
        return told


def _name(path: str, method: str) -> str:
    words = re.sub(r"[^A-Za-z0-9]+", "_", path.removeprefix(ROOT)).strip("_")
    return f"{method.lower()}_{words}"


def _said(view: Any, *, is_read: bool) -> str:
    needed = view.reads if is_read else view.needs
    scope = Scope.READ if is_read else view.scope
    more = f" It needs the permission `{needed}`." if needed else ""
    return f"{inspect.getdoc(type(view)) or ''}\n\nA token must have the scope `{scope}`.{more}".strip()


def _key(path: str, method: str) -> str:
    return bodies.key(path.removeprefix(ROOT), method)


def _body(view: Any, key: str) -> Described:
    required, optional, example = bodies.described(view, key)
    schema: Described = {"type": "object", "properties": {**required, **optional}}
    if required:
        schema["required"] = list(required)
    content: Described = {"schema": schema, "example": dict(example)}
    return {"required": bool(required), "content": {"application/json": content}}


def _answers(view: Any, path: str, method: str) -> Described:
    is_read = method.upper() in SAFE_METHODS
    good: Described = {"description": "Done.", "content": {"application/json": {"schema": {"type": "object"}}}}
    if (example := examples().get(_key(path, method))) is not None:
        good["content"]["application/json"]["example"] = example
    if is_read and (getattr(view, "listing", None) is not None or path.endswith("/backtests/{id}")):
        good["content"]["text/csv"] = {"schema": TEXT}
    left_out = {"409", "413"} if is_read else {"304"}
    refusals: Described = {
        status: {"$ref": f"#/components/responses/{status}"}
        for status in COMPONENTS["responses"]
        if status not in left_out
    }
    if path == f"{ROOT}health":
        content = {**good["content"], **_PROBLEM}
        refusals["503"] = {
            "description": "Something is not well: what answers 200 else, or a problem.",
            "content": content,
        }
    more = {"201": good, "202": good, "204": {"description": "Done, and nothing to tell."}}
    return {"200": good, **({} if is_read else more), **refusals}


@cache
def examples() -> dict[str, Any]:
    """Return what each operation has really answered, as a test wrote it down."""
    found: dict[str, Any] = json.loads((Path(__file__).parent / "examples.json").read_text())
    return found


def _of_path(path: str) -> list[Described]:
    names = re.findall(r"{(\w+)}", path)
    kinds = {key: {"type": "integer", "minimum": 1} for key in ("pk", "id")}
    return [{"name": name, "in": "path", "required": True, "schema": kinds.get(name, TEXT)} for name in names]


def _of_query(view: Any, path: str) -> list[Described]:
    key = _key(path, "get").removeprefix("GET ")
    asked = [
        {**_query(name, "", schema), "required": (key, name) in questions.REQUIRED}
        for name, schema in questions.QUERIES.get(key, {}).items()
    ]
    return [*asked, *_of_list(view)]


def _of_list(view: Any) -> list[Described]:
    listing = getattr(view, "listing", None)
    if listing is None:
        return []
    sorts = [name for sort in listing.sorts for name in (sort, f"-{sort}")]
    paging = (
        _query("sort", "A minus before it turns it round.", {"type": "string", "enum": sorts}),
        _query("limit", "Rows of one answer.", {"type": "integer", "minimum": 1, "maximum": 500, "default": 50}),
        _query("cursor", "`next` of the answer before.", {"type": "string", "pattern": "^[1-9][0-9]{0,17}$"}),
        _query("format", "csv: all rows as a file.", {"type": "string", "enum": ["json", "csv"]}),
    )
    return [*(_of_filter(filter) for filter in listing.filters), *paging]


def _of_filter(filter: Filter) -> Described:
    kind: Described = {"type": "string"}
    if filter.choices:
        kind["enum"] = [value for value, _ in filter.choices]
    elif filter.kind == "date":
        kind |= {"description": "ISO 8601.", "example": "2026-03-01T12:00:00Z"}
    else:
        kind["maxLength"] = 100
    return _query(filter.name, filter.label, kind)


def _query(name: str, text: str, schema: Described) -> Described:
    return {"name": name, "in": "query", "required": False, "description": text, "schema": schema}


def _header(name: str, text: str) -> Described:
    return {"name": name, "in": "header", "required": False, "description": text, "schema": TEXT}
