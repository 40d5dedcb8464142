"""Scans that `make check` runs: for secrets in the repository, and for known vulnerabilities of what it stands on."""
