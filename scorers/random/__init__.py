"""The `random` strategy: RouteLLM's baseline."""
