"""Scripted counterparts over real sockets: what tests can't have for real, such as a backend that hangs."""
