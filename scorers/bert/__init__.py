"""RouteLLM's BERT classifier: who wins, strong, neither or weak, in three classes."""
