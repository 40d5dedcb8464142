"""What Kubernetes is told, rendered from the one settings file. No service, no Ray and no torch is imported."""
