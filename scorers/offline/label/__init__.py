"""`pointsman label`: both tiers of one's own pair answer a sample of prompts, and a judge scores the answers."""
