"""Prompts to token ids that the model can read: special tokens added, over-long prompts cut."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from tokenizers import Tokenizer

Keeps = Literal["head and tail", "head"]
_CHARACTERS_PER_TOKEN = 256  # more than any token that prose has; tokenising megabytes takes seconds


@dataclass(frozen=True, slots=True)
class Tokens:
    """A prompt's ids, and whether they are only a part of it."""

    ids: list[int]
    truncated: bool


class Window:
    """`head and tail`: the two ends of an over-long prompt, alike long; `head`: its start, as RouteLLM reads it."""

    def __init__(self, tokenizer: Tokenizer, *, max_tokens: int, keeps: Keeps) -> None:
        """`max_tokens` counts the special tokens too. The tokenizer's own truncation and padding are switched off."""
        tokenizer.no_truncation()
        tokenizer.no_padding()
        self._tokenizer = tokenizer
        self._keeps: Keeps = keeps
        self.max_tokens = max_tokens
        empty = tokenizer.encode("")
        self._before, self._after = _ends(tokenizer, list(empty.ids))
        self._room = max_tokens - len(self._before) - len(self._after)

    def read(self, texts: Sequence[str]) -> list[Tokens]:
        """As many as texts, in their order, none longer than the window."""
        shortened = [self._shortened(text) for text in texts]
        encodings = self._tokenizer.encode_batch([text for text, _ in shortened], add_special_tokens=False)
        return [self._cut(list(e.ids), was_cut) for e, (_, was_cut) in zip(encodings, shortened, strict=True)]

    def _cut(self, ids: list[int], was_cut: bool) -> Tokens:
        over = len(ids) > self._room
        if over:
            tail = self._room // 2 if self._keeps == "head and tail" else 0
            ids = ids[: self._room - tail] + ids[len(ids) - tail :]
        return Tokens([*self._before, *ids, *self._after], over or was_cut)

    def _shortened(self, text: str) -> tuple[str, bool]:
        """Far more characters than the window can hold tokens are cut before they are tokenised."""
        most = self.max_tokens * _CHARACTERS_PER_TOKEN
        if len(text) <= most:
            return text, False
        packed = " ".join(text.split())
        if len(packed) <= most:
            return packed, False
        return (packed[: most // 2] + " " + packed[-(most // 2) :] if self._keeps == "head and tail" else packed[:most]), True


def _ends(tokenizer: Tokenizer, empty: list[int]) -> tuple[list[int], list[int]]:
    """The special tokens before and after a text, from how the tokenizer writes one."""
    word = list(tokenizer.encode("a", add_special_tokens=False).ids)
    whole = list(tokenizer.encode("a").ids)
    before = next(i for i in range(len(whole)) if whole[i : i + len(word)] == word)
    return whole[:before], empty[before:]
