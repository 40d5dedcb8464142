"""The token by which a controller knows its gateways: read from the environment or a file, and compared in constant time."""

from __future__ import annotations

import hashlib
import hmac
import re
import threading
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

from pointsman.runtime.file_stamps import stamp_of
from pointsman.runtime.settings_file import SettingsError, read_secret

AUTHORIZATION: Final = "authorization"
_BEARER: Final = "bearer "
_TOKEN: Final = re.compile(r"[\x21-\x7e]{16,4096}", re.ASCII)


class Tokens:
    """The tokens in force, the first one being the one to send; none where the settings name none. Any thread may ask."""

    def __init__(self, where: str, env: str | None, file: Path | None) -> None:
        """`where` is the settings' key without its ending, such as controller.token. Raises `SettingsError` naming the key."""
        self._where, self._env, self._file = where, env, file
        self._lock = threading.Lock()
        self._seen = stamp_of(file)
        self._tokens = self._read()

    def now(self) -> tuple[str, ...]:
        """As their file has them now; one that can't be used is logged once and changes nothing."""
        if self._file is None:
            return self._tokens
        with self._lock:
            if (stamp := stamp_of(self._file)) != self._seen:
                self._read_again()
                self._seen = stamp
            return self._tokens

    def _read_again(self) -> None:
        import structlog  # here: a command reads once, and its own installation doesn't have it

        log = structlog.get_logger()
        try:
            self._tokens = self._read()
        except SettingsError as error:
            log.error("token refused, the old one stays", error=str(error))
        else:
            log.info("token read again", settings=f"{self._where}_file")

    def metadata(self) -> tuple[tuple[str, str], ...]:
        """What a call carries: the first token, or nothing."""
        return tuple((AUTHORIZATION, f"Bearer {token}") for token in self.now()[:1])

    def allow(self, said: Mapping[str, str | bytes]) -> bool:
        """Whether a call's metadata carries one of them."""
        authorization = said.get(AUTHORIZATION, "")
        if not isinstance(authorization, str) or authorization[: len(_BEARER)].lower() != _BEARER:
            return False
        return _is_one_of(authorization[len(_BEARER) :].strip(), self.now())

    def _read(self) -> tuple[str, ...]:
        text = read_secret(self._env, self._file, self._where)
        if text is None:
            return ()
        key = f"{self._where}_{'env' if self._env else 'file'}"
        tokens = tuple(line.strip() for line in text.splitlines() if line.strip())
        if not tokens or not all(_TOKEN.fullmatch(token) for token in tokens):
            raise SettingsError(f"{key}: a token is 16 to 4096 printable ASCII characters without spaces; several stand on a line each")
        return tokens


def _is_one_of(said: str, tokens: Iterable[str]) -> bool:
    """Takes as long whichever it is, and however much of it is right."""
    digest = _digest(said)
    # Counted, so that it doesn't end with the first that fits.
    return sum(hmac.compare_digest(digest, _digest(token)) for token in tokens) > 0


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()
