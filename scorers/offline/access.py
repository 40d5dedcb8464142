"""How a command that asks a running service gets in: its options, as `pointsman route` has them too."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Final

from pointsman.client import Access
from pointsman.runtime.caller_access import caller_access

_FILES: Final = (
    ("ca_file", "speak TLS to --url and trust the authorities in this file (PEM)"),
    ("cert_file", "a client certificate, where the service asks for one (PEM)"),
    ("key_file", "its private key (PEM)"),
    ("api_key_file", "the file that holds the API key"),
)


def add_access_options(parser: argparse.ArgumentParser) -> None:
    """Those that `access_of` reads."""
    parser.add_argument("--tls", action="store_true", help="speak TLS to --url and trust public authorities; --ca-file implies TLS")
    for name, said in _FILES:
        parser.add_argument(f"--{name.replace('_', '-')}", type=Path, help=said)
    parser.add_argument("--server-name", help="the name in the service's certificate, where it isn't that of the address")
    parser.add_argument("--api-key-env", help="the environment variable that holds the API key")
    parser.add_argument("--allow-plaintext-key", action="store_true", help="send the API key to another machine without TLS")


def access_of(options: argparse.Namespace) -> Access:
    """For the service at --url. Raises `SettingsError` naming what can't be used."""
    names = (*(name for name, _ in _FILES), "tls", "server_name", "api_key_env", "allow_plaintext_key")
    return caller_access(options.url, **{name: getattr(options, name) for name in names})
