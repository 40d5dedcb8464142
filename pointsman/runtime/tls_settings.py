"""The settings of TLS: what a listener shows and asks for, and what the gateway shows and trusts when it calls controllers."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from pointsman.runtime.settings_part import Part


class TlsSettings(Part):
    """TLS 1.2 or newer on every port of a service. Files are in PEM and are read again when they change."""

    cert_file: Path
    """The certificate, and after it those of the authorities between it and the root."""
    key_file: Path
    """Its private key, not encrypted."""
    client_certificates: Literal["none", "optional", "required"] = "none"
    """required: nobody without a certificate of `client_ca_file` gets an answer, probes included. optional: REST and metrics
    look at a certificate where there is one, and gRPC, which can't ask without insisting, doesn't look."""
    client_ca_file: Path | None = None
    """The authorities whose client certificates count."""

    @model_validator(mode="after")
    def _ca_where_asked(self) -> Self:
        if (self.client_certificates == "none") != (self.client_ca_file is None):
            raise ValueError("client_certificates: optional or required needs client_ca_file, and none has no use for it")
        return self


class ControllerTlsSettings(Part):
    """TLS from the gateway to the controllers. Files are in PEM and are read again when they change."""

    ca_file: Path | None = None
    """The authorities that may have signed the controllers' certificates; null is gRPC's own list of public ones."""
    cert_file: Path | None = None
    """The gateway's own certificate, where controllers require one."""
    key_file: Path | None = None
    server_name: Annotated[str, Field(min_length=1, max_length=253)] | None = None
    """The name that the controllers' certificates must have; null is that of the address."""

    @model_validator(mode="after")
    def _both_or_none(self) -> Self:
        if (self.cert_file is None) != (self.key_file is None):
            raise ValueError("cert_file and key_file go together")
        return self
