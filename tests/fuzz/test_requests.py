"""Whatever a request holds is either refused in a declared way, or means what a plain reference says that it means."""

from __future__ import annotations

import json
import re
from typing import Any

import orjson
from google.protobuf.message import DecodeError
from hypothesis import strategies as st

from controller.body import parse_body
from controller.chat_codec import chat_to_body
from controller.endpoints import ENDPOINTS
from controller.estimate import asked_characters
from controller.plan import make_plan
from controller.scored_text import clipped, scored_text
from pointsman.runtime.errors import InvalidBody, InvalidModelString, PointsmanError
from pointsman.runtime.model_string import parse_model_string
from pointsman.runtime.settings import Settings
from pointsman.v1 import chat_pb2, routing_pb2
from tests.fuzz import messages, texts
from tests.fuzz.campaign import Campaign

_STRATEGY = re.compile(r"[a-z][a-z0-9_]*", re.ASCII)


def test_any_model_string_is_a_spec_or_is_refused(campaign: Campaign) -> None:
    """Strategies with a target in [0, 1], or a policy."""

    def check(model: str) -> None:
        try:
            spec = parse_model_string(model)
        except InvalidModelString as error:
            assert len(error.message) < 600
            return
        if spec.policy:
            assert model == f"router:{spec.policy}"
            return
        assert all(_STRATEGY.fullmatch(name) for name in spec.strategies)
        target = spec.WhichOneof("target")
        assert target in ("threshold", "strong_share")
        assert 0 <= getattr(spec, target) <= 1
        assert model.startswith(f"router-{'+'.join(spec.strategies)}-")

    near = st.from_regex(r"router[-:][a-z+_-]{0,8}-?[0-9.eE+-]{0,8}(pct)?", fullmatch=True)
    campaign.run("model string: any", st.one_of(near, st.text(), st.text("router-mf_+.:0159epct", max_size=24)), check, long=10_000)


def test_a_model_string_means_its_parts(campaign: Campaign) -> None:
    """As an f-string prints them."""

    def check(parts: tuple[list[str], float, bool]) -> None:
        names, value, share = parts
        spec = parse_model_string(f"router-{'+'.join(names)}-" + (f"{value * 100:.6f}pct" if share else f"{value}"))
        assert list(spec.strategies) == names
        assert abs((spec.strong_share if share else spec.threshold) - value) <= (1e-8 if share else 0)

    names = st.lists(st.from_regex(_STRATEGY, fullmatch=True).filter(lambda name: len(name) < 40), min_size=1, max_size=4)
    campaign.run("model string: valid", st.tuples(names, st.floats(0, 1), st.booleans()), check, long=6_000)


def _spliced(raw: bytes) -> None:
    """Refused, or the same JSON with another model, and the same bytes around it."""
    try:
        body = parse_body(raw, reads=("messages",), max_bytes=1 << 20)
    except (InvalidBody, InvalidModelString):
        return
    new = body.with_model('another "model"\u00e9')
    reference = orjson.loads(raw)
    assert reference["model"] == body.model
    assert orjson.loads(new) == {**reference, "model": 'another "model"\u00e9'}
    start, end = body.model_span
    assert orjson.loads(raw[start:end]) == body.model
    assert new.startswith(raw[:start])
    assert new.endswith(raw[end:])
    pairs: list[tuple[str, Any]] = json.loads(raw, object_pairs_hook=lambda found: found)
    assert [key for key, _ in pairs].count("model") == [key for key, _ in pairs].count("messages") == 1 or "messages" not in reference


def test_any_bytes_are_refused_or_spliced_where_model_stands(campaign: Campaign) -> None:
    """Nothing but the model differs."""
    campaign.run("body: JSON, whole and spoilt", texts.written(texts.bodies()), _spliced, long=8_000)
    campaign.run("body: bytes", st.one_of(st.binary(), st.binary().map(lambda b: b'{"model":"m",' + b + b"}")), _spliced, long=8_000)


def test_any_body_is_read_or_refused_by_every_endpoint(campaign: Campaign) -> None:
    """What is scored, what only a named backend can answer, what a backend needs, and how long it is."""

    def check(fields: dict[str, Any]) -> None:
        for endpoint in ENDPOINTS.values():
            for window in ("last_user_message", "conversation"):
                try:
                    text = endpoint.text(fields, window)
                except InvalidBody as error:
                    assert error.param
                else:
                    assert text == "" or text.strip()
            assert isinstance(endpoint.unroutable(fields), str)
            assert endpoint.needs(fields).tokens >= 0
        assert asked_characters(fields) >= 0

    campaign.run("endpoints' bodies", texts.bodies(), check, long=8_000)


def test_what_is_scored_is_the_last_user_messages_text(campaign: Campaign) -> None:
    """By the plainest reading of well-formed messages."""

    def check(said: list[tuple[str, str | list[str]]]) -> None:
        made = [
            {"role": role, "content": text if isinstance(text, str) else [{"type": "text", "text": part} for part in text]}
            for role, text in said
        ]
        users = [text for role, text in said if role == "user"]
        last = users[-1] if users else ""
        parts = [last] if isinstance(last, str) else last
        assert scored_text(made) == "\n".join(part for part in parts if part.strip())

    content = st.one_of(texts.words(), st.lists(texts.words(), max_size=3))
    turns = st.lists(st.tuples(st.sampled_from(["user", "assistant", "system"]), content), max_size=5)
    campaign.run("scored text", turns, check, long=8_000)


def test_a_clipped_text_is_no_longer_than_it_may_be(campaign: Campaign) -> None:
    """Its head and its tail."""

    def check(case: tuple[str, int]) -> None:
        text, most = case
        kept, cut = clipped(text, most)
        assert len(kept) == min(len(text), most)
        assert cut == (len(text) > most)
        assert text.startswith(kept[: most * 3 // 4])
        assert text.endswith(kept[most * 3 // 4 :])

    campaign.run("clipped text", st.tuples(st.text(), st.integers(1, 30)), check, long=6_000)


def test_any_typed_request_is_a_body_or_is_refused(campaign: Campaign) -> None:
    """Whose fields say what the message says."""

    def check(raw: bytes) -> None:
        try:
            chat = chat_pb2.Chat.FromString(raw)
        except DecodeError:
            return
        try:
            body = orjson.loads(chat_to_body(chat, "m", stream=True))
        except InvalidBody:
            return
        assert (body["model"], len(body["messages"]), body["stream"]) == ("m", len(chat.messages), True)
        assert [message["role"] for message in body["messages"]] == [message.role for message in chat.messages]
        assert ("seed" in body and body["seed"] == chat.seed) or not chat.HasField("seed")
        assert not chat.extra_json or orjson.loads(chat.extra_json).keys() <= body.keys()

    campaign.run("typed chat request", messages.requests(chat_pb2.Chat.DESCRIPTOR), check, long=5_000)


def test_any_routing_spec_is_a_plan_or_is_refused(campaign: Campaign) -> None:
    """With backends that are there, and exactly one way to a tier."""
    backends = {name: {"base_url": "http://127.0.0.1:1/v1", "model": f"{name}-model"} for name in ("strong", "weak")}
    policy = {"strategies": ["mf"], "threshold": 0.9}
    settings = Settings.model_validate({"strategies": {"mf": {}, "random": {}}, "backends": backends, "policies": {"cheap": policy}})

    def check(raw: bytes) -> None:
        try:
            plan = make_plan(routing_pb2.RoutingSpec.FromString(raw), settings)
        except (DecodeError, PointsmanError):
            return
        assert {plan.backends.strong, plan.backends.weak} <= backends.keys()
        ways = [plan.threshold, plan.strong_share, plan.max_quality_loss, plan.pinned or None]
        assert sum(way is not None for way in ways) == 1
        assert all(0 <= way <= 1 for way in ways[:3] if way is not None)
        assert plan.strategies or plan.pinned

    campaign.run("routing spec", messages.requests(routing_pb2.RoutingSpec.DESCRIPTOR), check, long=5_000)
