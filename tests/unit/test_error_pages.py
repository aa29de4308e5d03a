"""What is shown when a page cannot be made: without a connection to the database another try is worth it."""

from __future__ import annotations

import pytest
from django.db import OperationalError
from django.http import HttpResponse
from django.test import RequestFactory

from dashboard.views import errors


def answer_to(error: Exception, path: str) -> HttpResponse:
    try:
        raise error
    except type(error):
        return errors.failed(RequestFactory().get(path))


@pytest.mark.parametrize("path", ["/", "/api/v1/trades/"])
def test_without_a_connection_to_the_database_people_are_asked_to_try_again(path: str) -> None:
    answer = answer_to(OperationalError("couldn't get a connection after 5.00 sec"), path)

    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
    assert "try again in a few seconds" in answer.content.decode()
    assert "couldn't" not in answer.content.decode()


@pytest.mark.parametrize("path", ["/", "/api/v1/trades/"])
def test_any_other_failure_is_written_down(path: str) -> None:
    answer = answer_to(ValueError("a mistake of ours"), path)

    assert (answer.status_code, answer.headers.get("Retry-After")) == (500, None)
