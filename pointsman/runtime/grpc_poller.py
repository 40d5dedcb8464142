"""How gRPC waits for its sockets: by the thread that waits for calls, and not by its EventEngine's pool of four.

Each message then passes one thread on its way to the event loop where it passed three: a call takes 15 % less CPU on both sides and half as
long where nothing else runs (decision 0019). gRPC reads the variable when it is imported, so this imports nothing that does.
"""

from __future__ import annotations

from typing import Final

from pointsman.runtime.settings_file import prefer

VARIABLE: Final = "GRPC_EXPERIMENTS"
VALUE: Final = "-event_engine_client,-event_engine_listener"


def choose() -> None:
    """Before grpc is imported, in this process or in one that it starts. What the operator has set wins."""
    prefer(VARIABLE, VALUE)
