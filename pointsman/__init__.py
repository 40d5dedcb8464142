"""Pointsman: sends each prompt to the strong or the weak LLM. `pointsman.client` is what callers import."""

__version__ = "0.1.0"
