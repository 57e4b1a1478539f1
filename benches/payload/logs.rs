//! Log requests: an agent's security events, and the same volume of harmless application logs.

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::common::v1::{InstrumentationScope, KeyValue};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use opentelemetry_proto::tonic::resource::v1::Resource;

use super::identifiers::{GIVEN, Identifiers};
use super::prng::Prng;
use super::{attribute, number, text};

pub const RECORDS: usize = RESOURCES * SCOPES * RECORDS_PER_SCOPE;

const RESOURCES: usize = 4;
const SCOPES: usize = 2;
const RECORDS_PER_SCOPE: usize = 64;

/// What an agent on four hosts collects: sshd, nginx, audit, firewalls, mail, Kubernetes, a few JSON events.
pub fn dense(prng: &mut Prng, ids: &mut Identifiers) -> ExportLogsServiceRequest {
    request(prng, ids, machine, security_event)
}

/// What applications write when nothing happens: class names, files, versions, times, counts.
pub fn clean(prng: &mut Prng, ids: &mut Identifiers) -> ExportLogsServiceRequest {
    request(prng, ids, |_, _| Vec::new(), application_event)
}

fn request(
    prng: &mut Prng,
    ids: &mut Identifiers,
    machine: fn(&mut Prng, &mut Identifiers) -> Vec<KeyValue>,
    event: fn(&mut Prng, &mut Identifiers) -> (String, Vec<KeyValue>),
) -> ExportLogsServiceRequest {
    let mut now = 1_763_740_800_000_000_000 + prng.below(86_400) * 1_000_000_000;
    let mut record = |prng: &mut Prng, ids: &mut Identifiers| {
        now += prng.range(1_000, 9_000_000);
        let (severity_number, severity_text) =
            [(9, "INFO"), (9, "INFO"), (13, "WARN"), (17, "ERROR")][prng.below(4) as usize];
        let (body, attributes) = event(prng, ids);
        let traced = prng.percent(40);
        LogRecord {
            time_unix_nano: now,
            observed_time_unix_nano: now + prng.range(1_000, 900_000),
            severity_number,
            severity_text: severity_text.into(),
            body: Some(text(body)),
            attributes,
            flags: u32::from(traced),
            trace_id: if traced { prng.bytes(16) } else { Vec::new() },
            span_id: if traced { prng.bytes(8) } else { Vec::new() },
            ..LogRecord::default()
        }
    };
    let resource_logs = (0..RESOURCES)
        .map(|_| {
            let mut attributes = machine(prng, ids);
            attributes.extend([
                attribute("service.name", prng.pick(&["agent", "checkout", "ledger", "search-indexer"])),
                attribute("service.version", format!("2.{}.{}", prng.below(20), prng.below(9))),
                attribute("os.type", "linux"),
                attribute("telemetry.sdk.language", prng.pick(&["rust", "java", "go"])),
            ]);
            ResourceLogs {
                resource: Some(Resource { attributes, ..Resource::default() }),
                scope_logs: (0..SCOPES)
                    .map(|_| ScopeLogs {
                        scope: Some(InstrumentationScope {
                            name: prng.pick(&["otelcol/filelogreceiver", "otelcol/journaldreceiver"]).into(),
                            version: "0.140.1".into(),
                            ..InstrumentationScope::default()
                        }),
                        log_records: (0..RECORDS_PER_SCOPE).map(|_| record(prng, ids)).collect(),
                        schema_url: String::new(),
                    })
                    .collect(),
                schema_url: "https://opentelemetry.io/schemas/1.38.0".into(),
            }
        })
        .collect();
    ExportLogsServiceRequest { resource_logs }
}

fn machine(prng: &mut Prng, ids: &mut Identifiers) -> Vec<KeyValue> {
    vec![attribute("host.name", ids.host(prng)), attribute("host.ip", ids.v4(prng))]
}

/// Body and attributes; two or three identifiers in the one, one or two in the others.
fn security_event(prng: &mut Prng, ids: &mut Identifiers) -> (String, Vec<KeyValue>) {
    let body = match prng.below(100) {
        0..=15 => format!(
            "{} for {} from {} port {} ssh2: ED25519 SHA256:{}",
            prng.pick(&["Accepted publickey", "Failed password", "Postponed publickey"]),
            prng.pick(GIVEN),
            ids.ip(prng),
            prng.range(1024, 65536),
            prng.hex(32)
        ),
        16..=38 => format!(
            "{} - {} \"{} /api/v{}/orders/{} HTTP/1.1\" {} {} upstream={}:8443 host={} rt={:.3}",
            ids.ip(prng),
            ids.email(prng),
            prng.pick(&["GET", "POST", "PUT"]),
            prng.range(1, 4),
            prng.below(900_000),
            prng.pick(&["200", "201", "304", "404", "502"]),
            prng.below(90_000),
            ids.v4(prng),
            ids.host(prng),
            prng.below(3_000) as f64 / 1_000.0
        ),
        39..=58 => format!(
            "action={} src={} spt={} dst={} dpt={} proto=tcp rule=allow-web-{} bytes={}",
            prng.pick(&["accept", "deny", "drop"]),
            ids.v4(prng),
            prng.range(1024, 65536),
            ids.ip(prng),
            prng.pick(&["443", "22", "5432"]),
            prng.below(90),
            prng.below(100_000)
        ),
        59..=70 => format!(
            "type=USER_LOGIN msg=audit({}.{:03}:{}): pid={} uid=0 auid=1000 exe=\"/usr/sbin/sshd\" hostname={} addr={} res={}",
            prng.range(1_763_000_000, 1_764_000_000),
            prng.below(1_000),
            prng.below(99_999),
            prng.range(300, 30_000),
            ids.host(prng),
            ids.ip(prng),
            prng.pick(&["success", "failed"])
        ),
        71..=80 => format!(
            "{}: from=<{}>, to=<{}>, relay={}[{}]:25, delay=0.{}, dsn=2.0.0, status=sent (250 queued)",
            prng.hex(10).to_uppercase(),
            ids.email(prng),
            ids.email(prng),
            ids.host(prng),
            ids.v4(prng),
            prng.below(99)
        ),
        81..=94 => format!(
            "Successfully assigned {}/{}-{} to {}: podIP {} readiness probe ok in {}ms",
            prng.pick(&["pay", "shop", "search"]),
            prng.pick(&["checkout", "ledger", "indexer"]),
            prng.hex(9),
            ids.host(prng),
            ids.v4(prng),
            prng.below(900)
        ),
        _ => format!(
            r#"{{"event":"user.login","outcome":"{}","source":{{"ip":"{}","port":{}}},"user":{{"email":"{}"}},"host":{{"name":"{}"}},"took_ms":{}}}"#,
            prng.pick(&["success", "failure"]),
            ids.ip(prng),
            prng.range(1024, 65536),
            ids.email(prng),
            ids.host(prng),
            prng.below(900)
        ),
    };
    let mut attributes = vec![attribute("client.address", ids.ip(prng))];
    match prng.below(4) {
        0 => attributes.push(attribute("server.address", ids.host(prng))),
        1 => attributes.push(attribute("user.email", ids.email(prng))),
        2 => attributes.push(attribute("event.action", prng.pick(&["session-open", "flow-end", "auth-failed"]))),
        _ => attributes.push(attribute("log.file.name", prng.pick(&["auth.log", "access.log", "audit.log"]))),
    }
    attributes.push(match prng.below(3) {
        0 => attribute("log.iostream", "stdout"),
        1 => attribute("event.category", prng.pick(&["network", "authentication", "session"])),
        _ => number("process.pid", prng.range(300, 30_000)),
    });
    if prng.percent(20) {
        attributes.push(attribute("peer", format!("{}:{}", ids.v4(prng), prng.range(1024, 65536))));
    }
    (body, attributes)
}

fn application_event(prng: &mut Prng, _: &mut Identifiers) -> (String, Vec<KeyValue>) {
    let body = match prng.below(100) {
        0..=24 => format!(
            "{} [{}-worker-{}] com.acme.billing.{} - processed batch {} of {} in {} ms, queue depth {} ({} retries, tenant pool blue)",
            prng.time(),
            prng.pick(&["http", "kafka", "timer"]),
            prng.below(32),
            prng.pick(&["InvoiceService", "LedgerWriter", "PriceCalculator", "RetryPolicy"]),
            prng.below(900),
            prng.range(900, 2_000),
            prng.below(4_000),
            prng.below(100_000),
            prng.below(9)
        ),
        25..=41 => format!(
            "java.lang.IllegalStateException: no price for item {} in the current list at com.acme.shop.Cart.add(Cart.java:{}) at com.acme.shop.Main.run(Main.java:{})",
            prng.below(100_000),
            prng.below(900),
            prng.below(200)
        ),
        42..=58 => format!(
            "GET /api/v{}/orders/{} HTTP/1.1 {} {} bytes in {:.3} s, cache={}, handler=orders::list, attempt {} of {}, shard {}, flags none",
            prng.range(1, 4),
            prng.below(900_000),
            prng.pick(&["200", "201", "304", "404"]),
            prng.below(90_000),
            prng.below(3_000) as f64 / 1_000.0,
            prng.pick(&["hit", "miss", "stale"]),
            prng.range(1, 4),
            prng.range(4, 7),
            prng.below(64)
        ),
        59..=71 => format!(
            "loaded libcrypto.so.3 and libz.so.1.3.1, plugin acme-metrics v{}.{}.{} (rustc 1.95.0), configuration read from /etc/acme/conf.d/{}.yaml",
            prng.below(9),
            prng.below(30),
            prng.below(9),
            prng.pick(&["main", "queue", "limits"])
        ),
        72..=84 => format!(
            "job {} done: {} rows read, {} written, checksum {}, started at 2026-11-{:02}T{}Z, next run in {} minutes unless paused",
            prng.hex(8),
            prng.below(1_000_000),
            prng.below(1_000_000),
            prng.hex(16),
            prng.range(1, 29),
            prng.time(),
            prng.below(60)
        ),
        85..=96 => format!(
            "worker thread {} parked after {} us; heap {} MiB of {} MiB; gc pause {:.2} ms; src/scheduler/queue.rs:{} std::sync::mpsc queue",
            prng.below(64),
            prng.below(90_000),
            prng.below(2_000),
            prng.range(2_000, 4_000),
            prng.below(9_000) as f64 / 100.0,
            prng.below(900)
        ),
        _ => format!(
            r#"{{"event":"batch.done","ok":{},"rows":{},"stage":"{}","took_ms":{},"retries":{},"shard":"s-{}","note":"no change"}}"#,
            prng.percent(90),
            prng.below(1_000_000),
            prng.pick(&["load", "merge", "publish"]),
            prng.below(90_000),
            prng.below(5),
            prng.below(64)
        ),
    };
    let mut attributes = vec![
        attribute("code.function.name", prng.pick(&["orders::list", "Cart.add", "flush_batch", "LedgerWriter.append"])),
        attribute("thread.name", format!("worker-{}", prng.below(64))),
    ];
    attributes.push(match prng.below(3) {
        0 => attribute("log.iostream", "stdout"),
        1 => attribute("event.category", prng.pick(&["batch", "cache", "scheduler"])),
        _ => number("code.line.number", prng.range(1, 900)),
    });
    if prng.percent(20) {
        attributes.push(attribute("http.route", "/api/v2/orders/{id}"));
    }
    (body, attributes)
}
