"""Traffic, In force, keys, and what is said of services that are down."""

from __future__ import annotations

import re
from pathlib import Path

import httpx
from playwright.async_api import Browser, Page, expect

from tests.browser.stage import Stage, staged
from tests.wire.identity.conftest import write_keys


async def _chat(stage: Stage, *models: str) -> None:
    async with httpx.AsyncClient(base_url=stage.url, trust_env=False) as client:
        for model in models:
            await client.post("v1/chat/completions", json={"model": model, "messages": [{"role": "user", "content": "hi 0.6"}]})


async def _to(page: Page, view: str) -> None:
    await page.click(f"nav a[href='#{view}']")


async def test_in_force_shows_calibrations_certificates_pairs_and_policies(page: Page) -> None:
    """And what isn't calibrated."""
    await _to(page, "force")
    body = page.locator("#force-body")
    for text in (
        "mf: shares",
        "mf: certificates",
        "95 %",
        "strong-model",
        "weak-model",
        "support-bot",
        "Not calibrated",
        "scripted@sha256:0",
        "10 USD a million tokens read, 30 written",
    ):
        await expect(body).to_contain_text(text)
    assert await body.locator(".state.ready").count() == 3


async def test_traffic_counts_by_pair_and_strategy(page: Page, stage: Stage) -> None:
    """With shares, savings, errors by their reason, and latencies; since the view was opened there is none."""
    await _to(page, "traffic")
    await expect(page.locator("#traffic-empty")).to_be_visible()
    await _chat(stage, "router-mf-0.5", "router-mf-0.7", "router-bert-0.9", "router-nope-0.5")
    await _to(page, "ask")
    await _to(page, "traffic")
    mf = page.get_by_role("region", name="By pair and strategy, of all controllers").locator("tr", has_text="mf")
    await expect(mf).to_contain_text("50 %")
    await expect(mf).to_contain_text("USD (45 %)")
    for text in ("/v1/chat/completions", "UNKNOWN_STRATEGY", "By hop, of all controllers"):
        await expect(page.locator("#traffic-body")).to_contain_text(text)
    hops = page.get_by_role("region", name="By hop, of all controllers").locator("tbody tr")
    told = [
        [" ".join(cell.split()) for cell in await hops.nth(index).locator("th, td").all_inner_texts()]
        for index in range(await hops.count())
    ]
    # One text: each strategy scored it once and then knew it; one answer of strong and two of weak.
    assert [each[:3] for each in told] == [
        *(["Queue for scorers", name, "1"] for name in ("bert", "mf")),
        *(["Scoring", name, "1"] for name in ("bert", "mf")),
        *(["Router, in all", f"default, {name}", count] for name, count in (("bert", "1"), ("mf", "2"))),
        *(["Backend's first byte", name, count] for name, count in (("strong", "1"), ("weak", "2"))),
    ]
    assert all(re.fullmatch(r"[\d.]+ ms", cell) for each in told for cell in each[3:])
    await page.select_option("#traffic-since", "opened")
    await expect(page.locator("#tiles .tile").first).to_contain_text("3")


async def test_a_service_that_is_down_is_said(page: Page, stage: Stage) -> None:
    """The controller, then the gateway itself."""
    services = page.locator("#services")
    await expect(services).to_have_text("Gateway, controller and all 3 strategies are ready.")
    await stage.close("controller")
    await expect(services).to_contain_text("The controller is down.", timeout=20_000)
    await page.fill("#ask-prompt", "hi 0.6")
    await page.click("#ask-form button[type=submit]")
    await expect(page.locator("#ask-error")).to_contain_text("unavailable", timeout=30_000)
    await stage.close("gateway")
    await expect(services).to_have_text("The gateway can't be reached.", timeout=20_000)
    await page.click("#ask-form button[type=submit]")
    await expect(page.locator("#ask-error")).to_contain_text("The gateway can't be reached")


async def test_a_strategy_that_is_down_is_named(page: Page, stage: Stage) -> None:
    """The others answer, and its own row says why it doesn't."""
    del stage.scorers.rates["bert"]
    await expect(page.locator("#services")).to_contain_text(re.compile(r"Not ready: bert \(.*The others answer"), timeout=20_000)
    await page.fill("#ask-prompt", "hi 0.6")
    await page.click("#ask-form button[type=submit]")
    await expect(page.locator("#scale li.row.failed .name")).to_have_text("bert")
    await expect(page.locator("#ask-status")).to_contain_text("The answer is complete")


async def test_a_key_is_asked_for_and_kept_in_the_tab_alone(browser: Browser, tmp_path: Path) -> None:
    """A wrong one is refused, a right one stays over a reload and is forgotten on request; traffic is for operators."""
    keys = tmp_path / "keys.yaml"
    write_keys(keys, {"alice": {"keys": ["key-of-alice"]}, "root": {"keys": ["key-of-root"], "admin": True}})
    async with staged(tmp_path, keys) as stage:
        context = await browser.new_context()
        page = await context.new_page()
        await page.goto(stage.url)
        await expect(page.locator("#key-state")).to_have_text("needed")
        await expect(page.locator("#key-input")).to_be_focused()
        await _type(page, "wrong")
        await expect(page.locator("#key-state")).to_have_text("refused")
        await _type(page, "key-of-alice")
        await expect(page.locator("#ask-by option[value=router-mf]")).to_be_attached()
        await _to(page, "traffic")
        await expect(page.locator("#traffic-error")).to_contain_text("admin: true")
        await page.reload()
        await expect(page.locator("#key-state")).to_have_text("in use")
        kept = await page.evaluate("[Object.keys(sessionStorage).length, Object.keys(localStorage).length, document.cookie]")
        assert kept == [1, 0, ""]
        assert "key-of-alice" not in await page.content()
        await page.click("#key-box summary")
        await _type(page, "key-of-root")
        await expect(page.locator("#traffic-error")).to_have_text("")
        await page.click("#key-box summary")
        await page.click("#key-forget")
        assert await page.evaluate("sessionStorage.length") == 0
        await context.close()


async def _type(page: Page, key: str) -> None:
    await page.fill("#key-input", key)
    await page.press("#key-input", "Enter")
