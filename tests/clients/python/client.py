"""A service instrumented with the OpenTelemetry SDK for Python.

Every batch goes to two places by OTLP/gRPC: to the sidecar, and, for comparison, straight to the receiver.
What it sends is described in ../README.md.
"""

import os
import sys

from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.exporter.otlp.proto.grpc._log_exporter import OTLPLogExporter
from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor, LogRecordExporter, LogRecordExportResult
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import MetricExporter, MetricExportResult, PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.trace import (
    Link, SpanContext, SpanKind, Status, StatusCode, TraceFlags, TraceState, set_span_in_context,
)

HOST = "web-1.prod.corp.example"
DB = "db-master.corp.example"
NODE = "node-paris-3"
EMAIL = "alice.winter@corp.example"
IP4 = "203.0.113.77"
IP6 = "2001:db8:85a3::8a2e:370:7334"

RESOURCE = Resource({
    "service.name": "checkout-python",
    "service.version": "1.4.2",
    "host.name": HOST,
    "host.ip": [IP4, IP6],
    "k8s.node.name": NODE,
    "process.pid": 4711,
})

failures = []


class Both:
    """One exporter made of two: the same batch goes to both, and a failure of either is remembered."""

    def __init__(self, exporter, success, failure):
        endpoints = os.environ["OTEL_EXPORTER_OTLP_ENDPOINT"], os.environ["PRIVET_TEST_RECEIVER"]
        self.pair = [exporter(endpoint=endpoint, insecure=True) for endpoint in endpoints]
        self.success, self.failure = success, failure

    def export(self, batch, *args, **kwargs):
        results = [exporter.export(batch, *args, **kwargs) for exporter in self.pair]
        if all(result == self.success for result in results):
            return self.success
        failures.append((self.pair[0], results))
        return self.failure

    def force_flush(self, timeout_millis=10_000):
        return all([exporter.force_flush(timeout_millis) for exporter in self.pair])

    def shutdown(self, *args, **kwargs):
        for exporter in self.pair:
            exporter.shutdown()


class BothSpans(Both, SpanExporter):
    def __init__(self):
        Both.__init__(self, OTLPSpanExporter, SpanExportResult.SUCCESS, SpanExportResult.FAILURE)


class BothLogs(Both, LogRecordExporter):
    def __init__(self):
        Both.__init__(self, OTLPLogExporter, LogRecordExportResult.SUCCESS, LogRecordExportResult.FAILURE)


class BothMetrics(Both, MetricExporter):
    def __init__(self):
        MetricExporter.__init__(self)
        Both.__init__(self, OTLPMetricExporter, MetricExportResult.SUCCESS, MetricExportResult.FAILURE)
        # The reader asks the exporter for these.
        self._preferred_temporality = self.pair[0]._preferred_temporality
        self._preferred_aggregation = self.pair[0]._preferred_aggregation


def send_traces(tracer):
    caller = SpanContext(
        trace_id=0x01020300000000000000000000000000, span_id=0x0405060000000000, is_remote=True,
        trace_flags=TraceFlags(TraceFlags.SAMPLED), trace_state=TraceState([("edge", IP4)]))
    server = tracer.start_span("POST /login", kind=SpanKind.SERVER, links=[Link(caller, {"client.address": IP4})], attributes={
        "client.address": IP4,
        "user.email": EMAIL,
        "url.full": f"https://{HOST}:8443/login?from={IP4}",
        "http.response.status_code": 503,
        "sampling.ratio": 0.25,
        "retried": True,
        IP4: "as a key",
    })
    context = set_span_in_context(server)
    client = tracer.start_span(f"query {DB}", context=context, kind=SpanKind.CLIENT, attributes={
        "server.address": DB, "server.port": 5432, "network.peer.address": IP6, "note": f"{NODE} is slow",
    })
    client.add_event(f"retry {IP6}", {"exception.message": f"no route to {DB} ({IP6})", "attempt": 2})
    client.set_status(Status(StatusCode.ERROR, f"{IP6} refused {EMAIL}"))
    client.end()
    server.end()
    return context


def send_logs(logger, context):
    logger.emit(LogRecord(
        context=context, timestamp=1_700_000_000_123_456_789, severity_number=SeverityNumber.WARN2, severity_text="WARN2",
        event_name="session.start", body=f"login of {EMAIL} from {IP4} on {HOST} ({NODE}) by {IP6}",
        attributes={
            "client.address": IP4, "user.email": EMAIL, "peer": f"{DB}:5432", "attempt": 3, "score": 0.125, "accepted": False,
            "http.route": "/login",
        }))
    logger.emit(LogRecord(
        context=context, timestamp=1_700_000_001_000_000_000, severity_number=SeverityNumber.INFO,
        body={"from": "2001:0DB8:85A3:0:0:8A2E:370:7334", "to": {"hosts": [DB, 7, 2.5]}, IP4: 1},
        attributes={"packet": f"connect {IP4}".encode(), "server.address": DB}))


def send_metrics(meter):
    logins = meter.create_counter("logins", unit="{login}", description=f"logins at {HOST}")
    logins.add(3, {"client.address": IP4, "user.email": EMAIL, "tls": True})
    logins.add(4, {"network.peer.address": IP6})
    meter.create_up_down_counter(f"conn_{IP4}_open").add(-2)
    duration = meter.create_histogram("login.duration", unit="s")
    for seconds in 0.002, 0.5, 17:
        duration.record(seconds, {"server.address": DB, "note": f"via {NODE}"})
    meter.create_gauge("load").set(0.75, {"host.name": HOST})


def main():
    tracers = TracerProvider(resource=RESOURCE)
    tracers.add_span_processor(BatchSpanProcessor(BothSpans()))
    loggers = LoggerProvider(resource=RESOURCE)
    loggers.add_log_record_processor(BatchLogRecordProcessor(BothLogs()))
    meters = MeterProvider(resource=RESOURCE, metric_readers=[PeriodicExportingMetricReader(BothMetrics())])

    context = send_traces(tracers.get_tracer("payments", "0.3.1", attributes={"server.address": DB}))
    send_logs(loggers.get_logger("payments", "0.3.1"), context)
    send_metrics(meters.get_meter("payments", "0.3.1"))

    flushed = all([tracers.force_flush(), loggers.force_flush(), meters.force_flush()])
    if failures or not flushed:
        sys.exit(f"not delivered: {failures}")


if __name__ == "__main__":
    main()
