"""deploy/: images, and what Kubernetes is told, and whether it is true."""
