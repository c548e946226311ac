"""What strangers try on a web UI: foreign hosts and sites, scripts in job fields, guessed passwords."""

from __future__ import annotations

import asyncio
import logging
import re
from html.parser import HTMLParser

import pytest

from heroredis.clock import ManualClock
from heroredis.extension import JobRefused
from tests.ui.conftest import RunningUi, StartUi
from ui.extension import UiService
from ui.security import CSP

PASSWORD = "canary-password-7f3a"
OWN = {"Sec-Fetch-Site": "same-origin"}
PAYLOADS = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "' onmouseover='alert(1)",
    "</textarea><svg onload=alert(1)>",
    "javascript:alert(1)",
    "{{ 7*7 }}{% raw %}",
    "</pre><iframe src=//evil.example>",
]


class Markup(HTMLParser):
    """Collects the tags and attribute names that a browser would see."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.links: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag if tag != "script" or dict(attrs).get("src") == "/static/ui.js" else "foreign script")
        self.attributes.update(name for name, _ in attrs)
        self.links += [value or "" for name, value in attrs if name in ("href", "src", "action")]


def assert_no_foreign_markup(page: str) -> None:
    markup = Markup(page)
    assert not markup.tags & {"foreign script", "svg", "iframe"}
    assert not [name for name in markup.attributes if name.startswith("on") or name == "style"]
    assert all(link.startswith(("/", "#")) for link in markup.links)


@pytest.mark.parametrize("payload", PAYLOADS)
async def test_job_fields_never_become_markup(ui: RunningUi, payload: str) -> None:
    data = payload.encode()
    await ui.jobs.create_job(payload, data)
    fields = {"reason": payload, "worker": payload, "by": payload, "tags": (payload,)}
    ui.jobs.change(1, state="error", result=data, error=data, traceback=data, **fields)
    for path in ("/", "/jobs", "/jobs/1"):
        _, page, _ = await ui.call("GET", path)
        assert_no_foreign_markup(page)
    _, page, _ = await ui.call("GET", "/jobs", params={"topic": payload})
    assert_no_foreign_markup(page)
    ui.jobs.refuse = JobRefused("REFUSED", payload)
    _, page, _ = await ui.call("POST", "/jobs", data={"topic": payload, "params": payload}, headers=OWN)
    assert_no_foreign_markup(page)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/"),
        ("GET", "/jobs"),
        ("GET", "/nothing"),
        ("GET", "/jobs/7"),
        ("GET", "/static/ui.js"),
        ("GET", "/static/../auth.py"),
        ("GET", "/api/topics"),
        ("GET", "/api/jobs/x"),
        ("POST", "/jobs"),
        ("DELETE", "/"),
        ("TRACE", "/"),
    ],
)
async def test_headers_on_every_response(ui: RunningUi, method: str, path: str) -> None:
    _, _, headers = await ui.call(method, path)
    assert headers["Content-Security-Policy"] == CSP
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["Cross-Origin-Opener-Policy"] == headers["Cross-Origin-Resource-Policy"] == "same-origin"


async def test_pages_have_nothing_inline(ui: RunningUi) -> None:
    await ui.jobs.create_job("t", b"p")
    for path in ("/", "/jobs", "/jobs/1"):
        _, page, _ = await ui.call("GET", path)
        assert not re.search(r"<script(?![^>]*\ssrc=)|<style|\sstyle=|\son[a-z]+=|https?://", page)


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:{port}", "localhost", "127.0.0.1:1", "localhost.:{port}", ""]
)
async def test_wrong_host(ui: RunningUi, host: str) -> None:
    status, _, headers = await ui.call("GET", "/api/topics", headers={"Host": host.format(port=ui.port)})
    assert status in (400, 421)
    if host:
        assert headers["Content-Security-Policy"] == CSP


async def test_right_hosts(start_ui: StartUi) -> None:
    ui = await start_ui(allowed_hosts=("box.lan", "proxy.example:443"))
    for host in (
        f"localhost:{ui.port}",
        f"LOCALHOST:{ui.port}",
        f"[::1]:{ui.port}",
        f"box.lan:{ui.port}",
        "proxy.example:443",
    ):
        status, _, _ = await ui.call("GET", "/", headers={"Host": host})
        assert status == 200, host
    status, _, _ = await ui.call("GET", "/", headers={"Host": "proxy.example"})
    assert status == 421


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:1"},
        {"Sec-Fetch-Site": "same-origin", "Origin": "http://evil.example"},
        {"Sec-Fetch-Site": "cross-site", "Content-Type": "application/json"},
        {"Content-Type": "text/plain"},
        {},
    ],
)
async def test_foreign_changes_are_refused(ui: RunningUi, headers: dict[str, str]) -> None:
    for path in ("/jobs", "/api/jobs", "/logout"):
        status, _, _ = await ui.call("POST", path, data={"topic": "t", "params": ""}, headers=headers)
        assert status == 403, path
    assert not ui.jobs.versions


async def test_own_origin_is_enough(ui: RunningUi) -> None:
    origin = {"Origin": ui.url.rstrip("/")}
    status, _, _ = await ui.call("POST", "/jobs", data={"topic": "t"}, headers=origin)
    assert status == 303


async def test_wrong_types_are_refused(ui: RunningUi) -> None:
    status, _, _ = await ui.call("POST", "/api/jobs", data={"topic": "t"}, headers=OWN)
    assert status == 415
    status, _, _ = await ui.call("POST", "/jobs", json={"topic": "t"})
    assert status == 415
    assert not ui.jobs.versions


async def test_get_changes_nothing(ui: RunningUi) -> None:
    for path in ("/jobs?topic=a&params=b", "/api/jobs?topic=a", "/logout", "/login"):
        await ui.call("GET", path)
    assert not ui.jobs.versions


async def test_long_header_and_line_are_refused(ui: RunningUi) -> None:
    status, _, _ = await ui.call("GET", "/", headers={"X-Long": "x" * 20_000})
    assert status in (400, 431)
    status, _, _ = await ui.call("GET", "/?" + "x" * 20_000)
    assert status in (400, 414)


async def test_failure_inside_is_not_shown(ui: RunningUi, caplog: pytest.LogCaptureFixture) -> None:
    def broken() -> None:
        raise RuntimeError("secret detail")

    ui.jobs.topics = broken  # type: ignore[assignment, method-assign]
    with caplog.at_level(logging.CRITICAL, "heroredis.ui"):
        status, body, headers = await ui.call("GET", "/")
    assert status == 500
    assert "secret detail" not in body
    assert headers["Content-Security-Policy"] == CSP


async def test_login_round(start_ui: StartUi) -> None:
    ui = await start_ui(PASSWORD)
    status, _, headers = await ui.call("GET", "/jobs?state=new")
    assert (status, headers["Location"]) == (303, "/login?next=%2Fjobs%3Fstate%3Dnew")
    for path in ("/api/topics", "/events"):
        status, _, _ = await ui.call("GET", path)
        assert status == 401
    status, page, _ = await ui.call("POST", "/login", data={"password": "wrong"}, headers=OWN)
    assert status == 401
    assert "not the password" in page
    form = {"password": PASSWORD, "next": "/jobs?state=new"}
    status, _, headers = await ui.call("POST", "/login", data=form, headers=OWN)
    assert (status, headers["Location"]) == (303, "/jobs?state=new")
    assert "HttpOnly" in headers["Set-Cookie"]
    assert "SameSite=Strict" in headers["Set-Cookie"]
    status, page, _ = await ui.call("GET", "/")
    assert status == 200
    assert PASSWORD not in page
    await ui.call("POST", "/logout", headers=OWN)
    status, _, _ = await ui.call("GET", "/")
    assert status == 303


async def test_logout_ends_the_session_itself(start_ui: StartUi) -> None:
    ui = await start_ui(PASSWORD)
    _, _, headers = await ui.call("POST", "/login", data={"password": PASSWORD}, headers=OWN)
    cookie = headers["Set-Cookie"].partition(";")[0]
    await ui.call("POST", "/logout", headers=OWN)
    status, _, _ = await ui.call("GET", "/api/topics", headers={"Cookie": cookie})
    assert status == 401


async def test_session_ends_by_time(start_ui: StartUi) -> None:
    ui = await start_ui(PASSWORD)
    await ui.call("POST", "/login", data={"password": PASSWORD}, headers=OWN)
    assert (await ui.call("GET", "/api/topics"))[0] == 200
    ui.clock.advance(12 * 3600 * 1000)
    assert (await ui.call("GET", "/api/topics"))[0] == 401


@pytest.mark.parametrize("target", ["//evil.example", "/\\evil.example", "https://evil.example", "/a\r\nX: y", "evil"])
async def test_login_leads_to_this_site_only(start_ui: StartUi, target: str) -> None:
    ui = await start_ui(PASSWORD)
    form = {"password": PASSWORD, "next": target}
    _, _, headers = await ui.call("POST", "/login", data=form, headers=OWN)
    assert headers["Location"] == "/"


async def test_guessing_is_slowed_down(start_ui: StartUi) -> None:
    ui = await start_ui(PASSWORD)
    guesses = [ui.call("POST", "/login", data={"password": f"guess {n}"}, headers=OWN) for n in range(8)]
    statuses = [status for status, _, _ in await asyncio.gather(*guesses)]
    assert sorted(statuses)[:4] == [401] * 4
    status, _, headers = await ui.call("POST", "/login", data={"password": PASSWORD}, headers=OWN)
    assert status == 429
    assert int(headers["Retry-After"]) >= 1
    ui.clock.advance(3_000)
    status, _, _ = await ui.call("POST", "/login", data={"password": PASSWORD}, headers=OWN)
    assert status == 303


async def test_basic_login_for_programs(start_ui: StartUi) -> None:
    ui = await start_ui(PASSWORD)
    right = "Basic OmNhbmFyeS1wYXNzd29yZC03ZjNh"
    assert (await ui.call("GET", "/api/topics", headers={"Authorization": right}))[0] == 200
    for wrong in ("Basic !!!", "Basic eDp5", "Bearer x"):
        assert (await ui.call("GET", "/api/topics", headers={"Authorization": wrong}))[0] == 401


async def test_no_password_beyond_loopback() -> None:
    service = UiService(host="0.0.0.0", port=0, password="", jobs=None, server=None, clock=ManualClock())
    with pytest.raises(OSError, match="without a password"):
        await service.start()
