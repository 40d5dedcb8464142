"""The `mf` strategy: RouteLLM's matrix factorization over text embeddings."""
