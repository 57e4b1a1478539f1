// An application instrumented with the OpenTelemetry SDK for Go, as a pod of the cluster's. Whatever it says names nobody: all
// addresses and names are reserved for documentation.
//
//	workload              sends logs, metrics and traces once
//	workload load 2000    sends so many log records, a hundred a second, and tries again until each is acknowledged
//
// Where to: OTEL_EXPORTER_OTLP_ENDPOINT. Who it is: OTEL_SERVICE_NAME.
package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"strconv"
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
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
)

const (
	host  = "web-1.prod.corp.example"
	db    = "db-master.corp.example"
	email = "alice.winter@corp.example"
	ip    = "203.0.113.77"
)

func main() {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	identity := resource.NewSchemaless(
		attribute.String("service.name", os.Getenv("OTEL_SERVICE_NAME")),
		attribute.String("host.name", host),
	)
	exporter, err := otlploggrpc.New(ctx, otlploggrpc.WithRetry(otlploggrpc.RetryConfig{
		Enabled: true, InitialInterval: 200 * time.Millisecond, MaxInterval: 2 * time.Second, MaxElapsedTime: 2 * time.Minute,
	}))
	check(err)
	logs := sdklog.NewLoggerProvider(sdklog.WithResource(identity), sdklog.WithProcessor(sdklog.NewBatchProcessor(exporter,
		sdklog.WithMaxQueueSize(100_000), sdklog.WithExportMaxBatchSize(20), sdklog.WithExportInterval(100*time.Millisecond),
		sdklog.WithExportTimeout(2*time.Minute))))
	if len(os.Args) == 3 && os.Args[1] == "load" {
		count, err := strconv.Atoi(os.Args[2])
		check(err)
		load(ctx, logs.Logger("load"), count)
		check(logs.Shutdown(ctx))
		fmt.Printf("sent %d\n", count)
		return
	}
	once(ctx, identity, logs)
}

func load(ctx context.Context, logger otellog.Logger, count int) {
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for i := range count {
		<-tick.C
		logger.Emit(ctx, record(fmt.Sprintf("load %d of %s about TICKET-%06d", i, ip, i)))
	}
}

func once(ctx context.Context, identity *resource.Resource, logs *sdklog.LoggerProvider) {
	spans, err := otlptracegrpc.New(ctx)
	check(err)
	points, err := otlpmetricgrpc.New(ctx)
	check(err)
	tracers := sdktrace.NewTracerProvider(sdktrace.WithResource(identity), sdktrace.WithBatcher(spans))
	meters := sdkmetric.NewMeterProvider(sdkmetric.WithResource(identity), sdkmetric.WithReader(sdkmetric.NewPeriodicReader(points)))

	ctx, span := tracers.Tracer("shop").Start(ctx, "POST /login", trace.WithAttributes(
		attribute.String("client.address", ip), attribute.String("user.email", email), attribute.String("server.address", host)))
	span.AddEvent("retry", trace.WithAttributes(attribute.String("exception.message", "no route to "+db+" ("+ip+")")))
	span.SetStatus(codes.Error, host+" refused "+email)
	span.End()

	logs.Logger("shop").Emit(ctx, record("login of "+email+" from "+ip+" on "+host+" failed at "+db))

	logins, err := meters.Meter("shop").Int64Counter("logins")
	check(err)
	logins.Add(ctx, 3, metric.WithAttributes(attribute.String("client.address", ip), attribute.String("server.address", host)))

	check(errors.Join(logs.Shutdown(ctx), meters.Shutdown(ctx), tracers.Shutdown(ctx)))
	fmt.Println("sent once")
}

func record(body string) otellog.Record {
	var record otellog.Record
	record.SetTimestamp(time.Now())
	record.SetSeverity(otellog.SeverityInfo)
	record.SetBody(attribute.StringValue(body))
	record.AddAttributes(attribute.String("server.address", host))
	return record
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
