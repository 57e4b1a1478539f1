// A service instrumented with the OpenTelemetry SDK for Node. Every batch goes to two places by OTLP/gRPC: to the sidecar,
// and, for comparison, straight to the receiver. What it sends is described in ../README.md.
import { SpanKind, SpanStatusCode, ROOT_CONTEXT, TraceFlags, createTraceState, trace } from '@opentelemetry/api';
import { SeverityNumber } from '@opentelemetry/api-logs';
import { OTLPLogExporter } from '@opentelemetry/exporter-logs-otlp-grpc';
import { OTLPMetricExporter } from '@opentelemetry/exporter-metrics-otlp-grpc';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-grpc';
import { resourceFromAttributes } from '@opentelemetry/resources';
import { BatchLogRecordProcessor, LoggerProvider } from '@opentelemetry/sdk-logs';
import { MeterProvider, PeriodicExportingMetricReader } from '@opentelemetry/sdk-metrics';
import { BasicTracerProvider, BatchSpanProcessor } from '@opentelemetry/sdk-trace-base';

const host = 'web-1.prod.corp.example';
const db = 'db-master.corp.example';
const node = 'node-paris-3';
const email = 'alice.winter@corp.example';
const ip4 = '203.0.113.77';
const ip6 = '2001:db8:85a3::8a2e:370:7334';

const resource = resourceFromAttributes({
  'service.name': 'checkout-node',
  'service.version': '1.4.2',
  'host.name': host,
  'host.ip': [ip4, ip6],
  'k8s.node.name': node,
  'process.pid': 4711,
});

// One exporter made of two: the same batch goes to both, and a failure of either is remembered.
const failures = [];
function both(Exporter) {
  const pair = [process.env.OTEL_EXPORTER_OTLP_ENDPOINT, process.env.PRIVET_TEST_RECEIVER].map((url) => new Exporter({ url }));
  const sent = (exporter, batch) => new Promise((resolve) => exporter.export(batch, resolve));
  return {
    export(batch, done) {
      Promise.all(pair.map((exporter) => sent(exporter, batch))).then((results) => {
        const failed = results.filter((result) => result.code !== 0);
        failures.push(...failed.map((result) => result.error));
        done(failed[0] ?? results[0]);
      });
    },
    forceFlush: () => Promise.all(pair.map((exporter) => exporter.forceFlush())),
    shutdown: () => Promise.all(pair.map((exporter) => exporter.shutdown())),
  };
}

function sendTraces(tracer) {
  const caller = {
    traceId: '01020300000000000000000000000000',
    spanId: '0405060000000000',
    traceFlags: TraceFlags.SAMPLED,
    traceState: createTraceState(`edge=${ip4}`),
    isRemote: true,
  };
  const server = tracer.startSpan('POST /login', {
    kind: SpanKind.SERVER,
    links: [{ context: caller, attributes: { 'client.address': ip4 } }],
    attributes: {
      'client.address': ip4,
      'user.email': email,
      'url.full': `https://${host}:8443/login?from=${ip4}`,
      'http.response.status_code': 503,
      'sampling.ratio': 0.25,
      retried: true,
      [ip4]: 'as a key',
    },
  });
  const context = trace.setSpan(ROOT_CONTEXT, server);
  const client = tracer.startSpan(`query ${db}`, {
    kind: SpanKind.CLIENT,
    attributes: { 'server.address': db, 'server.port': 5432, 'network.peer.address': ip6, note: `${node} is slow` },
  }, context);
  client.addEvent(`retry ${ip6}`, { 'exception.message': `no route to ${db} (${ip6})`, attempt: 2 });
  client.setStatus({ code: SpanStatusCode.ERROR, message: `${ip6} refused ${email}` });
  client.end();
  server.end();
  return context;
}

function sendLogs(logger, context) {
  logger.emit({
    context,
    timestamp: [1_700_000_000, 123_456_789],
    severityNumber: SeverityNumber.WARN2,
    severityText: 'WARN2',
    eventName: 'session.start',
    body: `login of ${email} from ${ip4} on ${host} (${node}) by ${ip6}`,
    attributes: {
      'client.address': ip4,
      'user.email': email,
      peer: `${db}:5432`,
      attempt: 3,
      score: 0.125,
      accepted: false,
      'http.route': '/login',
    },
  });
  logger.emit({
    context,
    timestamp: [1_700_000_001, 0],
    severityNumber: SeverityNumber.INFO,
    body: { from: '2001:0DB8:85A3:0:0:8A2E:370:7334', to: { hosts: [db, 7, 2.5] }, [ip4]: 1 },
    attributes: { packet: new TextEncoder().encode(`connect ${ip4}`), 'server.address': db },
  });
}

function sendMetrics(meter) {
  const logins = meter.createCounter('logins', { unit: '{login}', description: `logins at ${host}` });
  logins.add(3, { 'client.address': ip4, 'user.email': email, tls: true });
  logins.add(4, { 'network.peer.address': ip6 });
  meter.createUpDownCounter(`conn_${ip4}_open`).add(-2);
  const duration = meter.createHistogram('login.duration', { unit: 's' });
  for (const seconds of [0.002, 0.5, 17]) duration.record(seconds, { 'server.address': db, note: `via ${node}` });
  meter.createGauge('load').record(0.75, { 'host.name': host });
}

const tracers = new BasicTracerProvider({ resource, spanProcessors: [new BatchSpanProcessor(both(OTLPTraceExporter))] });
const loggers = new LoggerProvider({ resource, processors: [new BatchLogRecordProcessor({ exporter: both(OTLPLogExporter) })] });
const meters = new MeterProvider({
  resource,
  readers: [new PeriodicExportingMetricReader({ exporter: both(OTLPMetricExporter) })],
});

const context = sendTraces(tracers.getTracer('payments', '0.3.1'));
sendLogs(loggers.getLogger('payments', '0.3.1'), context);
sendMetrics(meters.getMeter('payments', '0.3.1'));

await tracers.forceFlush();
await loggers.forceFlush();
await meters.forceFlush();
if (failures.length > 0) {
  console.error(failures);
  process.exit(1);
}
process.exit(0);
