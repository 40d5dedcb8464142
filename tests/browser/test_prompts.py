"""Prompts: a set, scored once, whose sides follow the slider."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser, Page, expect

from tests.browser.stage import PRICES, Stage, staged

FOUR = [f"difficulty {rate}" for rate in (0.1, 0.45, 0.55, 0.9)]


@pytest.fixture
async def prompts(page: Page, stage: Stage) -> Page:
    """The view, by keyboard."""
    await page.locator("nav a[href='#prompts']").press("Enter")
    await expect(page.locator("#prompts-title")).to_be_focused()
    await expect(page.locator("#prompts-by option[value=mf]")).to_be_attached()
    return page


def _file(name: str, text: str) -> Any:
    return {"name": name, "mimeType": "text/plain", "buffer": text.encode()}


async def _scored(page: Page, text: str | None = None) -> None:
    if text is not None:
        await page.fill("#prompts-text", text)
    await page.click("#prompts-form button[type=submit]")
    await expect(page.locator("#prompts-status")).to_contain_text("scored by mf", timeout=60_000)


async def test_the_slider_moves_sides_and_costs_without_asking_again(prompts: Page, stage: Stage) -> None:
    """Against the reference, which can be moved; costs by the settings' prices."""
    await _scored(prompts, "\n".join(FOUR))
    asked = len(stage.scorers.batches)
    sums = prompts.locator("#prompts-sums")
    await expect(sums).to_contain_text("2 of 4 (50 %)")
    await prompts.locator("#prompts-aim-slider").fill("0.4")
    await expect(sums).to_contain_text("1: 1 to strong, 0 to weak")
    await prompts.select_option("#rows-kind", "changed")
    await expect(prompts.locator("#rows tbody tr")).to_have_count(1)
    await expect(prompts.locator("#rows tbody tr")).to_contain_text("difficulty 0.45")
    # 3.75 tokens read are 9 a million dearer, 300 written 27.
    await expect(sums).to_contain_text("+0.00813 USD")
    await expect(sums).to_contain_text("−22.5 %")
    await prompts.click("#take-reference")
    await expect(sums).to_contain_text("0: 0 to strong, 0 to weak")
    await prompts.check("#prompts-aim input[value=share]")
    await prompts.locator("#prompts-aim-slider").fill("0.1")
    await expect(sums).to_contain_text("1 of 4 (25 %)")
    assert len(stage.scorers.batches) == asked
    assert not stage.strong.received + stage.weak.received


async def test_prices_are_the_settings_until_others_are_typed(prompts: Page) -> None:
    """And can be had back; without any there is no cost."""
    await _scored(prompts, "\n".join(FOUR))
    await prompts.locator("#prompts-aim-slider").fill("0.4")
    fields = {name: prompts.locator(f"#price-{name}") for name in ("strong-read", "strong-written", "weak-read", "weak-written")}
    assert [await each.input_value() for each in fields.values()] == ["10", "30", "1", "3"]
    await expect(prompts.locator("#price-hint")).to_have_text("By the settings. What you type counts instead.")
    sums, again = prompts.locator("#prompts-sums"), prompts.locator("#price-again")
    await expect(again).to_be_hidden()
    await fields["strong-written"].fill("4")
    await expect(sums).to_contain_text("+0.000334 USD")
    await expect(prompts.locator("#price-hint")).to_have_text("By what was typed.")
    for each in ("weak-read", "weak-written"):
        await fields[each].fill("")
    await expect(sums).to_contain_text("Type the prices below")
    await again.click()
    await expect(sums).to_contain_text("+0.00813 USD")
    await expect(fields["strong-read"]).to_be_focused()
    await expect(again).to_be_hidden()


@pytest.mark.parametrize(
    ("weak", "fields", "hint"),
    [
        (None, ["10", "30", "", ""], "no prices of the weak backend"),
        ({**PRICES["weak"], "currency": "EUR"}, ["", "", "", ""], "USD and EUR, which can't be added up"),
    ],
)
async def test_what_cant_be_added_up_isnt(browser: Browser, tmp_path: Path, weak: Any, fields: list[str], hint: str) -> None:
    """A price that is missing, or in another currency, leaves the cost open; another pair has its own."""
    pairs = {name: {"strong": "strong", "weak": other, "fallback": "none"} for name, other in (("default", "weak"), ("same", "strong"))}
    async with staged(tmp_path, prices={"strong": PRICES["strong"], **({"weak": weak} if weak else {})}, pairs=pairs) as stage:
        context = await browser.new_context()
        page = await context.new_page()
        await page.goto(f"{stage.url}#prompts")
        await expect(page.locator("#prompts-by option[value=mf]")).to_be_attached()
        await _scored(page, "\n".join(FOUR))
        inputs = page.locator(".prices input")
        assert [await inputs.nth(index).input_value() for index in range(4)] == fields
        await expect(page.locator("#price-hint")).to_contain_text(hint)
        await expect(page.locator("#prompts-sums")).to_contain_text("Type the prices below")
        await page.select_option("#price-pair", "same")
        await expect(page.locator("#prompts-sums")).to_contain_text("0.0361 USD")
        await context.close()


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.txt", "\n".join(FOUR)),
        ("a.csv", 'id,Prompt\r\n1,"difficulty 0.1"\r\n2,"a ""quoted"", with\nbreaks 0.45"\r\n3,difficulty 0.55\r\n4,difficulty 0.9\r\n'),
        (
            "a.jsonl",
            '{"prompt": "d 0.1"}\n"d 0.45"\n{"messages": [{"role": "user", "content": "d 0.55"}]}\nnot json\n{"question": "d 0.9"}\n',
        ),
    ],
)
async def test_files_of_three_kinds_are_read(prompts: Page, name: str, text: str) -> None:
    """What holds no prompt is counted."""
    await prompts.set_input_files("#prompts-file", _file(name, text))
    await _scored(prompts)
    await expect(prompts.locator("#prompts-sums")).to_contain_text("2 of 4 (50 %)")
    if name.endswith("jsonl"):
        await expect(prompts.locator("#prompts-status")).to_contain_text("1 lines without a prompt")


async def test_ten_thousand_lines_stay_quick(prompts: Page) -> None:
    """One more is left out and said; a move of the slider redraws within a tenth of a second; rows are paged."""
    lines = "\n".join(f"number {index} difficulty {index % 100 / 100}" for index in range(10_001))
    await prompts.set_input_files("#prompts-file", _file("many.txt", lines))
    await _scored(prompts)
    await expect(prompts.locator("#prompts-status")).to_contain_text("There were more; the first 10,000 are used.")
    await expect(prompts.locator("#prompts-sums")).to_contain_text("5,000 of 10,000 (50 %)")
    took = await prompts.locator("#prompts-aim-slider").evaluate(
        """async (slider) => {
          const began = performance.now();
          for (let step = 0; step < 20; step += 1) {
            slider.value = String(0.3 + step / 100);
            slider.dispatchEvent(new Event("input"));
            await new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve)));
          }
          return (performance.now() - began) / 20;
        }"""
    )
    assert took < 100
    await expect(prompts.locator("#rows tbody tr")).to_have_count(50)
    await prompts.click("#rows-after")
    await expect(prompts.locator("#rows-page")).to_have_text("Page 2 of 200")
    await expect(prompts.locator("#rows tbody tr").first).to_contain_text("number 50 ")


async def test_scoring_can_be_cancelled_and_what_was_scored_stays(prompts: Page, stage: Stage) -> None:
    """After a call of 256."""
    await prompts.fill("#prompts-text", "\n".join(f"number {index} 0.7" for index in range(600)))
    stage.scorers.delay_s = 0.05
    await prompts.click("#prompts-form button[type=submit]")
    await expect(prompts.locator("#prompts-status")).to_contain_text("256 of 600")
    began = time.monotonic()
    await prompts.click("#prompts-cancel")
    await expect(prompts.locator("#prompts-status")).to_contain_text("Cancelled after 256")
    assert time.monotonic() - began < 5
    await expect(prompts.locator("#prompts-sums")).to_contain_text("256 of 256 (100 %)")


async def test_nothing_to_score_is_said(prompts: Page) -> None:
    """Of an empty field, and of blank lines."""
    await prompts.fill("#prompts-text", "\n  \n")
    await prompts.click("#prompts-form button[type=submit]")
    await expect(prompts.locator("#prompts-error")).to_contain_text("There is no prompt")


async def test_markup_in_a_prompt_is_text(prompts: Page) -> None:
    """In the table."""
    await _scored(prompts, "<script>alert(1)</script><b>bold</b> 0.6")
    await expect(prompts.locator("#rows tbody th")).to_have_text("<script>alert(1)</script><b>bold</b> 0.6")
    assert await prompts.locator("#rows b, #rows script").count() == 0
