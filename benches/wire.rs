//! Wire primitives by themselves: locating every field of a request, and writing a request out with an edit in every text.

mod payload;

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use privet::otlp::schema::{self, Kind as FieldKind, Message};
use privet::wire::read::{self, Malformed};
use privet::wire::{Edits, read::Field};

use payload::{Kind, Payload};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

criterion_group!(benches, reading, editing);
criterion_main!(benches);

fn reading(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("wire/read");
    for kind in Kind::ALL {
        let payload = Payload::new(kind, 1);
        let fields = count_fields(&payload).expect("a well-formed request");
        let floor = match kind {
            Kind::Dense | Kind::Clean => 10_000,
            Kind::Metrics => 30_000,
            Kind::Traces => 14_000,
        };
        assert!(fields > floor, "{kind:?}: only {fields} fields visited");
        group.throughput(Throughput::Elements(fields));
        group.bench_function(BenchmarkId::from_parameter(kind.name()), |bencher| {
            bencher.iter(|| count_fields(black_box(&payload)))
        });
    }
}

fn editing(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("wire/edit");
    for kind in Kind::ALL {
        let payload = Payload::new(kind, 1);
        let mut edits = Edits::default();
        let mut out = Vec::new();
        let edited = edit_texts(&payload, &mut edits, &mut out).expect("a well-formed request");
        assert!(out.len() > payload.bytes.len() && edited > 2_000, "{kind:?}: {edited} edits, {} bytes", out.len());
        kind.prost_round_trip(&out.clone().into());
        group.throughput(Throughput::Elements(edited));
        group.bench_function(BenchmarkId::from_parameter(kind.name()), |bencher| {
            bencher.iter(|| edit_texts(black_box(&payload), &mut edits, &mut out))
        });
    }
}

/// The message in a field, by the schema.
fn message_in(message: &Message, field: &Field) -> Option<&'static Message> {
    match message.field(field.tag.number)?.kind {
        FieldKind::Message(child) => Some(child),
        FieldKind::Attributes(_) => Some(&schema::KEY_VALUE),
        _ => None,
    }
}

fn count_fields(payload: &Payload) -> Result<u64, Malformed> {
    fn count(buf: &[u8], message: &Message, start: usize, end: usize) -> Result<u64, Malformed> {
        let mut fields = 0;
        for field in read::fields(buf, start, end) {
            let field = field?;
            fields += 1;
            if let Some(child) = message_in(message, &field) {
                fields += count(buf, child, field.value, field.end)?;
            }
        }
        Ok(fields)
    }
    count(&payload.bytes, payload.kind.signal().request(), 0, payload.bytes.len())
}

/// Appends to every text one byte; how many there were.
fn edit_texts(payload: &Payload, edits: &mut Edits, out: &mut Vec<u8>) -> Result<u64, Malformed> {
    fn edit(buf: &[u8], message: &Message, start: usize, end: usize, edits: &mut Edits) -> Result<u64, Malformed> {
        let mut texts = 0;
        for field in read::fields(buf, start, end) {
            let field = field?;
            if let Some(child) = message_in(message, &field) {
                let open = edits.open();
                texts += edit(buf, child, field.value, field.end, edits)?;
                edits.close(open, field.prefix, field.value, field.end);
            } else if message.field(field.tag.number).is_some_and(|known| matches!(known.kind, FieldKind::String(_))) {
                let open = edits.open();
                edits.replace(buf, field.end, field.end, b"x");
                edits.close(open, field.prefix, field.value, field.end);
                texts += 1;
            }
        }
        Ok(texts)
    }
    edits.clear();
    let texts = edit(&payload.bytes, payload.kind.signal().request(), 0, payload.bytes.len(), edits)?;
    *out = edits.finish(&payload.bytes);
    Ok(texts)
}
