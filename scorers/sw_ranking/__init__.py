"""RouteLLM's similarity-weighted ranking: battles of prompts like this one count more."""
