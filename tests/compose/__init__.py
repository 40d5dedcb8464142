"""docker-compose.yml, brought up for real, broken and taken down: `make test-compose`. Not a part of the tests that CI runs."""
