"""Certificates and keys from PEM files: read together, checked before they are used, read again when one of them changes."""

from __future__ import annotations

import re
import ssl
import threading
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from pointsman.runtime.file_stamps import stamp_of
from pointsman.runtime.settings_file import SettingsError

_CERTIFICATE: Final = re.compile(rb"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Pem:
    """What was read; each part is PEM, and None where no file is named for it."""

    chain: bytes | None
    key: bytes | None
    authorities: bytes | None
    context: ssl.SSLContext = field(compare=False)
    """A server's, with all three in it."""


@dataclass(frozen=True, slots=True)
class PemPaths:
    """The files of one part of the settings. `where` is its key, such as gateway.tls; `ca_key` that of the authorities in it."""

    where: str
    cert_file: Path | None
    key_file: Path | None
    ca_file: Path | None
    ca_key: str = "ca_file"

    def read(self) -> Pem:
        """The files' contents. Raises `SettingsError` naming the key and the file that can't be used."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        chain, key = self._read("cert_file", self.cert_file), self._read("key_file", self.key_file)
        pem = Pem(chain, key, self._read(self.ca_key, self.ca_file), context)
        if self.cert_file and self.key_file:
            self._load_pair(self.cert_file, self.key_file, pem)
        if pem.authorities is not None:
            self._load_authorities(pem.authorities, context)
        return pem

    def _read(self, key: str, path: Path | None) -> bytes | None:
        if path is None:
            return None
        try:
            return path.read_bytes()
        except OSError as error:
            raise SettingsError(f"{self.where}.{key}: {path} can't be read: {error.strerror}") from None

    def _load_pair(self, cert_file: Path, key_file: Path, pem: Pem) -> None:
        if not _CERTIFICATE.search(pem.chain or b""):
            raise SettingsError(f"{self.where}.cert_file: {cert_file} holds no certificate in PEM")
        if b"PRIVATE KEY-----" not in (pem.key or b""):
            raise SettingsError(f"{self.where}.key_file: {key_file} holds no private key in PEM")
        if b"ENCRYPTED" in (pem.key or b""):
            raise SettingsError(f"{self.where}.key_file: {key_file} is encrypted; a service needs a key that isn't")
        try:
            # The standard library takes the pair from files alone, and would ask a terminal for a missing password.
            pem.context.load_cert_chain(cert_file, key_file, password="")
        except ssl.SSLError as error:
            if error.reason == "KEY_VALUES_MISMATCH":
                raise SettingsError(f"{self.where}: {cert_file} and {key_file} don't belong together") from None
            raise SettingsError(f"{self.where}: {cert_file} with {key_file} can't be used: {error.reason or 'not valid PEM'}") from None
        except OSError as error:
            raise SettingsError(f"{self.where}: {cert_file} with {key_file} can't be read: {error.strerror}") from None
        if (self._read("cert_file", cert_file), self._read("key_file", key_file)) != (pem.chain, pem.key):
            raise SettingsError(f"{self.where}: {cert_file} or {key_file} was written while it was read")

    def _load_authorities(self, pem: bytes, context: ssl.SSLContext) -> None:
        what = f"{self.where}.{self.ca_key}: {self.ca_file}"
        if not _CERTIFICATE.search(pem):
            raise SettingsError(f"{what} holds no certificate in PEM")
        try:
            context.load_verify_locations(cadata="\n".join(each.decode("ascii") for each in _CERTIFICATE.findall(pem)))
        except (ssl.SSLError, ValueError) as error:
            raise SettingsError(f"{what} can't be used: {getattr(error, 'reason', None) or 'not valid PEM'}") from None


class PemFiles:
    """The files as they were when they last could be used. Any thread may ask; a look costs three `stat` calls."""

    def __init__(self, paths: PemPaths) -> None:
        """Raises `SettingsError` naming the key and the file that can't be used."""
        self.paths = paths
        self._lock = threading.Lock()
        self._seen = self._stamps()
        self._pem = paths.read()

    def now(self) -> Pem:
        """The newest contents that can be used: the same object until the files change. What can't be used is logged once."""
        with self._lock:
            stamps = self._stamps()
            if stamps != self._seen:
                self._read_again()
                # Taken before the files were read: one that is being written meanwhile is read again.
                self._seen = stamps
            return self._pem

    def _read_again(self) -> None:
        import structlog  # here: a command reads once, and its own installation doesn't have it

        log = structlog.get_logger()
        try:
            pem = self.paths.read()
        except SettingsError as error:
            log.error("certificate refused, the old one stays", error=str(error))
            return
        if pem != self._pem:
            self._pem = pem
            log.info("certificate read again", settings=self.paths.where)

    def _stamps(self) -> object:
        files: Iterable[Path | None] = (self.paths.cert_file, self.paths.key_file, self.paths.ca_file)
        return [stamp_of(path) for path in files]
