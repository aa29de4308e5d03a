"""Gemini through google-generativeai over REST; it speaks HTTP through our own wire, once and without trying again."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from threading import Lock
from typing import Any

import requests
from google.api_core.exceptions import GoogleAPIError
from google.auth.exceptions import GoogleAuthError
from google.protobuf.json_format import ParseError
from requests.adapters import BaseAdapter

# The package's maintenance has ended, and it says so each time it is imported. It is offered because operators ask for
# it; GEMINI_SDK=genai is the one that is maintained. This is the one place where its warning is silenced.
with warnings.catch_warnings():
    warnings.filterwarnings("ignore", message=r"(?s).*google\.generativeai", category=FutureWarning)
    from google.generativeai.client import configure, get_default_generative_client
    from google.generativeai.generative_models import GenerativeModel

from mlops.gemini.kits import Call, Told
from mlops.gemini.wire import Wire

FAILURES = (
    *(GoogleAPIError, GoogleAuthError, ParseError, requests.RequestException),
    *(ValueError, TypeError, LookupError, AttributeError),
)
_one_at_a_time = Lock()
"""The package keeps its key and its client in a global."""


class _Adapter(BaseAdapter):
    """The wire as requests uses it."""

    def __init__(self, wire: Wire) -> None:
        super().__init__()
        self._wire = wire

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
        body = request.body if isinstance(request.body, bytes) else str(request.body or "").encode()
        answered = self._wire.exchange(
            method=request.method or "",
            url=request.url or "",
            headers={str(name): str(value) for name, value in request.headers.items()},
            body=body,
        )
        made = requests.Response()
        made.status_code, made.url, made.request = answered.status, request.url or "", request
        made.headers["Content-Type"], made.encoding = "application/json", "utf-8"
        made._content = answered.body  # noqa: SLF001 - requests has no other way to give it bytes that are read
        return made

    def close(self) -> None:
        return


def generate(call: Call) -> Told:
    config: Any = {"max_output_tokens": call.most_tokens, "candidate_count": 1}
    if call.schema is not None:
        config |= {"response_mime_type": "application/json", "response_schema": _as_proto(call.schema)}
    once: Any = {"retry": None}
    with _one_at_a_time:
        configure(api_key=call.key, transport="rest", client_options={"api_endpoint": call.endpoint})
        over: Any = get_default_generative_client().transport
        session = over._session  # noqa: SLF001 - the only way to its connections
        session.trust_env = False
        session.adapters.clear()
        session.mount(f"{call.endpoint}/", _Adapter(Wire(endpoint=call.endpoint, deadline=call.deadline)))
        model = GenerativeModel(call.model, system_instruction=call.rules, generation_config=config)
        answer = model.generate_content(call.content, request_options=once)
    usage = answer.usage_metadata
    text = "".join(part.text for part in answer.candidates[0].content.parts)
    prompt, total = int(usage.prompt_token_count), int(usage.total_token_count)
    return Told(text=text, tokens_in=prompt, tokens_out=max(0, total - prompt))


def _as_proto(schema: Mapping[str, Any]) -> dict[str, Any]:
    """Return a JSON schema in the older form that this package sends: types in capitals, without what it lacks."""
    made: dict[str, Any] = {"type": str(schema["type"]).upper()}
    if "enum" in schema:
        made |= {"enum": list(schema["enum"]), "format": "enum"}
    if "properties" in schema:
        made["properties"] = {name: _as_proto(each) for name, each in schema["properties"].items()}
        made["required"] = list(schema.get("required", ()))
    if "items" in schema:
        made["items"] = _as_proto(schema["items"])
    for ours, theirs in (("minItems", "min_items"), ("maxItems", "max_items")):
        if ours in schema:
            made[theirs] = schema[ours]
    return made
