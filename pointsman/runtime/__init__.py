"""What every service process needs and nothing else. Imports no service."""
