"""deploy/: what Kubernetes is told, and whether it is true."""
