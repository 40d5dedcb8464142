"""Both clients behind one face, so that each behaviour is asked of both."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, Protocol

from pointsman.client import AsyncClient, Client
from pointsman.v1 import routing_pb2


class Caller(Protocol):
    """Calls a method of a client that was made with `access`.

    `stream_text` gives the pieces, what was raised after them, and the receipt.
    """

    async def call(self, address: str, method: str, *args: Any, access: Any = None, **options: Any) -> Any: ...

    async def stream_text(
        self, address: str, messages: Sequence[Any], access: Any = None, **options: Any
    ) -> tuple[list[str], Exception | None, routing_pb2.Receipt | None]: ...


class SyncCaller:
    """The sync client, in a thread, since the server lives in this one's event loop."""

    async def call(self, address: str, method: str, *args: Any, access: Any = None, **options: Any) -> Any:
        def work() -> Any:
            with Client(address, timeout=30, **access or {}) as client:
                return getattr(client, method)(*args, **options)

        return await asyncio.to_thread(work)

    async def stream_text(
        self, address: str, messages: Sequence[Any], access: Any = None, **options: Any
    ) -> tuple[list[str], Exception | None, routing_pb2.Receipt | None]:
        def work() -> tuple[list[str], Exception | None, routing_pb2.Receipt | None]:
            pieces: list[str] = []
            with Client(address, timeout=30, **access or {}) as client, client.stream_chat(messages, **options) as answer:
                try:
                    pieces.extend(answer.text())
                except Exception as error:  # noqa: BLE001 - the test asks which
                    return pieces, error, answer.receipt
                return pieces, None, answer.receipt

        return await asyncio.to_thread(work)


class AsyncCaller:
    """The async client."""

    async def call(self, address: str, method: str, *args: Any, access: Any = None, **options: Any) -> Any:
        async with AsyncClient(address, timeout=30, **access or {}) as client:
            return await getattr(client, method)(*args, **options)

    async def stream_text(
        self, address: str, messages: Sequence[Any], access: Any = None, **options: Any
    ) -> tuple[list[str], Exception | None, routing_pb2.Receipt | None]:
        pieces: list[str] = []
        async with AsyncClient(address, timeout=30, **access or {}) as client, client.stream_chat(messages, **options) as answer:
            try:
                async for piece in answer.text():
                    pieces.append(piece)
            except Exception as error:  # noqa: BLE001 - the test asks which
                return pieces, error, answer.receipt
            return pieces, None, answer.receipt
