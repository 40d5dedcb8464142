"""Whether backends are there and take the key: GET <base_url>/models, which costs nothing."""

from __future__ import annotations

import http.client
import json
import ssl
import time
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlencode, urlsplit

from pointsman import __version__
from pointsman.cli.doctor.finding import Finding, ok, problem, warning
from pointsman.runtime.backend_settings import BackendSettings
from pointsman.runtime.settings_file import SettingsError, read_secret

_TIMEOUT_S: Final = 5.0
_MOST_BYTES: Final = 4 * 2**20


@dataclass(frozen=True, slots=True)
class _Answer:
    status: int
    body: bytes
    took_s: float


def backend(name: str, settings: BackendSettings) -> Finding:
    """One finding; the key is sent to the backend as requests send it, and told to nobody."""
    check, source = f"backend {name}", _source(settings)
    try:
        key = read_secret(settings.key_env, settings.key_file)
    except SettingsError as error:
        return problem(check, str(error), f"set it for the controller, or correct backends.{name}")
    try:
        answer = _asked(settings, key)
    except ssl.SSLError as error:
        return problem(
            check,
            f"{_host(settings)} has no TLS that can be trusted: {error.reason or 'no reason given'}",
            f"correct backends.{name}.base_url",
        )
    except (OSError, http.client.HTTPException) as error:
        said = getattr(error, "strerror", None) or type(error).__name__
        return problem(check, f"{_host(settings)} can't be reached: {said}", f"start it, or correct backends.{name}.base_url")
    except ValueError:  # its words may be the key
        return problem(check, f"what {source} or headers hold is nothing that HTTP can carry", "write it anew, without line breaks")
    return _judged(check, name, settings, answer)


def _judged(check: str, name: str, settings: BackendSettings, answer: _Answer) -> Finding:
    status, source = answer.status, _source(settings)
    took = f"answers in {1000 * answer.took_s:,.0f} ms"
    if status in (401, 403):
        if source:
            return problem(check, f"refuses the key of {source} ({status})", f"correct what {source} holds, or backends.{name}.key_header")
        return problem(check, f"wants a key ({status}), and none is named", f"name its variable in backends.{name}.key_env")
    if status >= 500 or status == 429:
        return warning(check, f"{took}, with {status}", "see its own log or status page")
    if status != 200:
        return ok(check, f"{took}; it has no list of models ({status}), so whether it takes the key isn't known")
    listed = _listed(answer.body)
    if listed and settings.model not in listed:
        return warning(
            check,
            f"{took}, and lists {len(listed)} model{'s' if len(listed) > 1 else ''} without {settings.model!r}",
            f"correct backends.{name}.model",
        )
    return ok(check, f"{took}{', and has ' + settings.model if listed else ''}")


def _asked(settings: BackendSettings, key: str | None) -> _Answer:
    url = urlsplit(settings.base_url)
    headers = {"user-agent": f"pointsman/{__version__}", "accept": "application/json", **settings.headers}
    if key and settings.key_header.lower() not in {name.lower() for name in settings.headers}:
        headers[settings.key_header] = f"Bearer {key}" if settings.key_header.lower() == "authorization" else key
    query = f"?{urlencode(settings.query)}" if settings.query else ""
    begun = time.monotonic()
    host = url.hostname or ""
    connection: http.client.HTTPConnection
    if url.scheme == "https":
        connection = http.client.HTTPSConnection(host, url.port, timeout=_TIMEOUT_S, context=ssl.create_default_context())
    else:
        connection = http.client.HTTPConnection(host, url.port, timeout=_TIMEOUT_S)
    try:
        connection.request("GET", f"{url.path.rstrip('/')}/models{query}", headers=headers)
        response = connection.getresponse()
        return _Answer(response.status, response.read(_MOST_BYTES), time.monotonic() - begun)
    finally:
        connection.close()


def _listed(body: bytes) -> set[str]:
    """Names of models; empty where the body is no list of OpenAI's kind."""
    try:
        return {str(each["id"]) for each in json.loads(body)["data"]}
    except (ValueError, TypeError, KeyError):
        return set()


def _source(settings: BackendSettings) -> str:
    return settings.key_env or (str(settings.key_file) if settings.key_file else "")


def _host(settings: BackendSettings) -> str:
    url = urlsplit(settings.base_url)
    return f"{url.hostname}:{url.port}" if url.port else str(url.hostname)
