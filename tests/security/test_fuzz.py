"""Every operation of the API's description, asked by machine with what it allows and with what it forbids.

Nothing may fail on our side, answer what is not described, or take what the description refuses. The cases are the same in
each run; HYPOTHESIS_PROFILE=explore and FUZZ_EXAMPLES=200 look further.
"""

from __future__ import annotations

import os
from collections import Counter
from typing import Any

import hypothesis
import pytest
import schemathesis
from django.utils import timezone
from hypothesis import HealthCheck, Phase
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import Failure, FailureGroup
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_schema_conformance,
    status_code_conformance,
)

from dashboard import limits
from julaba_site.wsgi import application
from tests import api_world

pytestmark = [pytest.mark.django_db, pytest.mark.filterwarnings("ignore"), pytest.mark.timeout(600)]
EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "4"))
ALWAYS = [status_code_conformance, content_type_conformance, response_schema_conformance, negative_data_rejection]
UNWELL = "/api/v1/health"
"""Its 503 is an answer: no Redis runs beside the tests."""
SETTINGS = hypothesis.settings(
    max_examples=EXAMPLES,
    deadline=None,
    database=None,
    derandomize=os.environ.get("HYPOTHESIS_PROFILE") != "explore",
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)


@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE])
def test_nothing_that_can_be_asked_breaks_anything(mode: GenerationMode, monkeypatch: pytest.MonkeyPatch) -> None:
    now = timezone.now()
    limits.forget()
    monkeypatch.setattr(limits, "take", lambda key, **how: True)
    headers = {"Authorization": f"Bearer {api_world.token_of(api_world.fill(now), now)}"}
    schema = schemathesis.openapi.from_wsgi("/api/schema?format=json", application, headers=headers)
    asked, wrong = Counter[str](), {}
    for found in schema.get_all_operations():
        operation: Any = found.ok()  # type: ignore[union-attr]  # one that cannot be read fails here
        checks = ALWAYS if operation.path == UNWELL else [*ALWAYS, not_a_server_error]
        ask = hypothesis.given(case=operation.as_strategy(generation_mode=mode))(asking(headers, checks, asked))
        try:
            SETTINGS(ask)()
        except hypothesis.errors.Unsatisfiable:
            # Nothing can be wrong about an address without a question.
            assert mode is GenerationMode.NEGATIVE, operation.label
        except (FailureGroup, Failure) as failure:
            wrong[operation.label] = told(failure)

    assert wrong == {}, "\n".join(f"{label}: {parts}" for label, parts in wrong.items())
    assert asked.total() > 100


def asking(headers: dict[str, str], checks: list[Any], asked: Counter[str]) -> Any:
    def ask(case: Any) -> None:
        asked[case.operation.label] += 1
        case.call_and_validate(headers=headers, checks=checks)

    return ask


def told(failure: BaseException) -> list[str]:
    parts = failure.exceptions if isinstance(failure, BaseExceptionGroup) else [failure]
    return [f"{getattr(each, 'title', '')}: {str(each)[:600]}" for each in parts]
