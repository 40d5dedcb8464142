"""How a client gets in: TLS, and the key by which the service knows it."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Self, TypedDict

import grpc

from pointsman.client.channel import channel_options
from pointsman.runtime.addresses import is_local_target

File = str | os.PathLike[str]
Metadata = tuple[tuple[str, str | bytes], ...]
_KEY: Final = re.compile(r"[\x21-\x7e]+", re.ASCII)


@dataclass(frozen=True, slots=True)
class Tls:
    """Certificates in PEM. `Tls()` trusts the public authorities that gRPC knows, and shows no certificate of its own."""

    root_certificates: bytes | None = None
    """The authorities that may have signed the service's certificate."""
    certificate_chain: bytes | None = None
    """The client's own certificate, where the service asks for one."""
    private_key: bytes | None = field(default=None, repr=False)
    server_name: str | None = None
    """The name that the service's certificate must have, where it isn't that of the address."""

    def __post_init__(self) -> None:
        """Raises `ValueError` for half of a pair."""
        if (self.certificate_chain is None) != (self.private_key is None):
            raise ValueError("a client's certificate and its private key go together")

    @classmethod
    def from_files(
        cls, ca_file: File | None = None, cert_file: File | None = None, key_file: File | None = None, server_name: str | None = None
    ) -> Self:
        """From PEM files, read now. Raises `OSError`."""
        roots, chain, key = (None if file is None else Path(file).read_bytes() for file in (ca_file, cert_file, key_file))
        return cls(roots, chain, key, server_name)

    @property
    def credentials(self) -> grpc.ChannelCredentials:
        """For a channel of one's own."""
        return grpc.ssl_channel_credentials(self.root_certificates, self.private_key, self.certificate_chain)

    @property
    def options(self) -> list[tuple[str, str | int]]:
        """The same."""
        return [("grpc.ssl_target_name_override", self.server_name)] if self.server_name else []


class Access(TypedDict, total=False):
    """How a client gets in; nothing of it is plain text without a key."""

    tls: Tls | None
    credentials: grpc.ChannelCredentials | None
    """In the place of `tls`, for credentials of other kinds."""
    api_key: str | None
    """Sent with every call as `authorization: Bearer <key>`."""
    allow_plaintext_key: bool
    """Whether the key may cross a network without TLS."""


@dataclass(frozen=True, slots=True)
class Opening:
    """What a channel is opened with, and what every call on it carries."""

    credentials: grpc.ChannelCredentials | None
    options: list[tuple[str, str | int]]
    metadata: Metadata = field(repr=False)


def opening(address: str, access: Access) -> Opening:
    """Raises `ValueError` for what can't go together: both forms of TLS, or a key in plain text to another machine; never says the key."""
    tls, credentials, key = access.get("tls"), access.get("credentials"), access.get("api_key")
    if tls and credentials:
        raise ValueError("tls and credentials exclude each other")
    if key is not None and not _KEY.fullmatch(key):
        raise ValueError("api_key is printable ASCII without spaces")
    encrypted = credentials or (tls.credentials if tls else None)
    if key and not encrypted and not is_local_target(address) and not access.get("allow_plaintext_key"):
        raise ValueError(f"api_key would go to {address} in plain text; use TLS, or allow_plaintext_key where the network is safe")
    options = [*channel_options(), *(tls.options if tls else [])]
    if is_local_target(address):
        # A proxy of the environment is another machine, and would be told the key.
        options.append(("grpc.enable_http_proxy", 0))
    metadata: Metadata = (("authorization", f"Bearer {key}"),) if key else ()
    return Opening(encrypted, options, metadata)


def with_callers(own: Metadata, given: Mapping[str, str] | None) -> Metadata:
    """The client's metadata and what the caller gives one call; gRPC takes names in lower case alone."""
    return (*own, *((name.lower(), value) for name, value in given.items())) if given else own
