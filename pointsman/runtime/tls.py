"""TLS on our listeners: one set of files for all ports of a service, looked at again for each new connection.

TLS 1.2 is the oldest version; gRPC has that by itself. Connections that stand keep the certificate that they began with.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable
from typing import Any, Final, cast

import grpc

from pointsman.runtime.pem_files import Pem, PemFiles, PemPaths
from pointsman.runtime.tls_settings import TlsSettings

_VERIFY: Final = {"none": ssl.CERT_NONE, "optional": ssl.CERT_OPTIONAL, "required": ssl.CERT_REQUIRED}


def server_tls(settings: TlsSettings | None, where: str) -> ServerTls | None:
    """What the settings ask for, None for plain text. Raises `SettingsError` naming the key and the file that can't be used."""
    return ServerTls(settings, where) if settings else None


class ServerTls:
    """A service's certificate, and whose client certificates count."""

    def __init__(self, settings: TlsSettings, where: str) -> None:
        """`where` is the settings' key, such as gateway.tls. Raises `SettingsError` naming the key and the file that can't be used."""
        self._settings = settings
        self._files = PemFiles(PemPaths(where, settings.cert_file, settings.key_file, settings.client_ca_file, "client_ca_file"))

    @property
    def requires_client_certificates(self) -> bool:
        """Whether nobody without one gets an answer, on any port."""
        return self._settings.client_certificates == "required"

    def context(self) -> ssl.SSLContext:
        """For servers that take the standard library's contexts; each connection gets the newest certificate."""
        return _Newest(self._context)

    def grpc_credentials(self) -> grpc.ServerCredentials:
        """For gRPC servers; each handshake gets the newest certificate."""
        given = self._files.now()

        def newest() -> grpc.ServerCertificateConfiguration | None:
            nonlocal given
            if (pem := self._files.now()) is given:
                return None
            given = pem
            return self._grpc_configuration(pem)

        # The stubs don't know that it may answer None, for no change.
        fetch = cast("Callable[[], grpc.ServerCertificateConfiguration]", newest)
        return grpc.dynamic_ssl_server_credentials(self._grpc_configuration(given), fetch, self.requires_client_certificates)

    def _context(self) -> ssl.SSLContext:
        context = self._files.now().context
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        # An authority that another one has signed may be named alone, as gRPC has it.
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
        context.verify_mode = _VERIFY[self._settings.client_certificates]
        return context

    def _grpc_configuration(self, pem: Pem) -> grpc.ServerCertificateConfiguration:
        authorities = pem.authorities if self.requires_client_certificates else None
        return grpc.ssl_server_certificate_configuration([(pem.key or b"", pem.chain or b"")], authorities)


class _Newest(ssl.SSLContext):
    """Makes each connection by the context that is in force then.

    One context whose certificate is replaced would go on resuming sessions that the old files let in.
    """

    def __new__(cls, newest: Callable[[], ssl.SSLContext]) -> _Newest:
        made = super().__new__(cls, ssl.PROTOCOL_TLS_SERVER)
        made.newest = newest
        return made

    newest: Callable[[], ssl.SSLContext]

    def wrap_bio(self, *arguments: Any, **options: Any) -> ssl.SSLObject:
        return self.newest().wrap_bio(*arguments, **options)

    def wrap_socket(self, *arguments: Any, **options: Any) -> ssl.SSLSocket:
        return self.newest().wrap_socket(*arguments, **options)
