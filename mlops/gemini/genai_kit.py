"""Gemini through google-genai; it speaks HTTP through our own wire, once and without trying again."""

from __future__ import annotations

import threading
from functools import lru_cache

import httpx
from google import genai
from google.genai import errors, types

from mlops.gemini.kits import Call, Told
from mlops.gemini.wire import Wire

FAILURES = (errors.APIError, httpx.HTTPError, ValueError, TypeError, LookupError, AttributeError)


_way = threading.local()
"""The wire of the call that this thread makes: making a client takes a third of a second, so it is kept."""


class _Transport(httpx.BaseTransport):
    """The wire as httpx uses it."""

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        wire: Wire = _way.wire
        answered = wire.exchange(
            method=request.method, url=str(request.url), headers=dict(request.headers), body=request.read()
        )
        return httpx.Response(
            answered.status, headers={"Content-Type": "application/json"}, content=answered.body, request=request
        )


def generate(call: Call) -> Told:
    _way.wire = Wire(endpoint=call.endpoint, deadline=call.deadline)
    config = types.GenerateContentConfig(
        system_instruction=call.rules,
        max_output_tokens=call.most_tokens,
        candidate_count=1,
        response_mime_type="application/json" if call.schema is not None else "text/plain",
        response_json_schema=dict(call.schema) if call.schema is not None else None,
        automatic_function_calling=types.AutomaticFunctionCallingConfig(disable=True),
    )
    client = _client(call.key, call.endpoint)
    answer = client.models.generate_content(model=call.model, contents=call.content, config=config)
    usage = answer.usage_metadata
    prompt, total = (usage.prompt_token_count or 0, usage.total_token_count or 0) if usage else (0, 0)
    parts = answer.candidates[0].content.parts if answer.candidates and answer.candidates[0].content else None
    text = "".join(part.text or "" for part in parts or ())
    return Told(text=text, tokens_in=prompt, tokens_out=max(0, total - prompt))


@lru_cache(maxsize=1)
def _client(key: str, endpoint: str) -> genai.Client:
    options = types.HttpOptions(
        base_url=f"{endpoint}/",
        api_version="v1beta",
        client_args={"transport": _Transport(), "trust_env": False},
        retry_options=types.HttpRetryOptions(attempts=1),
    )
    return genai.Client(api_key=key, vertexai=False, http_options=options)
