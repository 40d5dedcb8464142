"""Those outside who ask the stack: an OpenAI client and a gRPC client, each unmodified."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import grpc

from pointsman.runtime.decision_headers import reason_name
from pointsman.v1 import route_service_pb2, route_service_pb2_grpc, routing_pb2
from tests.compose.stack import GRPC, REST

_OPENAI = """
import sys, openai
client = openai.OpenAI(base_url=sys.argv[1] + "/v1", api_key="any", max_retries=0)
for model in sys.argv[2:]:
    asked = client.chat.completions.with_raw_response.create(
        model=model, max_tokens=8, messages=[{"role": "user", "content": "What is the capital of France?"}])
    answer = asked.parse().choices[0].message.content
    print(model, asked.headers["x-pointsman-tier"], asked.headers["x-pointsman-reason"], len(answer))
"""


def by_openai(models: list[str]) -> list[str]:
    """A line for each model string: tier, reason, and how long the answer is. Raises where the client does."""
    python = Path(sys.prefix) / "clients/bin/python"
    done = subprocess.run([str(python), "-c", _OPENAI, REST, *models], capture_output=True, text=True, check=True, timeout=120)
    return done.stdout.splitlines()


def by_grpc(models: list[str]) -> list[str]:
    """The same by RouteService.Route."""
    told = []
    with grpc.insecure_channel(GRPC) as channel:
        stub = route_service_pb2_grpc.RouteServiceStub(channel)
        for model in models:
            request = route_service_pb2.RouteRequest(routing=routing_pb2.RoutingSpec(model=model), prompt="What is the capital of France?")
            decision = stub.Route(request, timeout=20).decision
            told.append(f"{model} {routing_pb2.Tier.Name(decision.tier)} {reason_name(decision.reason)}")
    return told
