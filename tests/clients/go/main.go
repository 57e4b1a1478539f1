// A service instrumented with the OpenTelemetry SDK for Go. Every batch goes to two places by OTLP/gRPC: to the sidecar, and, for
// comparison, straight to the receiver. What it sends is described in ../README.md.
package main

import (
	"context"
	"errors"
	"log"
	"os"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/exporters/otlp/otlplog/otlploggrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlpmetric/otlpmetricgrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracegrpc"
	otellog "go.opentelemetry.io/otel/log"
	"go.opentelemetry.io/otel/metric"
	sdklog "go.opentelemetry.io/otel/sdk/log"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
)

const (
	host  = "web-1.prod.corp.example"
	db    = "db-master.corp.example"
	node  = "node-paris-3"
	email = "alice.winter@corp.example"
	ip4   = "203.0.113.77"
	ip6   = "2001:db8:85a3::8a2e:370:7334"
)

var identity = resource.NewSchemaless(
	attribute.String("service.name", "checkout-go"),
	attribute.String("service.version", "1.4.2"),
	attribute.String("host.name", host),
	attribute.StringSlice("host.ip", []string{ip4, ip6}),
	attribute.String("k8s.node.name", node),
	attribute.Int("process.pid", 4711),
)

func sendTraces(ctx context.Context, tracer trace.Tracer) context.Context {
	state, err := trace.ParseTraceState("edge=" + ip4)
	check(err)
	caller := trace.NewSpanContext(trace.SpanContextConfig{
		TraceID: trace.TraceID{1, 2, 3}, SpanID: trace.SpanID{4, 5, 6}, TraceState: state, Remote: true,
	})
	ctx, server := tracer.Start(ctx, "POST /login", trace.WithSpanKind(trace.SpanKindServer),
		trace.WithLinks(trace.Link{SpanContext: caller, Attributes: []attribute.KeyValue{attribute.String("client.address", ip4)}}),
		trace.WithAttributes(
			attribute.String("client.address", ip4),
			attribute.String("user.email", email),
			attribute.String("url.full", "https://"+host+":8443/login?from="+ip4),
			attribute.Int("http.response.status_code", 503),
			attribute.Float64("sampling.ratio", 0.25),
			attribute.Bool("retried", true),
			attribute.String(ip4, "as a key"),
		))
	_, client := tracer.Start(ctx, "query "+db, trace.WithSpanKind(trace.SpanKindClient), trace.WithAttributes(
		attribute.String("server.address", db),
		attribute.Int("server.port", 5432),
		attribute.String("network.peer.address", ip6),
		attribute.String("note", node+" is slow"),
	))
	client.AddEvent("retry "+ip6, trace.WithAttributes(
		attribute.String("exception.message", "no route to "+db+" ("+ip6+")"), attribute.Int("attempt", 2)))
	client.SetStatus(codes.Error, ip6+" refused "+email)
	client.End()
	server.End()
	return ctx
}

func sendLogs(ctx context.Context, logger otellog.Logger) {
	var login otellog.Record
	login.SetTimestamp(time.Unix(1_700_000_000, 123_456_789))
	login.SetSeverity(otellog.SeverityWarn2)
	login.SetSeverityText("WARN2")
	login.SetEventName("session.start")
	login.SetBody(attribute.StringValue("login of " + email + " from " + ip4 + " on " + host + " (" + node + ") by " + ip6))
	login.AddAttributes(
		attribute.String("client.address", ip4),
		attribute.String("user.email", email),
		attribute.String("peer", db+":5432"),
		attribute.Int("attempt", 3),
		attribute.Float64("score", 0.125),
		attribute.Bool("accepted", false),
		attribute.String("http.route", "/login"),
	)
	logger.Emit(ctx, login)

	var audit otellog.Record
	audit.SetTimestamp(time.Unix(1_700_000_001, 0))
	audit.SetSeverity(otellog.SeverityInfo)
	audit.SetBody(attribute.MapValue(
		attribute.String("from", "2001:0DB8:85A3:0:0:8A2E:370:7334"),
		attribute.Map("to", attribute.Slice("hosts", attribute.StringValue(db), attribute.Int64Value(7), attribute.Float64Value(2.5))),
		attribute.Int(ip4, 1),
	))
	audit.AddAttributes(attribute.ByteSlice("packet", []byte("connect "+ip4)), attribute.String("server.address", db))
	logger.Emit(ctx, audit)
}

func sendMetrics(ctx context.Context, meter metric.Meter) {
	where := metric.WithAttributes(attribute.String("client.address", ip4), attribute.String("user.email", email), attribute.Bool("tls", true))
	logins, err := meter.Int64Counter("logins", metric.WithUnit("{login}"), metric.WithDescription("logins at "+host))
	check(err)
	logins.Add(ctx, 3, where)
	logins.Add(ctx, 4, metric.WithAttributes(attribute.String("network.peer.address", ip6)))
	sessions, err := meter.Int64UpDownCounter("conn_" + ip4 + "_open")
	check(err)
	sessions.Add(ctx, -2)
	duration, err := meter.Float64Histogram("login.duration", metric.WithUnit("s"))
	check(err)
	for _, seconds := range []float64{0.002, 0.5, 17} {
		duration.Record(ctx, seconds, metric.WithAttributes(attribute.String("server.address", db), attribute.String("note", "via "+node)))
	}
	load, err := meter.Float64Gauge("load")
	check(err)
	load.Record(ctx, 0.75, metric.WithAttributes(attribute.String("host.name", host)))
}

func main() {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	sidecar, receiver := os.Getenv("OTEL_EXPORTER_OTLP_ENDPOINT"), os.Getenv("PRIVET_TEST_RECEIVER")

	var spans bothSpans
	var points bothPoints
	var records bothRecords
	for i, endpoint := range []string{sidecar, receiver} {
		var err error
		spans[i], err = otlptracegrpc.New(ctx, otlptracegrpc.WithEndpointURL(endpoint))
		check(err)
		points[i], err = otlpmetricgrpc.New(ctx, otlpmetricgrpc.WithEndpointURL(endpoint))
		check(err)
		records[i], err = otlploggrpc.New(ctx, otlploggrpc.WithEndpointURL(endpoint))
		check(err)
	}
	tracers := sdktrace.NewTracerProvider(sdktrace.WithResource(identity), sdktrace.WithBatcher(spans))
	meters := sdkmetric.NewMeterProvider(sdkmetric.WithResource(identity), sdkmetric.WithReader(sdkmetric.NewPeriodicReader(points)))
	loggers := sdklog.NewLoggerProvider(sdklog.WithResource(identity), sdklog.WithProcessor(sdklog.NewBatchProcessor(records)))

	ctx = sendTraces(ctx, tracers.Tracer("payments", trace.WithInstrumentationVersion("0.3.1"),
		trace.WithInstrumentationAttributes(attribute.String("server.address", db))))
	sendLogs(ctx, loggers.Logger("payments", otellog.WithInstrumentationVersion("0.3.1")))
	sendMetrics(ctx, meters.Meter("payments", metric.WithInstrumentationVersion("0.3.1")))

	check(tracers.ForceFlush(ctx))
	check(meters.ForceFlush(ctx))
	check(loggers.ForceFlush(ctx))
	check(errors.Join(spans.failure(), points.failure(), records.failure()))
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

// One exporter made of two: the same batch goes to both, and what either says is remembered.
type (
	bothSpans   [2]sdktrace.SpanExporter
	bothPoints  [2]sdkmetric.Exporter
	bothRecords [2]sdklog.Exporter
)

var failures = map[string]error{}

func note(signal string, first, second error) error {
	err := errors.Join(first, second)
	failures[signal] = errors.Join(failures[signal], err)
	return err
}

func (b bothSpans) ExportSpans(ctx context.Context, batch []sdktrace.ReadOnlySpan) error {
	return note("traces", b[0].ExportSpans(ctx, batch), b[1].ExportSpans(ctx, batch))
}
func (b bothSpans) Shutdown(ctx context.Context) error {
	return errors.Join(b[0].Shutdown(ctx), b[1].Shutdown(ctx))
}
func (b bothSpans) failure() error { return failures["traces"] }

func (b bothPoints) Export(ctx context.Context, batch *metricdata.ResourceMetrics) error {
	return note("metrics", b[0].Export(ctx, batch), b[1].Export(ctx, batch))
}
func (b bothPoints) Temporality(kind sdkmetric.InstrumentKind) metricdata.Temporality {
	return b[0].Temporality(kind)
}
func (b bothPoints) Aggregation(kind sdkmetric.InstrumentKind) sdkmetric.Aggregation {
	return b[0].Aggregation(kind)
}
func (b bothPoints) ForceFlush(ctx context.Context) error {
	return errors.Join(b[0].ForceFlush(ctx), b[1].ForceFlush(ctx))
}
func (b bothPoints) Shutdown(ctx context.Context) error {
	return errors.Join(b[0].Shutdown(ctx), b[1].Shutdown(ctx))
}
func (b bothPoints) failure() error { return failures["metrics"] }

func (b bothRecords) Export(ctx context.Context, batch []sdklog.Record) error {
	return note("logs", b[0].Export(ctx, batch), b[1].Export(ctx, batch))
}
func (b bothRecords) ForceFlush(ctx context.Context) error {
	return errors.Join(b[0].ForceFlush(ctx), b[1].ForceFlush(ctx))
}
func (b bothRecords) Shutdown(ctx context.Context) error {
	return errors.Join(b[0].Shutdown(ctx), b[1].Shutdown(ctx))
}
func (b bothRecords) failure() error { return failures["logs"] }
