"""Scorers whose models take time and nothing else, where that is what is asked."""
