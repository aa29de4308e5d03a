"""The web process's own way from ASGI to Django: the same answers as Django's, in threads that stay."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest
from django.contrib.auth.decorators import login_not_required
from django.core.handlers.asgi import ASGIHandler
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.test import override_settings
from django.urls import path
from pytest_django import Settings

from dashboard import handler
from dashboard.handler import Handler
from dashboard.health_views import livez

Messages = list[dict[str, Any]]


@login_not_required
def whose(request: HttpRequest) -> HttpResponse:
    answer = HttpResponse(f"{threading.current_thread().name} {request.body.decode()}")
    answer.set_cookie("a", "1")
    answer.set_cookie("b", "2")
    return answer


@login_not_required
def parts(request: HttpRequest) -> StreamingHttpResponse:
    return StreamingHttpResponse(iter([b"one ", b"two"]))


@login_not_required
def broken(request: HttpRequest) -> HttpResponse:
    raise RuntimeError("a view that fails")


urlpatterns = [path("livez", livez), path("whose", whose), path("parts", parts), path("broken", broken)]
handler400, handler404, handler500 = (
    f"dashboard.views.errors.{name}" for name in ("bad_request", "not_found", "failed")
)


@pytest.fixture(autouse=True)
def _addresses(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    # However busy the machine is, nobody is sent away but where that is tested.
    monkeypatch.setattr(handler, "PATIENCE_S", 600.0)
    settings.ROOT_URLCONF = __name__
    settings.ALLOWED_HOSTS = ["testserver"]
    # No request here asks the database.
    settings.MIDDLEWARE = [each for each in settings.MIDDLEWARE if "SessionMiddleware" not in each][:6]


def ask(
    app: Any, address: str, *, method: str = "GET", body: tuple[bytes, ...] = (b"",), gone: bool = False
) -> Messages:
    """Ask, with the body in parts, and return the messages of the answer; `gone`: the browser leaves before the last part."""
    scope = {
        "type": "http", "http_version": "1.1", "method": method, "scheme": "http", "path": address, "raw_path": b"",
        "query_string": b"", "root_path": "", "headers": [(b"host", b"testserver"), (b"x-request-id", b"1234567890")],
        "client": ("127.0.0.1", 1), "server": ("testserver", 80),
    }  # fmt: skip
    coming: Messages = [
        {"type": "http.request", "body": part, "more_body": number < len(body) - 1} for number, part in enumerate(body)
    ]
    if gone:
        coming[-1] = {"type": "http.disconnect"}
    sent: Messages = []

    async def receive() -> dict[str, Any]:
        if coming:
            return coming.pop(0)
        await asyncio.sleep(60)
        return {"type": "http.disconnect"}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    asyncio.run(asyncio.wait_for(app(scope, receive, send), 60))
    return sent


def shape(sent: Messages) -> tuple[int, list[tuple[bytes, bytes]], bytes]:
    begin, *bodies = sent
    assert [each.get("more_body", False) for each in bodies] == [True] * (len(bodies) - 1) + [False]
    # Django puts the one in another order each time, and in the other is the time.
    headers = [each for each in begin["headers"] if each[0] not in (b"Content-Security-Policy", b"Expires")]
    return begin["status"], sorted(headers), b"".join(each.get("body", b"") for each in bodies)


# Django's own says it of every iterator that is not asynchronous.
@pytest.mark.filterwarnings("ignore:StreamingHttpResponse must consume")
@pytest.mark.parametrize("address", ["/livez", "/parts", "/nowhere", "/broken"])
def test_answers_are_those_of_djangos_own_handler(address: str) -> None:
    assert shape(ask(Handler(), address)) == shape(ask(ASGIHandler(), address))


def test_cookies_and_a_body_in_parts_pass() -> None:
    status, headers, body = shape(ask(Handler(), "/whose", method="POST", body=(b"a", b"b")))

    assert status == 200 or b"403" in body
    assert [value for name, value in headers if name == b"Set-Cookie"] == [b"a=1; Path=/", b"b=2; Path=/"]
    assert body.endswith(b" ab")


def test_requests_one_after_another_share_their_thread() -> None:
    app = Handler()

    names = {shape(ask(app, "/whose"))[2] for _ in range(20)}

    # A thread is free a moment after its answer has gone, so a second one may have been made.
    assert len(names) <= 2
    assert all(name.startswith(b"request") for name in names)


def test_who_waited_too_long_is_told_to_come_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(handler, "PATIENCE_S", -1.0)

    status, headers, _ = shape(ask(Handler(), "/whose"))

    assert (status, dict(headers)[b"Retry-After"]) == (503, b"5")


def test_who_left_before_the_body_was_there_is_not_answered() -> None:
    assert ask(Handler(), "/whose", method="POST", body=(b"a", b"b"), gone=True) == []


async def asked(app: Handler, *paths: str) -> None:
    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b""}

    async def send(message: dict[str, Any]) -> None: ...

    scope = {"type": "http", "method": "GET", "query_string": b"", "headers": [], "root_path": ""}
    await asyncio.gather(*(app({**scope, "path": path}, receive, send) for path in paths))


@override_settings(WEB_CONNECTIONS=4)
def test_no_more_threads_than_connections() -> None:
    app, inside, most = Handler(), [0], [0]
    begun = threading.Barrier(4, timeout=30)

    def busy(request: HttpRequest) -> HttpResponse:
        inside[0] += 1
        most[0] = max(most[0], inside[0])
        begun.wait()
        inside[0] -= 1
        return HttpResponse("done")

    app.get_response = busy  # type: ignore[method-assign]

    asyncio.run(asyncio.wait_for(asked(app, *["/", "/api/v1/trades"] * 4), 60))

    assert most[0] == 4


def test_programs_that_ask_for_much_keep_no_page_waiting() -> None:
    app, may_end, shown = Handler(), threading.Event(), []

    def answered(request: HttpRequest) -> HttpResponse:
        if request.path.startswith("/api/"):
            may_end.wait(30)
        else:
            shown.append(may_end.is_set())
            may_end.set()
        return HttpResponse("done")

    app.get_response = answered  # type: ignore[method-assign]

    asyncio.run(asyncio.wait_for(asked(app, *["/api/v1/trades"] * 20, "/"), 60))

    assert shown == [False]
