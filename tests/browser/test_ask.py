"""Ask: one scale, the tier, the answer and its receipt."""

from __future__ import annotations

import asyncio
import re

from playwright.async_api import Page, expect

from tests.browser.stage import Stage
from tests.support.backend import hanging, streaming

MARKUP = "<script>alert(1)</script><img src=x onerror=alert(2)> \"'&amp; 0.7"


async def _asked(page: Page, prompt: str) -> None:
    await expect(page.locator("#ask-by option[value=router-mf]")).to_be_attached()
    await page.fill("#ask-prompt", prompt)
    await page.click("#ask-form button[type=submit]")


async def test_a_prompt_is_compared_decided_answered_and_receipted(page: Page) -> None:
    """Every strategy's win rate with its ticks; the backend's answer whole; the receipt's rows."""
    await _asked(page, "How hard is this? 0.63")
    await expect(page.locator("#ask-status")).to_contain_text("The answer is complete")
    rows = page.locator("#scale li.row")
    assert [re.sub(r"\s*Calibrated.*|\s*Not calibrated.*", "", text) for text in await rows.all_inner_texts()]
    for name, rate in (("mf", "0.630"), ("bert", "0.580"), ("random", "0.500")):
        await expect(rows.filter(has_text=re.compile(rf"^{name}")).locator(".figure")).to_have_text(rate)
    assert await rows.filter(has_text=re.compile("^mf")).locator(".tick").count() == 9
    await expect(page.locator("#answer")).to_contain_text("How hard is this? 0.63")
    await expect(page.locator("#decision")).to_contain_text("strong-model")
    await expect(page.locator("#receipt")).to_contain_text("0.6300")
    await expect(page.locator("#receipt")).to_contain_text("USD")
    await expect(page.locator("#receipt table")).to_contain_text("200")


async def test_the_slider_says_at_once_where_the_prompt_would_go(page: Page, stage: Stage) -> None:
    """By keyboard, as a threshold and as a share, and nobody is asked again; the next request says it in its model string."""
    await _asked(page, "middling 0.63")
    await expect(page.locator("#what-if .tier")).to_have_text("strong")
    asked = len(stage.scorers.batches)
    await page.focus("#ask-aim-slider")
    for _ in range(2):
        await page.keyboard.press("PageUp")
    await expect(page.locator("#what-if .tier")).to_have_text("weak")
    await expect(page.locator("#what-if")).to_contain_text("weak-model")
    await page.check("#ask-aim input[value=share]")
    await page.locator("#ask-aim-slider").fill("0.3")
    await expect(page.locator("#ask-model")).to_have_text("router-mf-30pct")
    await expect(page.locator("#ask-aim .hint")).to_contain_text("0.700")
    assert len(stage.scorers.batches) == asked
    await page.click("#ask-form button[type=submit]")
    await expect(page.locator("#decision")).to_contain_text("weak-model")
    assert stage.weak.received


async def test_markup_is_text_wherever_it_stands(page: Page) -> None:
    """In the prompt, and in the answer that echoes it."""
    page.on("dialog", lambda dialog: (_ for _ in ()).throw(AssertionError(dialog.message)))
    await _asked(page, MARKUP)
    await expect(page.locator("#ask-status")).to_contain_text("The answer is complete")
    assert (await page.locator("#answer").text_content() or "").strip() == MARKUP
    assert await page.locator("main script, main img").count() == 0


async def test_a_backend_that_is_down_is_said(page: Page, stage: Stage) -> None:
    """The win rates stand nevertheless."""
    stage.weak.script = streaming([b'data: {"choices":[{"delta":{"content":"half"}}]}\n\n'], pause_s=0.3, complete=False)
    await _asked(page, "easy 0.1")
    await expect(page.locator("#ask-error")).to_contain_text("backend_cut")
    await expect(page.locator("#answer")).to_have_text("half")
    await expect(page.locator("#scale li.row .figure").first).to_have_text("0.100")


async def test_a_slow_strategy_keeps_none_back_and_can_be_cancelled(page: Page, stage: Stage) -> None:
    """Its row counts the seconds meanwhile."""
    stage.scorers.delays_s = {"bert": 25}
    await _asked(page, "quick 0.2")
    await expect(page.locator("#scale li.row").first.locator(".figure")).to_have_text("0.200")
    waiting = page.locator("#scale li.row.waits .figure")
    await expect(waiting).to_have_text(re.compile(r"^[1-9]\.\d s"))
    await page.click("#ask-cancel")
    await expect(page.locator("#ask-status")).to_have_text("Cancelled.")
    await expect(page.locator("#scale li.row.failed .figure")).to_have_text("cancelled")
    while stage.scorers.at_once:
        await asyncio.sleep(0.02)


async def test_an_answer_that_doesnt_come_can_be_cancelled(page: Page, stage: Stage) -> None:
    """And the backend is hung up on."""
    stage.weak.script = hanging
    await _asked(page, "easy 0.1")
    await expect(page.locator("#ask-status")).to_contain_text("Waiting for the answer")
    await page.click("#ask-cancel")
    await stage.weak.gone.wait()
    await expect(page.locator("#ask-status")).to_have_text("Cancelled.")


async def test_a_second_question_replaces_the_first(page: Page, stage: Stage) -> None:
    """Nothing of the first shows in it."""
    stage.weak.script = hanging
    stage.scorers.delays_s = {"bert": 25}
    await _asked(page, "easy 0.1")
    await expect(page.locator("#scale li.row").first.locator(".figure")).to_have_text("0.100")
    stage.scorers.delays_s = {}
    await page.fill("#ask-prompt", "hard 0.9")
    await page.press("#ask-prompt", "Control+Enter")
    await expect(page.locator("#ask-status")).to_contain_text("The answer is complete")
    await expect(page.locator("#answer")).to_be_visible()
    await expect(page.locator("#answer")).to_contain_text("hard 0.9")
    assert await page.locator("#scale li.failed").count() == 0
    await expect(page.locator("#ask-error")).to_have_text("")


async def test_an_empty_prompt_isnt_sent(page: Page, stage: Stage) -> None:
    """The field says that it is needed."""
    await _asked(page, "")
    assert await page.locator("#ask-prompt:invalid").count() == 1
    assert not stage.scorers.batches
