"""The Python client of RouteService, for callers: it needs grpcio and protobuf alone.

    with Client("127.0.0.1:50051") as client:
        answer = client.chat([{"role": "user", "content": "法国的首都是哪里?"}], model="router-mf-0.5")
        print(answer.choices[0].message.content, answer.receipt.decision.tier)

`Client("router.example:50051", tls=Tls.from_files(ca_file="ca.crt"), api_key=…)` speaks TLS and says who asks. `AsyncClient` is the
same with `await`. Every failure is a `RouteError`; docs/clients.md has deadlines, retries and streams that break off.
"""

from pointsman.client.access import Access, Tls
from pointsman.client.aio import AsyncChatStream, AsyncClient
from pointsman.client.channel import DEFAULT_ADDRESS, DEFAULT_TIMEOUT_S
from pointsman.client.failures import AnswerCut, RouteError, Unreachable
from pointsman.client.requests import ChatOptions, Message, Routing
from pointsman.client.sync import ChatStream, Client

__all__ = [
    "DEFAULT_ADDRESS",
    "DEFAULT_TIMEOUT_S",
    "Access",
    "AnswerCut",
    "AsyncChatStream",
    "AsyncClient",
    "ChatOptions",
    "ChatStream",
    "Client",
    "Message",
    "RouteError",
    "Routing",
    "Tls",
    "Unreachable",
]
