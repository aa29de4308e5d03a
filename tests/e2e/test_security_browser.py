"""Security in a real browser: no page breaks its own policy, the readers of the API work by it, and a person sets up a second step."""

from __future__ import annotations

from base64 import b32decode
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
from django_otp.oath import totp

from tests.e2e import site as sites
from tests.e2e.screenshots import PAGES

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page

pytestmark = sites.BROWSER

LISTEN = """
window.broken = [];
document.addEventListener("securitypolicyviolation", (event) =>
  window.broken.push(`${event.violatedDirective} ${event.blockedURI} ${event.sourceFile}:${event.lineNumber}`));
"""
ACCOUNT = ("/account/", "/account/devices/new/", "/account/confirm/", "/audit/", "/audit/?check=1", "/nowhere/")
ADMIN = (
    *("/admin/", "/admin/auth/user/", "/admin/auth/user/1/change/", "/admin/auth/user/1/password/"),
    *("/admin/trading/parameterrevision/", "/admin/trading/parameterrevision/add/", "/admin/trading/trade/"),
    *("/admin/dashboard/apitoken/", "/admin/dashboard/sessionrecord/", "/admin/notifications/contact/add/"),
)


@pytest.fixture(scope="module")
def site() -> Iterator[sites.Site]:
    with sites.serve() as running:
        running.do("from tests import page_factories; page_factories.fill(now)")
        yield running


@pytest.fixture(scope="module")
def session(browser: Browser, site: sites.Site) -> Iterator[BrowserContext]:
    with sites.session(browser, site, script=LISTEN) as context:
        yield context


@pytest.fixture
def page(session: BrowserContext) -> Iterator[Page]:
    opened = session.new_page()
    yield opened
    opened.close()


def broken(page: Page) -> list[str]:
    found: list[str] = page.evaluate("window.broken")
    return found


def test_no_page_and_no_page_of_the_administration_breaks_the_policy(page: Page, site: sites.Site) -> None:
    for path in (*PAGES.values(), *ACCOUNT, *ADMIN, "/trades/1/", "/signals/1/", "/login/"):
        answer = page.goto(site.url + path)
        assert answer is not None
        assert answer.status == (404 if path == "/nowhere/" else 200), path
        assert broken(page) == [], path


def test_the_policy_is_in_force(page: Page, site: sites.Site) -> None:
    page.goto(site.url)
    page.evaluate(
        "const planted = document.createElement('script'); planted.textContent = 'window.ran = 1';"
        "document.body.append(planted)"
    )

    assert page.evaluate("window.ran") is None
    assert len(broken(page)) == 1


def test_the_readers_of_the_api_load_nothing_from_elsewhere(page: Page, site: sites.Site) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))

    page.goto(f"{site.url}/api/docs#/version/get_version")  # which opens it: of so many, only those in sight are drawn
    page.get_by_role("button", name="Try it out").click()
    page.get_by_role("button", name="Execute").click()
    page.locator(".live-responses-table").get_by_text("api_version").first.wait_for()
    assert broken(page) == []

    page.goto(f"{site.url}/api/redoc")
    page.get_by_role("heading", name="GET version").first.wait_for()
    assert broken(page) == []
    assert [url for url in asked if not url.startswith((site.url, "data:", "blob:"))] == []


def test_a_person_sets_up_a_second_step_and_makes_a_token(browser: Browser, site: sites.Site) -> None:
    site.do(f"factories.user('olga', is_staff=False, password={sites.PASSWORD!r})")
    context = browser.new_context(viewport={"width": 360, "height": 780})
    page = context.new_page()
    page.goto(site.url)
    page.get_by_label("Username").fill("olga")
    page.get_by_label("Password").fill(sites.PASSWORD)
    page.get_by_role("button", name="Log in").click()
    page.goto(f"{site.url}/account/")
    page.get_by_label("What for").fill("my script")
    page.get_by_role("button", name="Make a token").click()
    assert page.locator(".once code.secret").inner_text().startswith("jlb_")

    page.get_by_role("button", name="Set up an authenticator").click()
    key = page.locator("code.secret").inner_text().replace(" ", "")
    page.get_by_label("Type the code that it shows").fill(code_of(key))
    page.get_by_role("button", name="Take it into use").click()
    assert page.locator(".codes code").count() == 10
    for path in ("/account/", "/account/confirm/"):
        page.goto(site.url + path)
        assert page.evaluate("document.documentElement.scrollWidth") <= 360, path

    page.locator("summary", has_text="olga").click()
    page.get_by_role("button", name="Log out").click()
    page.get_by_label("Username").fill("olga")
    page.get_by_label("Password").fill(sites.PASSWORD)
    page.get_by_role("button", name="Log in").click()
    page.get_by_role("heading", name="Second step").wait_for()
    context.close()


def code_of(key: str) -> str:
    """Return what an authenticator with this key shows now."""
    return f"{totp(b32decode(key)):06d}"
