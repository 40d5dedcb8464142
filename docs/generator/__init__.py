"""Writes the references of docs/ from what they describe: the command, the contracts, the gateway's OpenAPI document."""
