"""What README and docs/ tell people to type, typed: `make test-docs`. Blocks that need no service are checked with all other tests."""
