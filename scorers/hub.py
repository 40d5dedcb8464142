"""Where a checkpoint is: a folder here, or a repository of the Hugging Face hub at a pinned revision."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from scorers.errors import CheckpointRefused

_REPOSITORY: Final = re.compile(r"(?P<repository>[\w.-]+/[\w.-]+)@(?P<revision>[0-9a-f]{40})", re.ASCII)
_DIGITS: Final = 40
_UNPINNED: Final = re.compile(r"[\w.-]+/[\w.-]+(@.*)?", re.ASCII)
# Weights as safetensors, configs, tokenizers and RouteLLM's prompt files; never a pickle, never code.
_WANTED: Final = ["*.safetensors", "*.safetensors.index.json", "*.json", "tokenizer.model", "sentencepiece.*", "vocab.txt", "*_ft_v5.txt"]
_WANTED_DATA: Final = ["*.parquet", "*.csv"]
_UNWANTED: Final = ["*/*", "trainer_state.json"]


PUBLISHED: Final[Mapping[str, str]] = {
    "routellm/mf_gpt4_augmented": "5eb3dc745cbe7cb16ca342ceb83b7f6ecf8c77c5",
    "routellm/bert_gpt4_augmented": "86237e3df400762178ea98379477b8296e66d5e4",
    "routellm/causal_llm_gpt4_augmented": "67b336c",
}
"""RouteLLM's public checkpoints, at the revisions that are meant by their bare names.

The last one is known by its first digits alone. It is the repository's one commit that begins with them; where two do, none is taken.
"""


def checkpoint_folder(checkpoint: str, *, endpoint: str | None = None, cache: Path | None = None) -> Path:
    """The folder of a checkpoint: a path, `owner/name@revision` with all 40 digits of the revision, or one of `PUBLISHED`.

    A repository is downloaded once into the hub's own cache (`HF_HOME`, else `cache`), and needs no network after that. `endpoint` is
    the hub's URL where it isn't the public one (else `HF_ENDPOINT`). Raises `CheckpointRefused`.
    """
    folder = Path(checkpoint).expanduser()
    if folder.is_dir():
        return folder
    if pinned := _REPOSITORY.fullmatch(checkpoint):
        return _downloaded(pinned["repository"], pinned["revision"], endpoint, cache)
    if revision := PUBLISHED.get(checkpoint):
        return _downloaded(checkpoint, _whole(checkpoint, revision, endpoint, cache), endpoint, cache)
    if _UNPINNED.fullmatch(checkpoint) and not folder.is_absolute():
        raise CheckpointRefused(
            f"The checkpoint {checkpoint!r} is neither a folder here nor pinned: a repository reads owner/name@revision with all 40 "
            "digits of the revision, so that nobody changes the weights unseen."
        )
    raise CheckpointRefused(f"The checkpoint {checkpoint!r} is not a folder.")


def dataset_folder(dataset: str, *, endpoint: str | None = None, cache: Path | None = None) -> Path:
    """The folder of a dataset: a path, or `owner/name@revision` with all 40 digits. Raises `CheckpointRefused`."""
    folder = Path(dataset).expanduser()
    if folder.is_dir():
        return folder
    if pinned := _REPOSITORY.fullmatch(dataset):
        return _downloaded(pinned["repository"], pinned["revision"], endpoint, cache, dataset=True)
    raise CheckpointRefused(f"The dataset {dataset!r} is neither a folder here nor owner/name@revision with all 40 digits of the revision.")


def checkpoint_name(checkpoint: str) -> str:
    """What a checkpoint that has no name of its own is called: its repository's, or its folder's last part."""
    last = checkpoint.partition("@")[0].rstrip("/").rpartition("/")[2] or "checkpoint"
    return re.sub(r"[^A-Za-z0-9._-]", "-", last)[:64]


def _whole(repository: str, digits: str, endpoint: str | None, cache: Path | None) -> str:
    """The revision that begins with those digits: one that was downloaded before, else the repository's only such commit."""
    if len(digits) == _DIGITS:
        return digits
    from huggingface_hub import HfApi
    from huggingface_hub.constants import HF_HUB_CACHE
    from huggingface_hub.errors import HfHubHTTPError

    snapshots = Path(cache or HF_HUB_CACHE) / f"models--{repository.replace('/', '--')}" / "snapshots"
    found = [path.name for path in snapshots.glob(f"{digits}*")]
    try:
        found = found or [c.commit_id for c in HfApi(endpoint=endpoint).list_repo_commits(repository) if c.commit_id.startswith(digits)]
    except (HfHubHTTPError, OSError, ValueError) as error:
        raise CheckpointRefused(f"The checkpoint {repository}'s revisions can't be asked for: {_reason(error)}") from None
    if len(found) != 1 or len(found[0]) != _DIGITS:
        raise CheckpointRefused(f"The checkpoint {repository} has {len(found) or 'no'} revisions that begin with {digits}, and needs one.")
    return found[0]


def _downloaded(repository: str, revision: str, endpoint: str | None, cache: Path | None, *, dataset: bool = False) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    def snapshot(*, local_files_only: bool) -> Path:
        found = snapshot_download(
            repository,
            revision=revision,
            repo_type="dataset" if dataset else "model",
            allow_patterns=_WANTED_DATA if dataset else _WANTED,
            ignore_patterns=None if dataset else _UNWANTED,
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
        raise CheckpointRefused(
            f"The {'dataset' if dataset else 'checkpoint'} {repository}@{revision[:12]} can't be downloaded: {_reason(error)}"
        ) from None


def _reason(error: Exception) -> str:
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
