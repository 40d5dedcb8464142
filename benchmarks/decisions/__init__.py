"""What a decision costs beyond its model's own time, and what asking all strategies at once costs beyond the slowest."""
