"""TLS and the token with which controllers are called: by the gateway, and by the operator's commands."""

from __future__ import annotations

import grpc

from pointsman.runtime.pem_files import Pem, PemFiles, PemPaths
from pointsman.runtime.settings import GatewaySettings
from pointsman.runtime.tls_settings import ControllerTlsSettings
from pointsman.runtime.tokens import Tokens


class ClientTls:
    """What a caller of controllers shows and trusts."""

    def __init__(self, settings: ControllerTlsSettings, where: str) -> None:
        """`where` is the settings' key, such as gateway.controller_tls. Raises `SettingsError` naming the key and the file."""
        self._server_name = settings.server_name
        self._files = PemFiles(PemPaths(where, settings.cert_file, settings.key_file, settings.ca_file))

    def now(self) -> Pem:
        """The files' contents: the same object until they change."""
        return self._files.now()

    @staticmethod
    def credentials(pem: Pem) -> grpc.ChannelCredentials:
        """For a channel; gRPC takes them once, so that changed files need another channel."""
        return grpc.ssl_channel_credentials(pem.authorities, pem.key, pem.chain)

    def options(self) -> list[tuple[str, str | int]]:
        """Of a channel: the name that certificates must have."""
        return [("grpc.ssl_target_name_override", self._server_name)] if self._server_name else []


class ControllerAccess:
    """By what a controller lets a caller in."""

    def __init__(self, settings: GatewaySettings) -> None:
        """Raises `SettingsError` naming the key and the file that can't be used."""
        self.tls = ClientTls(settings.controller_tls, "gateway.controller_tls") if settings.controller_tls else None
        self.token = Tokens("gateway.controller_token", settings.controller_token_env, settings.controller_token_file)
