"""The UI in a real browser: a job made through the form, live changes, no script, a phone's width."""

from __future__ import annotations

import os
import shutil
from collections.abc import AsyncIterator

import pytest

from tests.ui.conftest import RunningUi, StartUi

if shutil.which("chromium") is None and os.environ.get("CI") != "true":
    pytest.skip("no chromium on the PATH", allow_module_level=True)

from playwright.async_api import Browser, Page, async_playwright, expect


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    path = shutil.which("chromium")
    assert path is not None, "CI must have chromium on its PATH"
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        await browser.close()


@pytest.fixture
async def page(browser: Browser) -> AsyncIterator[Page]:
    """A page that fails its test when the console shows an error, for instance a CSP violation."""
    page = await browser.new_page()
    problems: list[str] = []
    page.on("console", lambda message: problems.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: problems.append(str(error)))
    yield page
    assert problems == []


async def test_create_through_the_form_and_watch(ui: RunningUi, page: Page) -> None:
    await page.goto(ui.url)
    await page.get_by_label("Topic", exact=True).fill("mail")
    await page.get_by_label("Parameters").fill('{"to": "anna"}')
    await page.get_by_role("button", name="Create job").click()
    await expect(page.get_by_role("heading", level=1)).to_have_text("Job 1")
    await expect(page.locator(".job-head .state")).to_have_text("new")
    await expect(page.locator("pre")).to_contain_text('"to": "anna"')
    await expect(page.locator("#live-text")).to_have_text("live")
    ui.jobs.change(1, state="active", reason="taken", by="worker-1")
    await expect(page.locator(".job-head .state")).to_have_text("active")
    ui.jobs.change(1, state="done", reason="finished", result=b"sent")
    await expect(page.locator(".job-head .state")).to_have_text("done")
    await expect(page.locator("#history tbody tr")).to_have_count(3)
    await expect(page.get_by_label("Result")).to_contain_text("sent")


async def test_overview_counts_by_itself(ui: RunningUi, page: Page) -> None:
    await page.goto(ui.url)
    await expect(page.locator("#live-text")).to_have_text("live")
    await page.get_by_label("Parameters").fill("half written")
    for _ in range(3):
        await ui.jobs.create_job("mail", b"")
    await expect(page.locator("[data-count=new]")).to_have_text("3")
    ui.jobs.change(2, state="error")
    await expect(page.locator("[data-count=error]")).to_have_text("1")
    await expect(page.locator("[data-live=newest] tbody tr").nth(1)).to_contain_text("error")
    await expect(page.get_by_label("Parameters")).to_have_value("half written")


async def test_script_in_a_job_does_not_run(ui: RunningUi, page: Page) -> None:
    payload = '<img src=x onerror="document.title=1"><script>document.title=2</script>'
    await page.goto(ui.url)
    await ui.jobs.create_job(payload, payload.encode())
    await expect(page.locator("[data-live=newest] .topic")).to_have_text(payload)
    await page.goto(f"{ui.url}jobs/1")
    await expect(page.locator("pre")).to_have_text(payload)
    ui.jobs.change(1, state="error", error=payload.encode())
    await expect(page.get_by_label("Error")).to_contain_text(payload)
    assert await page.title() == "Job 1 · error"
    assert await page.locator("main img").count() == 0


async def test_without_javascript(ui: RunningUi, browser: Browser) -> None:
    context = await browser.new_context(java_script_enabled=False)
    page = await context.new_page()
    await page.goto(ui.url)
    await page.get_by_label("Topic", exact=True).fill("plain")
    await page.get_by_role("button", name="Create job").click()
    await expect(page.get_by_role("heading", level=1)).to_have_text("Job 1")
    await page.get_by_role("link", name="Jobs", exact=True).click()
    await page.get_by_label("State").select_option("new")
    await page.get_by_role("button", name="Show").click()
    await expect(page.locator("tbody tr")).to_have_count(1)


async def test_paging(ui: RunningUi, page: Page) -> None:
    for _ in range(120):
        await ui.jobs.create_job("t & t", b"")
    await page.goto(f"{ui.url}jobs?topic=t+%26+t")
    for first in ("120", "70", "20"):
        await expect(page.locator("tbody tr td").first).to_have_text(first)
        if first != "20":
            await page.get_by_role("link", name="Older").click()
    await expect(page.get_by_role("link", name="Older")).to_have_count(0)


async def test_phone_does_not_scroll_sideways(ui: RunningUi, browser: Browser) -> None:
    await ui.jobs.create_job("a-topic-without-any-break-" * 8, b"x" * 500)
    page = await browser.new_page(viewport={"width": 360, "height": 740})
    for path in ("", "jobs", "jobs/1"):
        await page.goto(ui.url + path)
        assert await page.evaluate("document.documentElement.scrollWidth") <= 360, path


async def test_login_in_the_browser(start_ui: StartUi, page: Page) -> None:
    ui = await start_ui("open sesame")
    await page.goto(f"{ui.url}jobs")
    await page.get_by_label("Password").fill("open sesame")
    await page.get_by_role("button", name="Log in").click()
    await expect(page.get_by_role("heading", level=1)).to_have_text("Jobs")
    await page.get_by_role("button", name="Log out").click()
    await expect(page.get_by_role("heading", level=1)).to_have_text("Log in")
