"""Replicas that follow load: one strategy's surge, on a cluster of several nodes, beside another strategy that must not notice."""
