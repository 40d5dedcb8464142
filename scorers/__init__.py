"""The opinion: one Ray Serve application per strategy."""
