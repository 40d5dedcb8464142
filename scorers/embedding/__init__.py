"""Texts to vectors: one Protocol, its implementations as siblings."""
