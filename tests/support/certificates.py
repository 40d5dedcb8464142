"""Certificates of made-up authorities, in files as the settings name them."""

from __future__ import annotations

import ssl
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import trustme

from pointsman.runtime.tls_settings import ControllerTlsSettings, TlsSettings


@dataclass(frozen=True)
class Issued:
    """A certificate and its key, in PEM."""

    chain: bytes
    key: bytes


@dataclass
class Authority:
    """Issues into a folder."""

    folder: Path
    ca: trustme.CA = field(default_factory=trustme.CA)

    def __post_init__(self) -> None:
        self.folder.mkdir(exist_ok=True)
        self.roots = self.ca.cert_pem.bytes()
        self.ca_file = self.folder / "ca.crt"
        self.ca_file.write_bytes(self.roots)

    def issue(self, *names: str, common_name: str | None = None) -> Issued:
        """For these names and IP addresses; a name with a scheme is a URI."""
        made = self.ca.issue_cert(*(names or ("localhost", "127.0.0.1")), common_name=common_name)
        return Issued(b"".join(pem.bytes() for pem in made.cert_chain_pems), made.private_key_pem.bytes())

    def write(self, issued: Issued, name: str = "server") -> tuple[Path, Path]:
        """Its two files, which replace those that are there."""
        paths = self.folder / f"{name}.crt", self.folder / f"{name}.key"
        for path, pem in zip(paths, (issued.chain, issued.key), strict=True):
            part = path.with_suffix(".part")
            part.write_bytes(pem)
            part.replace(path)
        return paths

    def server(self, client_certificates: str = "none", clients: Authority | None = None, name: str = "server") -> TlsSettings:
        """The settings of a listener that shows a new certificate for this machine, and trusts the clients' authority."""
        cert_file, key_file = self.write(self.issue(), name)
        ca_file = None if client_certificates == "none" else (clients or self).ca_file
        made: Any = {"cert_file": cert_file, "key_file": key_file, "client_certificates": client_certificates, "client_ca_file": ca_file}
        return TlsSettings(**made)

    def client(self, *names: str) -> ControllerTlsSettings:
        """The settings of a caller that trusts this authority; with a certificate for `names` where there are any."""
        if not names:
            return ControllerTlsSettings(ca_file=self.ca_file)
        cert_file, key_file = self.write(self.issue(*names), "client")
        return ControllerTlsSettings(ca_file=self.ca_file, cert_file=cert_file, key_file=key_file)

    def context(self, issued: tuple[Path, Path] | None = None) -> ssl.SSLContext:
        """A client's, for HTTP, that trusts this authority."""
        context = ssl.create_default_context(cafile=str(self.ca_file))
        if issued:
            context.load_cert_chain(*issued)
        return context
