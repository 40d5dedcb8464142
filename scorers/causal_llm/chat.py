"""A prompt as the token ids of one chat turn, of which only our own words can be control tokens.

A prompt's text is tokenised with the recognition of special tokens off, so `<|im_end|>`, `<|eot_id|>` or `[[5]]` in it are the plain
characters that they look like; the control tokens around it come from the format alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tokenizers import AddedToken, Tokenizer

from scorers.errors import CheckpointRefused

SCORES: Final = ("[[1]]", "[[2]]", "[[3]]", "[[4]]", "[[5]]")
_CHARACTERS_PER_TOKEN: Final = 32  # more than any text has on average; tokenising megabytes takes seconds


@dataclass(frozen=True, slots=True)
class ChatFormat:
    """`prefix` and `suffix` are ours and hold control tokens; `opening`, the prompt and `closing` are one piece of plain text."""

    prefix: str
    opening: str
    closing: str
    suffix: str


@dataclass(frozen=True, slots=True)
class Turn:
    """What follows the prefix: token ids, the suffix's last. `truncated`: the prompt's middle was left out."""

    ids: list[int]
    truncated: bool


class ChatTokenizer:
    """One format over one tokenizer."""

    def __init__(self, tokenizer: Tokenizer, chat: ChatFormat, max_tokens: int) -> None:
        """`max_tokens` bounds the plain text's ids; the tokenizer is the caller's to give away."""
        tokenizer.no_truncation()
        tokenizer.no_padding()
        tokenizer.encode_special_tokens = False
        self.prefix: list[int] = tokenizer.encode(chat.prefix, add_special_tokens=False).ids
        self._suffix: list[int] = tokenizer.encode(chat.suffix, add_special_tokens=False).ids
        tokenizer.encode_special_tokens = True
        self._tokenizer = tokenizer
        self._chat = chat
        self.max_tokens = max_tokens
        self.control = frozenset(tokenizer.get_added_tokens_decoder())
        """Ids that no text of a prompt may give."""

    @property
    def longest(self) -> int:
        """The most ids that prefix and turn have together."""
        return len(self.prefix) + self.max_tokens + len(self._suffix)

    def turns(self, texts: Sequence[str]) -> list[Turn | None]:
        """One for each text; None where a control token would come of it, which no tokenizer here should ever do."""
        cuts = [self._cut(text) for text in texts]
        encodings = self._tokenizer.encode_batch([self._chat.opening + cut + self._chat.closing for cut in cuts], add_special_tokens=False)
        return [self._turn(each.ids, cut != text) for each, cut, text in zip(encodings, cuts, texts, strict=True)]

    def _turn(self, ids: list[int], cut: bool) -> Turn | None:
        if not self.control.isdisjoint(ids):
            return None
        too_long = len(ids) > self.max_tokens
        tail = self.max_tokens // 4
        kept = ids[: self.max_tokens - tail] + ids[len(ids) - tail :] if too_long else ids
        return Turn(kept + self._suffix, cut or too_long)

    def _cut(self, text: str) -> str:
        most = self.max_tokens * _CHARACTERS_PER_TOKEN
        return text if len(text) <= most else text[: most - most // 4] + text[len(text) - most // 4 :]


def read_tokenizer(folder: Path) -> Tokenizer:
    """The folder's `tokenizer.json`. Raises `CheckpointRefused`."""
    file = folder / "tokenizer.json"
    if not file.is_file():
        raise CheckpointRefused(f"{file}: there's no tokenizer here.")
    try:
        tokenizer: Tokenizer = Tokenizer.from_file(str(file))
    except Exception as error:  # noqa: BLE001 (the library raises nothing narrower)
        raise CheckpointRefused(f"{file}: not a tokenizer: {error}.") from None
    return tokenizer


def with_scores(tokenizer: Tokenizer) -> list[int]:
    """The ids of [[1]] to [[5]], which are added as special tokens where the tokenizer hasn't them yet."""
    tokenizer.add_special_tokens([AddedToken(score, special=True, normalized=False) for score in SCORES])
    ids: dict[str, int] = tokenizer.get_vocab()
    return [ids[score] for score in SCORES]


def require_control(tokenizer: Tokenizer, names: Sequence[str]) -> None:
    """Raises `CheckpointRefused` unless each of the names is a special token: a chat format without them would be plain text."""
    special = {token.content for token in tokenizer.get_added_tokens_decoder().values() if token.special}
    if missing := [name for name in names if name not in special]:
        raise CheckpointRefused(f"The tokenizer lacks the special token {missing[0]}.")
