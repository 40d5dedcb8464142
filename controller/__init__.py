"""The decision: asks the scorers, compares, dispatches to a backend, returns a receipt."""
