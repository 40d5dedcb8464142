"""Faults under load, run on purpose: `make test-faults`."""
