"""Whether a service of this container is ready: what its image's HEALTHCHECK runs.

    python -m pointsman.runtime.healthcheck gateway | controller | scorers | local-llm-strong | local-llm-weak

Exit code 0 where it is, else 1 and what is missing; it reads the same settings as the service.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from pointsman.runtime.probes import Probe, controller_ready, gateway_ready, local_llm_ready, scorers_ready
from pointsman.runtime.settings import Settings
from pointsman.runtime.settings_file import SettingsError, load_settings

SERVICES: Final[Mapping[str, Callable[[Settings], Probe]]] = {
    "gateway": gateway_ready,
    "controller": controller_ready,
    "scorers": scorers_ready,
    "local-llm-strong": lambda settings: local_llm_ready(settings.local_llm.strong_port),
    "local-llm-weak": lambda settings: local_llm_ready(settings.local_llm.weak_port),
}


def main(arguments: Sequence[str]) -> int:
    """The exit code; 2 for a service that there isn't and for settings that can't be used."""
    if len(arguments) != 1 or arguments[0] not in SERVICES:
        sys.stderr.write(f"usage: python -m pointsman.runtime.healthcheck {' | '.join(SERVICES)}\n")
        return 2
    try:
        probe = SERVICES[arguments[0]](load_settings())
    except SettingsError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    missing = asyncio.run(_asked(probe))
    if missing is None:
        return 0
    sys.stderr.write(f"{missing}\n")
    return 1


async def _asked(probe: Probe) -> str | None:
    return await probe()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
