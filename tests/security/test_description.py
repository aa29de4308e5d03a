"""The API's description: complete, valid, true to the permissions, and readable without the world outside."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.management import call_command
from django.test import Client

from tests import factories
from tests.security.test_matrix import UNSAFE, api, methods_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def schema() -> Any:
    client = Client()
    client.force_login(factories.user("vera", is_staff=False))
    return client.get("/api/schema?format=json").json()


def test_every_method_of_every_address_is_described_with_what_it_needs(schema: Any) -> None:
    described = {(method, path) for path, methods in schema["paths"].items() for method in methods}
    views = api()

    assert len(described) == sum(len(methods_of(view)) for _, _, view in views)
    for path, methods in schema["paths"].items():
        for method, told in methods.items():
            assert {"401", "403", "422", "429"} <= set(told["responses"]), (method, path)
            has_key = any(each["name"] == "Idempotency-Key" for each in told["parameters"])
            assert has_key is (method in UNSAFE), (method, path)
            assert "A token must have the scope" in told["description"]
    state = schema["paths"]["/api/v1/trading-state"]["post"]
    assert "`trading.change_trading_state`" in state["description"]
    assert state["requestBody"]["content"]["application/json"]["example"] == {"state": "halted", "reason": "looks odd"}


def test_filters_of_lists_are_described(schema: Any) -> None:
    told = {each["name"]: each["schema"] for each in schema["paths"]["/api/v1/audit"]["get"]["parameters"]}

    assert told["outcome"]["enum"] == ["done", "refused"]
    assert told["sort"]["enum"] == ["number", "-number", "at", "-at"]
    assert {"actor", "since", "until", "cursor", "limit", "format"} <= set(told)


def test_it_is_valid_openapi_and_nothing_in_it_had_to_be_guessed(tmp_path: Any) -> None:
    call_command("spectacular", validate=True, fail_on_warn=True, file=str(tmp_path / "schema.yml"))

    assert (tmp_path / "schema.yml").stat().st_size > 10_000


@pytest.mark.parametrize("path", ["/api/docs", "/api/redoc", "/api/schema"])
def test_it_is_behind_the_log_in_and_names_no_other_host(path: str) -> None:
    client = Client()
    client.force_login(factories.user("vera", is_staff=False))

    assert Client().get(path).status_code in (302, 401)
    page = client.get(path).content.decode()
    assert "https://" not in page.replace("https://julaba", "")
    assert "//cdn" not in page
