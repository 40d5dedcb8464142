"""A version differs where win rates might, and stays where they can't."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pointsman.runtime.settings import StrategySettings
from pointsman.runtime.settings_file import cache_folder
from scorers.identity import folder_sha256, version_of


@pytest.mark.parametrize(
    "changed",
    [
        {"options": {"engine": "float32"}},
        {"threads": 2},
        {"options": {"embedder": {"path": "a" * 5000}}},
        {"options": {"tokenizer": "~nobody-here/x"}},
    ],
)
def test_options_and_threads_make_another_version(changed: dict[str, Any]) -> None:
    """Of the same Pointsman; scale and how much is remembered don't."""
    plain = version_of("bert", StrategySettings())
    assert version_of("bert", StrategySettings(**changed)) != plain
    assert version_of("bert", StrategySettings(max_batch=3, num_cpus=2, options={"embedding_cache": 0, "cache": "x"})) == plain
    assert version_of("mf", StrategySettings()) != plain


def test_a_folder_counts_by_what_is_in_it(tmp_path: Path) -> None:
    """A tokenizer's or an embedder's, wherever it lies; cards don't count."""
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "tokenizer.json").write_text("{}")
    a, b = (StrategySettings(options={"embedder": {"path": str(tmp_path / name)}}) for name in ("a", "b"))
    assert version_of("mf", a) == version_of("mf", b)
    (tmp_path / "b" / "README.md").write_text("A card.")
    assert folder_sha256(tmp_path / "a") == folder_sha256(tmp_path / "b")
    (tmp_path / "b" / "tokenizer.json").write_text("{ }")
    assert version_of("mf", a) != version_of("mf", b)


def test_the_cache_is_where_the_convention_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A relative XDG_CACHE_HOME is none."""
    monkeypatch.setenv("HOME", str(tmp_path))
    for named, expected in (("", tmp_path / ".cache"), ("here", tmp_path / ".cache"), (str(tmp_path / "x"), tmp_path / "x")):
        monkeypatch.setenv("XDG_CACHE_HOME", named)
        assert cache_folder() == expected / "pointsman"
