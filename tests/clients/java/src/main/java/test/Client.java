package test;

import io.opentelemetry.api.common.AttributeKey;
import io.opentelemetry.api.common.Attributes;
import io.opentelemetry.api.common.KeyValue;
import io.opentelemetry.api.common.Value;
import io.opentelemetry.api.logs.Logger;
import io.opentelemetry.api.logs.Severity;
import io.opentelemetry.api.metrics.DoubleHistogram;
import io.opentelemetry.api.metrics.LongCounter;
import io.opentelemetry.api.metrics.Meter;
import io.opentelemetry.api.trace.Span;
import io.opentelemetry.api.trace.SpanContext;
import io.opentelemetry.api.trace.SpanKind;
import io.opentelemetry.api.trace.StatusCode;
import io.opentelemetry.api.trace.TraceFlags;
import io.opentelemetry.api.trace.TraceState;
import io.opentelemetry.api.trace.Tracer;
import io.opentelemetry.context.Context;
import io.opentelemetry.exporter.otlp.logs.OtlpGrpcLogRecordExporter;
import io.opentelemetry.exporter.otlp.metrics.OtlpGrpcMetricExporter;
import io.opentelemetry.exporter.otlp.trace.OtlpGrpcSpanExporter;
import io.opentelemetry.sdk.common.CompletableResultCode;
import io.opentelemetry.sdk.logs.SdkLoggerProvider;
import io.opentelemetry.sdk.logs.export.BatchLogRecordProcessor;
import io.opentelemetry.sdk.logs.export.LogRecordExporter;
import io.opentelemetry.sdk.metrics.InstrumentType;
import io.opentelemetry.sdk.metrics.SdkMeterProvider;
import io.opentelemetry.sdk.metrics.data.AggregationTemporality;
import io.opentelemetry.sdk.metrics.data.MetricData;
import io.opentelemetry.sdk.metrics.export.MetricExporter;
import io.opentelemetry.sdk.metrics.export.PeriodicMetricReader;
import io.opentelemetry.sdk.resources.Resource;
import io.opentelemetry.sdk.trace.SdkTracerProvider;
import io.opentelemetry.sdk.trace.export.BatchSpanProcessor;
import io.opentelemetry.sdk.trace.export.SpanExporter;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.util.Collection;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.function.Function;

/**
 * A service instrumented with the OpenTelemetry SDK for Java. Every batch goes to two places by OTLP/gRPC: to the sidecar,
 * and, for comparison, straight to the receiver. What it sends is described in ../README.md.
 */
public final class Client {
  private static final String HOST = "web-1.prod.corp.example";
  private static final String DB = "db-master.corp.example";
  private static final String NODE = "node-paris-3";
  private static final String EMAIL = "alice.winter@corp.example";
  private static final String IP4 = "203.0.113.77";
  private static final String IP6 = "2001:db8:85a3::8a2e:370:7334";

  private static final Resource RESOURCE =
      Resource.create(
          Attributes.builder()
              .put("service.name", "checkout-java")
              .put("service.version", "1.4.2")
              .put("host.name", HOST)
              .put("host.ip", IP4, IP6)
              .put("k8s.node.name", NODE)
              .put("process.pid", 4711)
              .build());

  private static final String SIDECAR = System.getenv("OTEL_EXPORTER_OTLP_ENDPOINT");
  private static final String RECEIVER = System.getenv("PRIVET_TEST_RECEIVER");
  private static final String COMPRESSION = System.getenv().getOrDefault("OTEL_EXPORTER_OTLP_COMPRESSION", "none");

  private static Context sendTraces(Tracer tracer) {
    SpanContext caller =
        SpanContext.createFromRemoteParent(
            "01020300000000000000000000000000",
            "0405060000000000",
            TraceFlags.getSampled(),
            TraceState.builder().put("edge", IP4).build());
    Span server =
        tracer
            .spanBuilder("POST /login")
            .setNoParent()
            .setSpanKind(SpanKind.SERVER)
            .addLink(caller, Attributes.of(AttributeKey.stringKey("client.address"), IP4))
            .setAttribute("client.address", IP4)
            .setAttribute("user.email", EMAIL)
            .setAttribute("url.full", "https://" + HOST + ":8443/login?from=" + IP4)
            .setAttribute("http.response.status_code", 503)
            .setAttribute("sampling.ratio", 0.25)
            .setAttribute("retried", true)
            .setAttribute(IP4, "as a key")
            .startSpan();
    Context context = Context.root().with(server);
    Span client =
        tracer
            .spanBuilder("query " + DB)
            .setParent(context)
            .setSpanKind(SpanKind.CLIENT)
            .setAttribute("server.address", DB)
            .setAttribute("server.port", 5432)
            .setAttribute("network.peer.address", IP6)
            .setAttribute("note", NODE + " is slow")
            .startSpan();
    client.addEvent(
        "retry " + IP6,
        Attributes.builder().put("exception.message", "no route to " + DB + " (" + IP6 + ")").put("attempt", 2).build());
    client.setStatus(StatusCode.ERROR, IP6 + " refused " + EMAIL);
    client.end();
    server.end();
    return context;
  }

  private static void sendLogs(Logger logger, Context context) {
    logger
        .logRecordBuilder()
        .setContext(context)
        .setTimestamp(Instant.ofEpochSecond(1_700_000_000, 123_456_789))
        .setSeverity(Severity.WARN2)
        .setSeverityText("WARN2")
        .setEventName("session.start")
        .setBody("login of " + EMAIL + " from " + IP4 + " on " + HOST + " (" + NODE + ") by " + IP6)
        .setAllAttributes(
            Attributes.builder()
                .put("client.address", IP4)
                .put("user.email", EMAIL)
                .put("peer", DB + ":5432")
                .put("attempt", 3)
                .put("score", 0.125)
                .put("accepted", false)
                .put("http.route", "/login")
                .build())
        .emit();
    logger
        .logRecordBuilder()
        .setContext(context)
        .setTimestamp(Instant.ofEpochSecond(1_700_000_001))
        .setSeverity(Severity.INFO)
        .setBody(
            Value.of(
                KeyValue.of("from", Value.of("2001:0DB8:85A3:0:0:8A2E:370:7334")),
                KeyValue.of(
                    "to",
                    Value.of(KeyValue.of("hosts", Value.of(Value.of(DB), Value.of(7), Value.of(2.5))))),
                KeyValue.of("packet", Value.of(("connect " + IP4).getBytes(StandardCharsets.UTF_8))),
                KeyValue.of(IP4, Value.of(1))))
        .setAllAttributes(Attributes.builder().put("server.address", DB).build())
        .emit();
  }

  private static void sendMetrics(Meter meter) {
    LongCounter logins = meter.counterBuilder("logins").setUnit("{login}").setDescription("logins at " + HOST).build();
    logins.add(3, Attributes.builder().put("client.address", IP4).put("user.email", EMAIL).put("tls", true).build());
    logins.add(4, Attributes.builder().put("network.peer.address", IP6).build());
    meter.upDownCounterBuilder("conn_" + IP4 + "_open").build().add(-2);
    DoubleHistogram duration = meter.histogramBuilder("login.duration").setUnit("s").build();
    for (double seconds : new double[] {0.002, 0.5, 17}) {
      duration.record(seconds, Attributes.builder().put("server.address", DB).put("note", "via " + NODE).build());
    }
    meter.gaugeBuilder("load").build().set(0.75, Attributes.builder().put("host.name", HOST).build());
  }

  public static void main(String[] args) {
    SdkTracerProvider tracers =
        SdkTracerProvider.builder()
            .setResource(RESOURCE)
            .addSpanProcessor(BatchSpanProcessor.builder(SpanExporter.composite(spans(SIDECAR), spans(RECEIVER))).build())
            .build();
    SdkLoggerProvider loggers =
        SdkLoggerProvider.builder()
            .setResource(RESOURCE)
            .addLogRecordProcessor(
                BatchLogRecordProcessor.builder(LogRecordExporter.composite(logs(SIDECAR), logs(RECEIVER))).build())
            .build();
    SdkMeterProvider meters =
        SdkMeterProvider.builder()
            .setResource(RESOURCE)
            .registerMetricReader(PeriodicMetricReader.create(new Both(metrics(SIDECAR), metrics(RECEIVER))))
            .build();

    Context context = sendTraces(tracers.tracerBuilder("payments").setInstrumentationVersion("0.3.1").build());
    sendLogs(loggers.loggerBuilder("payments").setInstrumentationVersion("0.3.1").build(), context);
    sendMetrics(meters.meterBuilder("payments").setInstrumentationVersion("0.3.1").build());

    boolean delivered = true;
    for (CompletableResultCode flushed : List.of(tracers.forceFlush(), loggers.forceFlush(), meters.forceFlush())) {
      delivered &= flushed.join(20, TimeUnit.SECONDS).isSuccess();
    }
    System.exit(delivered ? 0 : 1);
  }

  private static SpanExporter spans(String endpoint) {
    return OtlpGrpcSpanExporter.builder().setEndpoint(endpoint).setCompression(COMPRESSION).build();
  }

  private static LogRecordExporter logs(String endpoint) {
    return OtlpGrpcLogRecordExporter.builder().setEndpoint(endpoint).setCompression(COMPRESSION).build();
  }

  private static MetricExporter metrics(String endpoint) {
    return OtlpGrpcMetricExporter.builder().setEndpoint(endpoint).setCompression(COMPRESSION).build();
  }

  /** The one exporter for which the SDK has no composite. */
  private record Both(MetricExporter first, MetricExporter second) implements MetricExporter {
    private CompletableResultCode of(Function<MetricExporter, CompletableResultCode> call) {
      return CompletableResultCode.ofAll(List.of(call.apply(first), call.apply(second)));
    }

    @Override
    public CompletableResultCode export(Collection<MetricData> batch) {
      return of(exporter -> exporter.export(batch));
    }

    @Override
    public CompletableResultCode flush() {
      return of(MetricExporter::flush);
    }

    @Override
    public CompletableResultCode shutdown() {
      return of(MetricExporter::shutdown);
    }

    @Override
    public AggregationTemporality getAggregationTemporality(InstrumentType instrument) {
      return first.getAggregationTemporality(instrument);
    }
  }
}
