"""Load on a running service, from a process of its own: `pointsman loadtest`."""
