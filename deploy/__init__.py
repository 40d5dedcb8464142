"""Images, Kubernetes, the example settings, and the local LLM."""
