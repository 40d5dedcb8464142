"""TLS and the token with which controllers are called: by the gateway, and by the operator's commands."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import grpc

from pointsman.runtime.gateway_settings import GatewaySettings
from pointsman.runtime.pem_files import Pem, PemFiles, PemPaths
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

    def options(self, server_name: str | None = None) -> list[tuple[str, str | int]]:
        """Of a channel: the name that certificates must have, by the settings or else `server_name`."""
        name = self._server_name or server_name
        return [("grpc.ssl_target_name_override", name)] if name else []


def controller_tls(settings: GatewaySettings) -> ClientTls | None:
    """None for plain text. Raises `SettingsError` naming the key and the file that can't be used."""
    return ClientTls(settings.controller_tls, "gateway.controller_tls") if settings.controller_tls else None


class ControllerAccess:
    """By what a controller lets a caller in."""

    def __init__(self, settings: GatewaySettings) -> None:
        """Raises `SettingsError` naming the key and the file that can't be used."""
        self.controllers: Sequence[str] = settings.controllers
        self.tls = controller_tls(settings)
        self.token = Tokens("gateway.controller_token", settings.controller_token_env, settings.controller_token_file)

    def channel(self, target: str, options: Sequence[tuple[str, str | int]], server_name: str | None = None) -> grpc.Channel:
        """A synchronous channel, for a command."""
        # Controllers are behind no proxy, and none should be told the token.
        options = [*options, ("grpc.enable_http_proxy", 0)]
        if self.tls is None:
            return grpc.insecure_channel(target, options=options)
        own = self.tls.options(server_name)
        return grpc.secure_channel(target, self.tls.credentials(self.tls.now()), options=[*options, *own])


def access_to_controllers(
    gateway: GatewaySettings, tls: Mapping[str, Path | str | None], token_env: str | None, token_file: Path | None
) -> ControllerAccess:
    """What the settings say, with what is given in the place of it: `tls` by the keys of controller_tls, and the token.

    Raises `SettingsError` for what can't be used and `ValidationError` for what doesn't go together.
    """
    update: dict[str, object] = {}
    if any(tls.values()):
        before = gateway.controller_tls.model_dump() if gateway.controller_tls else {}
        update["controller_tls"] = {**before, **{key: value for key, value in tls.items() if value is not None}}
    if token_env or token_file:
        update |= {"controller_token_env": token_env, "controller_token_file": token_file}
    return ControllerAccess(GatewaySettings.model_validate({**gateway.model_dump(), **update}))
