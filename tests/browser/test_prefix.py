"""The page behind a reverse proxy, under a path of its own."""

from __future__ import annotations

from pathlib import Path

from playwright.async_api import Browser, expect

from tests.browser.prefix import under
from tests.browser.stage import Stage, staged
from tests.wire.identity.conftest import write_keys


async def test_every_view_works_under_a_path_and_asks_nothing_beside_it(browser: Browser, stage: Stage) -> None:
    """An answer streams, a set is scored, traffic and strategies are listed, and the icon is there."""
    async with under(stage.url, "/pointsman") as host:
        context = await browser.new_context()
        page = await context.new_page()
        asked, failed = list[str](), list[str]()
        page.on("request", lambda request: asked.append(request.url))
        page.on("response", lambda response: failed.append(response.url) if response.status >= 400 else None)
        await page.goto(f"{host}/pointsman/")
        await expect(page.locator("#services.ready")).to_be_visible()
        await page.fill("#ask-prompt", "hi 0.6")
        await page.click("#ask-form button[type=submit]")
        await expect(page.locator("#ask-status")).to_contain_text("The answer is complete")
        await page.click("nav a[href='#prompts']")
        await page.fill("#prompts-text", "one 0.2\ntwo 0.8")
        await page.click("#prompts-form button[type=submit]")
        await expect(page.locator("#prompts-status")).to_contain_text("2 prompts scored by mf")
        await page.click("nav a[href='#traffic']")
        await expect(page.locator("#traffic-body")).to_contain_text("By hop")
        await page.click("nav a[href='#force']")
        await expect(page.locator("#force-body")).to_contain_text("mf: shares")
        await page.click("footer a")
        await expect(page.locator("body")).to_contain_text("/v1/chat/completions")
        assert {url for url in asked if not url.startswith((f"{host}/pointsman/", "data:"))} == set()
        assert not failed
        await context.close()


async def test_two_gateways_of_one_host_dont_get_each_others_key(browser: Browser, tmp_path: Path) -> None:
    """They share the browser's storage for that host, and a key stays with the path that it was typed at."""
    keys = tmp_path / "keys.yaml"
    write_keys(keys, {"alice": {"keys": ["key-of-alice"]}})
    async with staged(tmp_path, keys) as stage, under(stage.url, "/one", "/other") as host:
        context = await browser.new_context()
        page = await context.new_page()
        sent = list[str]()
        page.on("request", lambda request: sent.append(request.url) if "authorization" in request.headers else None)
        await page.goto(f"{host}/one/")
        await page.fill("#key-input", "key-of-alice")
        await page.press("#key-input", "Enter")
        await expect(page.locator("#ask-by option[value=router-mf]")).to_be_attached()
        await page.goto(f"{host}/other/")
        await expect(page.locator("#key-state")).to_have_text("needed")
        assert sent
        assert {url for url in sent if not url.startswith(f"{host}/one/")} == set()
        await page.goto(f"{host}/one/")
        await expect(page.locator("#key-state")).to_have_text("in use")
        await context.close()
