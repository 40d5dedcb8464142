"""Capability before cost (rule 11): what a backend lacks of what a request needs."""

from __future__ import annotations

from controller.needs import Needs
from pointsman.runtime.backend_settings import BackendSettings


def is_guarded(backend: BackendSettings) -> bool:
    """Whether there is anything that the backend can't do."""
    return backend.supports is not None or backend.max_context is not None


def lacks(backend: BackendSettings, needs: Needs) -> dict[str, str]:
    """What the backend lacks, in words, each with the request's field; empty where it lacks nothing."""
    missing = {
        feature: where for feature, where in needs.features.items() if backend.supports is not None and feature not in backend.supports
    }
    if backend.max_context is not None and needs.tokens > backend.max_context:
        missing[f"a context of about {needs.tokens} tokens (it has {backend.max_context})"] = needs.text_at
    return missing
