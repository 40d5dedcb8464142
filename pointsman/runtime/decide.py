"""The comparison."""

from __future__ import annotations


def is_strong(strong_win_rate: float, threshold: float) -> bool:
    """Whether a prompt goes to the strong model. Both are 0 to 1; a tie is strong, as in RouteLLM."""
    return strong_win_rate >= threshold
