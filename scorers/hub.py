"""Where a checkpoint is: a folder here, or a repository of the Hugging Face hub at a pinned revision."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from scorers.errors import CheckpointRefused

_REPOSITORY: Final = re.compile(r"(?P<repository>[\w.-]+/[\w.-]+)@(?P<revision>[0-9a-f]{40})", re.ASCII)
_UNPINNED: Final = re.compile(r"[\w.-]+/[\w.-]+(@.*)?", re.ASCII)
# Weights as safetensors, configs, tokenizers and RouteLLM's prompt files; never a pickle, never code.
_WANTED: Final = ["*.safetensors", "*.safetensors.index.json", "*.json", "tokenizer.model", "sentencepiece.*", "vocab.txt", "*_ft_v5.txt"]
_UNWANTED: Final = ["*/*", "trainer_state.json"]


def checkpoint_folder(checkpoint: str, *, endpoint: str | None = None, cache: Path | None = None) -> Path:
    """The folder of a checkpoint: a path, or `owner/name@revision` with all 40 digits of the revision.

    A repository is downloaded once into the hub's own cache (`HF_HOME`, else `cache`), and needs no network after that. `endpoint` is
    the hub's URL where it isn't the public one (else `HF_ENDPOINT`). Raises `CheckpointRefused`.
    """
    folder = Path(checkpoint).expanduser()
    if folder.is_dir():
        return folder
    if pinned := _REPOSITORY.fullmatch(checkpoint):
        return _downloaded(pinned["repository"], pinned["revision"], endpoint, cache)
    if _UNPINNED.fullmatch(checkpoint) and not folder.is_absolute():
        raise CheckpointRefused(
            f"The checkpoint {checkpoint!r} is neither a folder here nor pinned: a repository reads owner/name@revision with all 40 "
            "digits of the revision, so that nobody changes the weights unseen."
        )
    raise CheckpointRefused(f"The checkpoint {checkpoint!r} is not a folder.")


def _downloaded(repository: str, revision: str, endpoint: str | None, cache: Path | None) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    def snapshot(*, local_files_only: bool) -> Path:
        found = snapshot_download(
            repository,
            revision=revision,
            allow_patterns=_WANTED,
            ignore_patterns=_UNWANTED,
            local_files_only=local_files_only,
            endpoint=endpoint,
            cache_dir=cache,
        )
        return Path(found)

    try:
        return snapshot(local_files_only=True)
    except LocalEntryNotFoundError:
        pass
    try:
        return snapshot(local_files_only=False)
    except (HfHubHTTPError, LocalEntryNotFoundError, OSError, ValueError) as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise CheckpointRefused(f"The checkpoint {repository}@{revision[:12]} can't be downloaded: {reason}") from None
