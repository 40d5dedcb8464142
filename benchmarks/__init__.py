"""Run on purpose, with their results beside them."""
