"""Who calls: API keys and client certificates, for both protocols by the same code."""
