"""Debian's Chromium before a real gateway: `make test-browser`."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import Browser, Page, async_playwright

from tests.browser.stage import Stage, staged

_ALLOWED = ("data:", "blob:")


@pytest.fixture(scope="session")
async def browser() -> AsyncIterator[Browser]:
    """One for all tests."""
    path = shutil.which("chromium")
    if path is None:
        pytest.skip("needs chromium (apt-get install chromium)")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-gpu"])
        yield browser
        await browser.close()


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    """Nobody is asked for a key."""
    async with staged(tmp_path) as stage:
        yield stage


@pytest.fixture
async def page(browser: Browser, stage: Stage) -> AsyncIterator[Page]:
    """The page, opened; whatever a test does, it loads nothing from elsewhere, breaks no policy and throws nothing."""
    context = await browser.new_context(viewport={"width": 1280, "height": 900}, reduced_motion="reduce")
    page = await context.new_page()
    asked, wrong = list[str](), list[str]()
    page.on("request", lambda request: asked.append(request.url))
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("console", lambda message: wrong.append(message.text) if "Content Security Policy" in message.text else None)
    page.set_default_timeout(10_000)
    await page.goto(stage.url)
    yield page
    await context.close()
    assert not wrong
    assert {url for url in asked if not url.startswith((stage.url, *_ALLOWED))} == set()
