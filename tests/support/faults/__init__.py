"""Faults under load: a stack of real services, a backend that fails as it is told, callers who check every answer, and what came of it."""
