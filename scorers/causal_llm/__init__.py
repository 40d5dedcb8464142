"""The `causal_llm` strategy: a causal LM says, as a token from [[1]] to [[5]], how well the weak model would answer."""
