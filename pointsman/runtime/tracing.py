"""Spans of OpenTelemetry, where the settings name a collector; else nothing is made and next to nothing is spent.

W3C trace context comes and goes as headers or metadata (`traceparent`, `tracestate`). Prompts, completions and keys are never an attribute.
Attributes are those of the semantic conventions 1.44 (`gen_ai.*`, `rpc.*`, `http.*`), and `pointsman.*` for what was decided.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

from pointsman.runtime.settings_part import Fraction, Part

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SpanExporter
    from opentelemetry.trace import Span, Tracer

SCHEMA: Final = "https://opentelemetry.io/schemas/1.44.0"
CONTEXT: Final = ("traceparent", "tracestate")
Kind = Literal["SERVER", "CLIENT", "INTERNAL"]
Value: TypeAlias = str | bool | int | float
Carrier = Mapping[str, str]


class TracingSettings(Part):
    """Where spans go."""

    otlp_endpoint: str | None = None
    """An OpenTelemetry collector's OTLP by gRPC, `http://host:4317`, or https; null: no spans."""
    share: Fraction = 1.0
    """Of the requests whose caller's trace context doesn't say; where it says, its word counts."""


class ActiveSpan:
    """A span under way, or nothing; `end` it once."""

    def __init__(self, span: Span | None) -> None:
        self._span = span

    def note(self, **attributes: Value | None) -> None:
        """Adds attributes, whose names' dots are written `__`; one without a value is left out."""
        if self._span is not None:
            self._span.set_attributes({name.replace("__", "."): value for name, value in attributes.items() if value is not None})

    def fail(self, what: str) -> None:
        """It went wrong: an error's name, never its words, which may quote a request."""
        if self._span is not None:
            from opentelemetry.trace import Status, StatusCode

            self._span.set_attribute("error.type", what)
            self._span.set_status(Status(StatusCode.ERROR))

    def carrier(self) -> dict[str, str]:
        """What makes spans elsewhere its children; empty where there is none."""
        return _carrier_of(self._span) if self._span is not None else {}

    def end(self) -> None:
        """Now."""
        if self._span is not None:
            self._span.end()


NO_SPAN: Final = ActiveSpan(None)


class _Tracing:
    """Of the process, as logging is."""

    tracer: Tracer | None = None


def configure_tracing(service: str, settings: TracingSettings) -> None:
    """From here on the process makes spans, if a collector is named; they go to it in the background, and what it doesn't take is lost."""
    if settings.otlp_endpoint is None:
        return
    from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter

    plain = settings.otlp_endpoint.startswith("http:")
    trace_to(OTLPSpanExporter(endpoint=settings.otlp_endpoint, insecure=plain), service, settings.share)


def trace_to(exporter: SpanExporter, service: str, share: float = 1.0) -> TracerProvider:
    """Makes spans and gives them to the exporter, in the background; what waits goes when the process ends."""
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor
    from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased

    from pointsman import __version__

    resource = Resource.create({"service.name": f"pointsman-{service}", "service.namespace": "pointsman", "service.version": __version__})
    provider = TracerProvider(sampler=ParentBased(TraceIdRatioBased(share)), resource=resource)
    provider.add_span_processor(BatchSpanProcessor(exporter))
    _Tracing.tracer = provider.get_tracer("pointsman", __version__, schema_url=SCHEMA)
    return provider


def stop() -> None:
    """From here on the process makes no spans."""
    _Tracing.tracer = None


def begin(name: str, kind: Kind, parent: Carrier | None = None, **attributes: Value) -> ActiveSpan:
    """A span that isn't the current one, to be ended by whoever began it. Without a `parent` that of the current span."""
    if (tracer := _Tracing.tracer) is None:
        return NO_SPAN
    from opentelemetry.trace import SpanKind

    named = {key.replace("__", "."): value for key, value in attributes.items()}
    return ActiveSpan(tracer.start_span(name, _context_of(parent), SpanKind[kind], named))


class current_span:  # noqa: N801 (a context manager that reads as a verb; a class, which costs less than a generator)
    """A span that is the current one inside the block: what `begin` takes for its parent, here and in tasks that begin here."""

    def __init__(self, name: str, kind: Kind, parent: Carrier | None = None, **attributes: Value) -> None:
        self._begun = begin(name, kind, parent, **attributes)
        self._token: Any = None

    def __enter__(self) -> ActiveSpan:
        if self._begun is not NO_SPAN:
            from opentelemetry import context, trace

            self._token = context.attach(trace.set_span_in_context(self._begun._span))  # type: ignore[arg-type]
        return self._begun

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        if self._begun is NO_SPAN:
            return
        from opentelemetry import context

        context.detach(self._token)
        if kind is not None:
            self._begun.fail(kind.__name__)
        self._begun.end()


def is_on() -> bool:
    """Whether the process makes spans."""
    return _Tracing.tracer is not None


def current() -> ActiveSpan:
    """The current span."""
    if _Tracing.tracer is None:
        return NO_SPAN
    from opentelemetry import trace

    return ActiveSpan(trace.get_current_span())


def carrier() -> dict[str, str]:
    """Of the current span; empty where there is none."""
    if _Tracing.tracer is None:
        return {}
    from opentelemetry import trace

    return _carrier_of(trace.get_current_span())


def context_in(said: Mapping[str, Any]) -> dict[str, str]:
    """What headers or metadata say of a trace; empty where tracing is off."""
    if _Tracing.tracer is None:
        return {}
    return {name: value for name in CONTEXT if isinstance(value := said.get(name), str)}


def _carrier_of(span: Span) -> dict[str, str]:
    from opentelemetry.trace import set_span_in_context
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    found: dict[str, str] = {}
    TraceContextTextMapPropagator().inject(found, set_span_in_context(span))
    return found


def _context_of(parent: Carrier | None) -> Any:
    """None is the current one."""
    if parent is None:
        return None
    from opentelemetry.context import Context
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    return TraceContextTextMapPropagator().extract(parent, Context())
