"""How a command gets in at a gateway, by its options: the keys and files that they name."""

from __future__ import annotations

from pathlib import Path

from pointsman.client.access import Access, Tls, opening
from pointsman.runtime.settings_file import SettingsError, read_secret


def caller_access(
    address: str,
    *,
    tls: bool = False,
    ca_file: Path | None = None,
    cert_file: Path | None = None,
    key_file: Path | None = None,
    server_name: str | None = None,
    api_key_env: str | None = None,
    api_key_file: Path | None = None,
    allow_plaintext_key: bool = False,
) -> Access:
    """What a client of `address` takes: TLS where any option asks for it, and the key.

    Raises `SettingsError` for what is missing or can't go together.
    """
    access = Access(api_key=read_secret(api_key_env, api_key_file), allow_plaintext_key=allow_plaintext_key)
    if tls or ca_file or cert_file or key_file or server_name:
        try:
            access["tls"] = Tls.from_files(ca_file, cert_file, key_file, server_name)
        except OSError as error:
            raise SettingsError(f"{error.filename} can't be read: {error.strerror}") from None
        except ValueError as error:
            raise SettingsError(f"--cert-file and --key-file: {error}") from None
    try:
        opening(address, access)
    except ValueError as error:
        raise SettingsError(str(error)) from None
    return access
