"""A collector that takes spans by OTLP over gRPC, oteltest's, in a process of its own; it writes what it gets, a line each time."""

from __future__ import annotations

import ast
import base64
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

_PROGRAM: Final = """
import sys
from concurrent.futures import ThreadPoolExecutor
import grpc
from opentelemetry.proto.collector.trace.v1.trace_service_pb2_grpc import add_TraceServiceServicer_to_server
from oteltest.sink.handler import PrintHandler
from oteltest.sink.private import _TraceServiceServicer
server = grpc.server(ThreadPoolExecutor(2))
add_TraceServiceServicer_to_server(_TraceServiceServicer(PrintHandler().handle_trace), server)
server.add_insecure_port("127.0.0.1:" + sys.argv[1])
server.start()
server.wait_for_termination()
"""
"""oteltest's own way, GrpcSink, binds every interface."""


@dataclass(frozen=True)
class Receiver:
    """Where it listens, and what it got."""

    endpoint: str
    written: Path

    def spans(self) -> list[dict[str, Any]]:
        """All spans, as OTLP's JSON has them, and which service each is of (`service`)."""
        found = []
        for line in self.written.read_text().splitlines():
            for resource in ast.literal_eval(line)["resourceSpans"]:
                own = {each["key"]: each["value"].get("stringValue") for each in resource["resource"]["attributes"]}
                for scope in resource["scopeSpans"]:
                    found += [{**span, "service": own["service.name"]} for span in scope["spans"]]
        return found

    def trace(self, trace_id: str, count: int, patience_s: float = 30) -> list[dict[str, Any]]:
        """The spans of one trace, once there are so many; exporters send every few seconds."""
        end = time.monotonic() + patience_s
        while True:
            spans = [span for span in self.spans() if _hex(span["traceId"]) == trace_id]
            if len(spans) >= count or time.monotonic() > end:
                return spans
            time.sleep(0.2)


@contextmanager
def otlp_receiver(folder: Path, port: int) -> Iterator[Receiver]:
    """A receiver while the context lives."""
    written = folder / "spans.txt"
    with written.open("w") as output:
        process = subprocess.Popen([sys.executable, "-c", _PROGRAM, str(port)], stdout=output)
    try:
        yield Receiver(f"http://127.0.0.1:{port}", written)
    finally:
        process.terminate()
        process.wait(10)


def _hex(encoded: str) -> str:
    """Protobuf's JSON writes bytes in base64."""
    return base64.b64decode(encoded).hex()


def parents(spans: list[dict[str, Any]]) -> dict[str, str]:
    """Each span's parent, by names; "" for a root, "?" for a parent that isn't among them."""
    names = {span["spanId"]: span["name"] for span in spans}
    return {span["name"]: names.get(span["parentSpanId"], "?") if span.get("parentSpanId") else "" for span in spans}
