"""Headers on every class of answer: pages, files, problems, errors, the webhook, refused sockets; and the cookies."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Any

import pytest
from django.conf import settings as configured
from django.http import HttpResponse
from django.test import Client
from django.urls import path as address
from pytest_django import Settings

from dashboard import doors, routing
from dashboard.middleware import HEADERS
from julaba_site import urls as product
from tests import factories

pytestmark = pytest.mark.django_db

EVERYWHERE = {
    **HEADERS,
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Permitted-Cross-Domain-Policies": "none",
    "Permissions-Policy": HEADERS["Permissions-Policy"],
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}
SECURE = {"wsgi.url_scheme": "https"}


def broken(request: Any) -> HttpResponse:
    raise RuntimeError("the secret inside")


urlpatterns = [*product.urlpatterns, address("broken/", broken), address("api/v1/broken", broken)]
handler400, handler403, handler404, handler500 = (
    product.handler400,
    product.handler403,
    product.handler404,
    product.handler500,
)


@pytest.fixture
def root(settings: Settings) -> Client:
    settings.ROOT_URLCONF = __name__
    client = Client(raise_request_exception=False)
    client.force_login(factories.user("root"))
    return client


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/", 200),
        ("/login/", 302),
        ("/admin/", 200),
        ("/nowhere/", 404),
        ("/broken/", 500),
        ("/api/v1/version", 200),
        ("/api/v1/nowhere", 404),
        ("/api/v1/broken", 500),
        ("/api/docs", 200),
        ("/api/redoc", 200),
        ("/api/schema", 200),
        ("/static/dashboard/style.css", 200),
        ("/static/nowhere.css", 404),
        ("/telegram/webhook/guess", 404),
        ("/favicon.ico", 302),
    ],
)
def test_every_class_of_answer_carries_the_headers(root: Client, path: str, status: int) -> None:
    answer = root.get(path)

    assert answer.status_code == status
    for name, value in EVERYWHERE.items():
        assert answer.headers.get(name) == value, name
    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert len(answer.headers["X-Request-ID"]) == 32
    answer.close()


def test_errors_tell_nothing_of_what_happened_inside(root: Client) -> None:
    for path in ("/broken/", "/api/v1/broken"):
        answer = root.get(path)

        assert "secret inside" not in answer.content.decode()
        assert "Traceback" not in answer.content.decode()
        assert answer.headers["X-Request-ID"] in answer.content.decode() or path.startswith("/api/")
    assert root.get("/api/v1/nowhere").json()["status"] == 404
    assert root.get("/api/v1/broken").headers["Content-Type"] == "application/problem+json"


def test_a_request_keeps_the_id_that_the_proxy_gave_it_unless_it_is_none(client: Client) -> None:
    good = client.get("/login/", headers={"X-Request-ID": "0123456789abcdef"})
    bad = client.get("/login/", headers={"X-Request-ID": "x\x1b[31m injected"})

    assert good.headers["X-Request-ID"] == "0123456789abcdef"
    assert "injected" not in bad.headers["X-Request-ID"]


def test_trace_and_foreign_hosts_are_refused(client: Client) -> None:
    assert client.trace("/").status_code == 405
    assert client.get("/", headers={"Host": "evil.example"}).status_code == 400


def test_nobody_elses_pages_may_read_an_answer(client: Client) -> None:
    answer = client.get("/api/v1/version", headers={"Origin": "https://evil.example"})

    assert "Access-Control-Allow-Origin" not in answer.headers


def test_by_https_browsers_are_held_to_it_and_cookies_to_this_host(settings: Settings, client: Client) -> None:
    # As julaba_site.settings has it with HTTPS=1; tests/security/test_settings.py reads it there.
    settings.SECURE_SSL_REDIRECT, settings.SECURE_HSTS_SECONDS = True, 31_536_000
    settings.SECURE_HSTS_INCLUDE_SUBDOMAINS = settings.SECURE_HSTS_PRELOAD = True
    settings.SESSION_COOKIE_SECURE = settings.CSRF_COOKIE_SECURE = True
    settings.SESSION_COOKIE_NAME, settings.CSRF_COOKIE_NAME = "__Host-sessionid", "__Host-csrftoken"
    factories.user("olga")

    assert client.get("/login/").headers["Location"] == "https://testserver/login/"
    form = client.get("/login/", secure=True)
    done = client.post("/login/", {"username": "olga", "password": factories.PASSWORD}, secure=True)

    assert form.headers["Strict-Transport-Security"] == "max-age=31536000; includeSubDomains; preload"
    for answer, name in ((form, "__Host-csrftoken"), (done, "__Host-sessionid")):
        cookie = answer.cookies[name]
        assert (cookie["secure"], cookie["httponly"], cookie["path"], cookie["domain"]) == (True, True, "/", "")
        assert cookie["samesite"] == "Lax"


async def _asked(app: Any, scope: dict[str, Any], *bodies: bytes) -> list[Any]:
    """Return what an ASGI application sends for a request of these parts."""
    sent: list[Any] = []
    parts = [{"type": "http.request", "body": body, "more_body": True} for body in bodies]
    waiting = iter(
        [*parts, {"type": "http.disconnect"}]
        if bodies
        else [{"type": "websocket.connect"}, {"type": "websocket.disconnect", "code": 1006}]
    )

    async def receive() -> Any:
        return next(waiting)

    async def send(message: Any) -> None:
        sent.append(message)

    await asyncio.wait_for(app(scope, receive, send), 10)
    return sent


async def test_a_refused_socket_is_told_with_the_headers() -> None:
    scope = {
        "type": "websocket",
        "path": "/ws/live",
        "headers": [(b"origin", b"http://evil.example")],
        "extensions": {doors.REFUSAL: {}},
        "query_string": b"",
        "subprotocols": [],
    }

    start, body = await _asked(routing.application(None), scope)

    assert (start["type"], start["status"], body["body"]) == (f"{doors.REFUSAL}.start", 403, b"")
    told = {name.decode(): value.decode() for name, value in start["headers"]}
    assert {name.lower(): value for name, value in EVERYWHERE.items()}.items() <= told.items()


async def test_a_body_beyond_the_limit_is_not_read_to_its_end() -> None:
    taken = 0

    async def hungry(scope: Any, receive: Any, send: Any) -> None:
        nonlocal taken
        while (message := await receive())["type"] == "http.request":
            taken += len(message["body"])
        await send({"type": "http.response.start", "status": 200, "headers": []})

    megabyte = b"x" * (configured.MOST_BODY // 2)
    sent = await _asked(doors.limited(hungry), {"type": "http"}, *[megabyte] * 8)

    assert taken == 2 * len(megabyte)
    assert [message.get("status") for message in sent] == [413, None]
    assert dict(sent[0]["headers"])[b"x-frame-options"] == b"DENY"


async def test_a_body_that_drips_in_is_not_waited_for_and_an_answer_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doors, "BODY_S", 0.2)
    seen: list[str] = []
    sent: list[Any] = []
    parts = [{"type": "http.request", "body": b"x", "more_body": True}]

    async def patient(scope: Any, receive: Any, send: Any) -> None:
        message: dict[str, Any] = {"more_body": True}
        while message.get("more_body"):
            message = await receive()
            seen.append(message["type"])
        if message["type"] == "http.request":
            # As Django listens for the end while a view works.
            await _is_over(receive(), within=0.5)
            await send({"type": "http.response.start", "status": 200, "headers": []})

    async def receive() -> Any:
        return parts.pop() if parts else await asyncio.sleep(60)

    async def send(message: Any) -> None:
        sent.append(message)

    assert await _is_over(doors.limited(patient)({"type": "http"}, receive, send), within=10)
    assert (seen, [message.get("status") for message in sent]) == (["http.request", "http.disconnect"], [408, None])

    seen.clear()
    sent.clear()
    parts.append({"type": "http.request", "body": b"x", "more_body": False})
    assert await _is_over(doors.limited(patient)({"type": "http"}, receive, send), within=10)
    assert (seen, [message.get("status") for message in sent]) == (["http.request"], [200])


async def _is_over(work: Awaitable[Any], *, within: float) -> bool:
    """Return whether something ends by itself in so many seconds; it is ended then."""
    task = asyncio.ensure_future(work)
    _, waiting = await asyncio.wait([task], timeout=within)
    for each in waiting:
        each.cancel()
    await asyncio.gather(task, return_exceptions=True)
    return not waiting and task.exception() is None


def test_the_policy_of_contents_runs_nothing_that_stands_in_a_page_or_comes_from_elsewhere() -> None:
    told = Client().get("/login/").headers["Content-Security-Policy"]

    policy = {words[0]: words[1:] for part in told.split(";") if (words := part.split())}
    assert (policy["default-src"], policy["script-src"]) == (["'none'"], ["'self'"])
    for name in ("object-src", "base-uri", "frame-ancestors"):
        assert policy.get(name, policy["default-src"]) == ["'none'"]
    assert not [
        words for words in policy.values() if {"'unsafe-inline'", "'unsafe-eval'", "*", "http:", "https:"} & {*words}
    ]


@pytest.mark.parametrize(("scheme", "is_let_in"), [("ws", False), ("wss", True), (None, False)])
async def test_where_there_is_https_a_socket_in_the_open_is_refused(
    scheme: str | None, is_let_in: bool, settings: Settings
) -> None:
    settings.HTTPS = True
    reached: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        reached.append(scope)

    scope = {"type": "websocket", "extensions": {doors.REFUSAL: {}}, **({"scheme": scheme} if scheme else {})}
    sent = await _asked(doors.refusing(app), scope)

    assert bool(reached) is is_let_in
    assert [message["status"] for message in sent if "status" in message] == ([] if is_let_in else [403])
