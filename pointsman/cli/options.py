"""Options that several commands share: how to reach a gateway, and how to reach a controller.

A command that is decorated with `takes` gets them as one argument. Nothing here is slow to import.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_type_hints

import typer

from pointsman.cli.exits import USAGE, CommandFailed

if TYPE_CHECKING:
    from pointsman.client import Client
    from pointsman.runtime.client_tls import ControllerAccess

ServerName = Annotated[str | None, typer.Option(help="The name in the service's certificate, where it isn't that of the address.")]
CertFile = Annotated[Path | None, typer.Option(help="A client certificate, where the service asks for one (PEM).")]
KeyFile = Annotated[Path | None, typer.Option(help="Its private key (PEM).")]


@dataclass(frozen=True, slots=True)
class ToGateway:
    """How a gateway is reached, beside its address."""

    tls: Annotated[bool, typer.Option("--tls", help="Speak TLS and trust public authorities; --ca-file implies TLS.")] = False
    ca_file: Annotated[Path | None, typer.Option(help="Speak TLS and trust the authorities in this file (PEM).")] = None
    cert_file: CertFile = None
    key_file: KeyFile = None
    server_name: ServerName = None
    api_key_env: Annotated[str | None, typer.Option(help="The environment variable that holds the API key.")] = None
    api_key_file: Annotated[Path | None, typer.Option(help="The file that holds the API key.")] = None
    allow_plaintext_key: Annotated[bool, typer.Option("--allow-plaintext-key", help="Send the API key to another machine without TLS.")] = (
        False
    )

    def client(self, address: str, timeout: float) -> Client:
        """Raises `CommandFailed` for options that can't be used."""
        from pointsman.client import Client
        from pointsman.runtime.caller_access import caller_access
        from pointsman.runtime.settings_file import SettingsError

        try:
            access = caller_access(address, **{each.name: getattr(self, each.name) for each in fields(self)})
            return Client(address, timeout=timeout, **access)
        except SettingsError as error:
            raise CommandFailed(str(error), USAGE) from None


@dataclass(frozen=True, slots=True)
class ToController:
    """How a controller is reached, beside its address: as the gateway reaches it by the settings, unless an option says otherwise."""

    settings: Annotated[Path | None, typer.Option(help="The settings file; gateway.controller_tls and controller_token_* count.")] = None
    ca_file: Annotated[Path | None, typer.Option(help="Speak TLS and trust the authorities in this file (PEM).")] = None
    cert_file: CertFile = None
    key_file: KeyFile = None
    server_name: ServerName = None
    token_env: Annotated[str | None, typer.Option(help="The environment variable that holds the controller's token.")] = None
    token_file: Annotated[Path | None, typer.Option(help="The file that holds the controller's token.")] = None

    def access(self) -> ControllerAccess:
        """Raises `CommandFailed` for options and settings that can't be used."""
        from pydantic import ValidationError

        from pointsman.runtime.client_tls import access_to_controllers
        from pointsman.runtime.settings_file import SettingsError, load_settings

        try:
            gateway = load_settings(self.settings).gateway
            own = {"ca_file": self.ca_file, "cert_file": self.cert_file, "key_file": self.key_file, "server_name": self.server_name}
            return access_to_controllers(gateway, own, self.token_env, self.token_file)
        except SettingsError as error:
            raise CommandFailed(str(error), USAGE) from None
        except ValidationError as error:
            said = "; ".join(str(each["msg"]).removeprefix("Value error, ") for each in error.errors())
            raise CommandFailed(said.replace("_file", "-file"), USAGE) from None


def takes(command: Callable[..., None]) -> Callable[..., None]:
    """The command as typer wants it: in the place of an argument of one of these kinds, the kind's own options."""
    given = inspect.signature(command, eval_str=True).parameters
    [(name, kind)] = [(each.name, each.annotation) for each in given.values() if each.annotation in (ToGateway, ToController)]
    types = get_type_hints(kind, include_extras=True)

    def with_options(**said: Any) -> None:
        command(**{name: kind(**{each.name: said.pop(each.name) for each in fields(kind)})}, **said)

    own = [each for each in given.values() if each.name != name]
    keyword = inspect.Parameter.KEYWORD_ONLY
    options = [inspect.Parameter(each.name, keyword, default=each.default, annotation=types[each.name]) for each in fields(kind)]
    parameters = [*own, *options]
    with_options.__name__, with_options.__doc__ = command.__name__, command.__doc__
    with_options.__annotations__ = {each.name: each.annotation for each in parameters}
    with_options.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    return with_options
