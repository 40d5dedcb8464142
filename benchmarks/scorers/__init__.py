"""The strategies' speed against RouteLLM's own way on the same weights, prompts and threads, and how their cost grows."""
