"""Whether certificates and their keys can be used, and for how long."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from pointsman.cli.doctor.finding import Finding, ok, problem, skipped, warning
from pointsman.runtime.pem_files import PemPaths
from pointsman.runtime.settings import Settings
from pointsman.runtime.settings_file import SettingsError

_SOON: Final = timedelta(days=14)


def certificates(settings: Settings) -> list[Finding]:
    """Of every part of the settings that names some."""
    found: list[Finding] = []
    for paths in _named(settings):
        try:
            paths.read()
        except SettingsError as error:
            found.append(problem("certificates", str(error), f"correct {paths.where} or the file"))
            continue
        found += [_until(paths.where, file) for file in (paths.cert_file, paths.ca_file) if file]
    return found


def _named(settings: Settings) -> Iterator[PemPaths]:
    for where, tls in (("gateway.tls", settings.gateway.tls), ("controller.tls", settings.controller.tls)):
        if tls:
            yield PemPaths(where, tls.cert_file, tls.key_file, tls.client_ca_file, "client_ca_file")
    if to := settings.gateway.controller_tls:
        yield PemPaths("gateway.controller_tls", to.cert_file, to.key_file, to.ca_file)


def _until(where: str, file: Path) -> Finding:
    """By the certificate in the file that ends first."""
    if not find_spec("cryptography"):
        return skipped("certificates", f"{where}: how long {file} counts isn't looked at", "pip install cryptography")
    from cryptography import x509  # slow to import, and not of the command's own packages

    try:
        ends = min(each.not_valid_after_utc for each in x509.load_pem_x509_certificates(file.read_bytes()))
    except (OSError, ValueError) as error:
        return problem("certificates", f"{where}: {file}: {error}", "restore the file")
    left = ends - datetime.now(UTC)
    said = f"{where}: {file} counts until {ends:%Y-%m-%d %H:%M} UTC"
    if left <= timedelta():
        return problem(
            "certificates", f"{where}: {file} has been invalid since {ends:%Y-%m-%d %H:%M} UTC", "renew it; it is read again at once"
        )
    return warning("certificates", said, "renew it; it is read again at once") if left < _SOON else ok("certificates", said)
