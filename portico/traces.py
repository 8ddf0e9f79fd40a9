"""Traces by OpenTelemetry, where the operator says where to send them: one span for each request.

A span tells method, route, status and the id of the request, and never an address, so no link of a letter and no name
leaves with it. OpenTelemetry's own variables say all else: OTEL_EXPORTER_OTLP_ENDPOINT, OTEL_SERVICE_NAME and so on.
"""

import logging
import os
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from django.conf import settings

from portico import front, logs
from portico.front import Application, Environ, Start

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider

log = logging.getLogger("portico.traces")

WANTED_BY = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")


def traced(application: Application) -> Application:
    """The application, with a span around each request where traces are wanted and can be made."""
    if not any(os.environ.get(name) for name in WANTED_BY):
        return application
    try:  # only here: most installations do without
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415
        from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415
        from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415
    except ImportError:
        log.warning("Traces are wanted, but OpenTelemetry is not installed: pip install 'portico[otel]'")
        return application
    os.environ.setdefault("OTEL_SERVICE_NAME", "portico")
    provider = TracerProvider()
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    return spanned(application, provider)


def spanned(application: Application, provider: "TracerProvider") -> Application:
    from opentelemetry.propagate import extract  # noqa: PLC0415
    from opentelemetry.trace import SpanKind, StatusCode  # noqa: PLC0415

    tracer = provider.get_tracer("portico")
    # A trace that began elsewhere goes on here where a proxy stands in front; strangers could otherwise order them.
    believed = settings.ALLAUTH_TRUSTED_PROXY_COUNT > 0

    def run(environ: Environ, start: Start) -> Iterable[bytes]:
        carrier = {"traceparent": environ["HTTP_TRACEPARENT"]} if believed and "HTTP_TRACEPARENT" in environ else {}
        where_from, method = extract(carrier), front.method_of(environ)
        with tracer.start_as_current_span(method, where_from, SpanKind.SERVER, record_exception=False) as span:

            def noted(status: str, headers: list[tuple[str, str]], *more: Any) -> Any:
                span.set_attribute("http.response.status_code", int(status[:3]))
                if status >= "500":
                    span.set_status(StatusCode.ERROR)
                return start(status, headers, *more)

            answer = application(environ, noted)
            route = front.route_of(environ)
            span.update_name(f"{method} {route}")
            span.set_attributes(
                {"http.request.method": method, "http.route": route, "portico.request_id": logs.request_id.get()}
            )
            return answer

    return run
