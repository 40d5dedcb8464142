"""What a request's body says it needs of a backend, whichever endpoint it came to."""

from __future__ import annotations

from typing import Any

import pytest

from controller.endpoints import ENDPOINTS
from controller.needs import chat_needs, completion_needs, no_needs, response_needs


def _user(content: Any) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": content}]}


@pytest.mark.parametrize(
    ("fields", "features"),
    [
        (_user("hi"), {}),
        (_user([{"type": "text", "text": "a"}, {"type": "image_url", "image_url": {"url": "data:,"}}]), {"vision": "messages[0]"}),
        (_user([{"type": "input_audio", "input_audio": {}}]), {"audio": "messages[0]"}),
        (_user([{"type": "file", "file": {"file_data": "JVBERi0x"}}]), {"files": "messages[0]"}),
        ({**_user("hi"), "modalities": ["text", "audio"]}, {"audio": "modalities"}),
        ({**_user("hi"), "tools": [{"type": "function"}]}, {"tools": "tools"}),
        ({**_user("hi"), "tools": [], "modalities": ["text"], "response_format": {"type": "json_object"}}, {}),
        ({"messages": [{"role": "tool", "content": "4"}]}, {"tools": "messages[0]"}),
        ({**_user("hi"), "response_format": {"type": "json_schema"}}, {"json_schema": "response_format"}),
        ({"messages": ["odd", {"content": [7, {"type": ["x"]}]}], "tools": 5, "response_format": [], "modalities": 1}, {"tools": "tools"}),
    ],
)
def test_needs_are_read_off_the_body(fields: dict[str, Any], features: dict[str, str]) -> None:
    """Each with the field that asks for it; odd shapes are the backend's to refuse."""
    assert chat_needs(fields).features == features


def test_tokens_are_estimated_from_texts_tools_and_the_answers_limit() -> None:
    """Four bytes each, rounded up; an image counts as nothing."""
    assert chat_needs(_user("abcde")).tokens == 2
    assert chat_needs(_user("你好啊呀")).tokens == 3
    assert chat_needs({**_user("abcd"), "max_tokens": 100}).tokens == 101
    assert chat_needs({**_user("abcd"), "max_tokens": 5, "max_completion_tokens": 7}).tokens == 8
    image = {"type": "image_url", "image_url": {"url": "data:" + "x" * 4000}}
    assert chat_needs(_user([{"type": "text", "text": "abcd"}, image])).tokens == 1
    deep: Any = "abcd"
    for _ in range(5000):
        deep = [deep]
    assert chat_needs({**_user(""), "tools": deep}).tokens == 1


def _item(**fields: Any) -> dict[str, Any]:
    return {"input": [{"role": "user", "content": "look"}, fields]}


def _said(*parts: dict[str, Any]) -> dict[str, Any]:
    return _item(role="user", content=list(parts))


IMAGE, FILE = {"type": "input_image", "image_url": "data:,"}, {"type": "input_file", "file_data": "JVBERi0x" * 1000}


@pytest.mark.parametrize(
    ("fields", "features"),
    [
        ({"input": "hi"}, {}),
        (_said({"type": "input_text", "text": "a"}), {}),
        (_said({"type": "input_text", "text": "a"}, IMAGE), {"vision": "input[1]"}),
        (_said(FILE, {"type": "input_audio", "input_audio": {}}), {"files": "input[1]", "audio": "input[1]"}),
        (_item(type="function_call", call_id="c", name="f", arguments="{}"), {"tools": "input[1]"}),
        (_item(type="function_call_output", call_id="c", output="4"), {"tools": "input[1]"}),
        (_item(type="function_call_output", output=[IMAGE]), {"tools": "input[1]", "vision": "input[1]"}),
        (_item(type="computer_call_output", output={"type": "computer_screenshot"}), {"tools": "input[1]", "vision": "input[1]"}),
        (_item(type="mcp_list_tools", tools=[]), {"tools": "input[1]"}),
        (_item(type="reasoning", summary=[]), {}),
        ({"input": "hi", "tools": [{"type": "web_search"}]}, {"tools": "tools"}),
        ({"input": "hi", "text": {"format": {"type": "json_schema", "schema": {}}}}, {"json_schema": "text.format"}),
        ({"input": "hi", "text": {"format": {"type": "text"}}, "tools": []}, {}),
        ({"input": [7, {"type": ["x"], "content": [7, {"type": {}}], "output": 5}], "text": 5, "tools": 0, "instructions": []}, {}),
        ({"input": {}, "text": {"format": "json_schema"}}, {}),
        ({}, {}),
    ],
)
def test_a_responses_needs_are_read_off_its_items(fields: dict[str, Any], features: dict[str, str]) -> None:
    """Messages or not, and of a tool's result what is in it."""
    assert response_needs(fields).features == features


@pytest.mark.parametrize(
    ("fields", "tokens"),
    [
        ({"input": "abcde"}, 2),
        ({"input": "abcd", "instructions": "abcd", "max_output_tokens": 10, "max_tokens": 99}, 12),
        (_said({"type": "input_text", "text": "abcd"}, IMAGE, FILE), 2),
        (_item(type="function_call", name="f", arguments="abcdabcd"), 3),
        (_item(type="function_call_output", output="abcdabcd"), 3),
        (_item(type="image_generation_call", result="x" * 4000), 1),
        ({"input": "abcd", "max_output_tokens": None}, 1),
    ],
)
def test_a_responses_tokens_are_estimated(fields: dict[str, Any], tokens: int) -> None:
    """Instructions, all texts of the items, calls and results, and the answer's limit; images and files are nothing."""
    needs = response_needs(fields)
    assert (needs.tokens, needs.text_at) == (tokens, "input")


@pytest.mark.parametrize(
    ("fields", "tokens"),
    [
        ({"prompt": "abcde", "max_tokens": 10}, 12),
        ({"prompt": ["abcd", "abcdabcd", "abcd"]}, 2),
        ({"prompt": [1, 2, 3]}, 3),
        ({"prompt": [[1, 2], [3, 4, 5, 6], []]}, 4),
        ({"prompt": "abcd", "suffix": "abcd"}, 2),
        ({"prompt": []}, 0),
        ({"prompt": [None, {"a": 1}]}, 0),
        ({}, 0),
    ],
)
def test_of_a_completions_prompts_the_longest_counts(fields: dict[str, Any], tokens: int) -> None:
    """Each has a context of its own; tokens count as they are."""
    needs = completion_needs(fields)
    assert (needs.tokens, needs.text_at, needs.features) == (tokens, "prompt", {})


def test_every_endpoint_is_read_by_its_own_rules() -> None:
    """And embeddings aren't looked at."""
    assert {name: each.needs for name, each in ENDPOINTS.items()} == {
        "chat/completions": chat_needs,
        "completions": completion_needs,
        "responses": response_needs,
        "embeddings": no_needs,
    }
    assert no_needs({"input": "x" * 4000}).tokens == 0
