//! What a search costs, string by string, as the filter calls it: many short texts in one buffer, tag bytes between them.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use privet::detect::{Context, Detector, Found, Place, Wanted};

#[path = "detect_texts/mod.rs"]
mod texts;
use texts::Texts;

fn search(detector: &Detector, texts: &Texts, found: &mut Found) -> usize {
    found.spans.clear();
    let context = Context { wanted: Wanted::ALL, place: Place::Text, ..Context::default() };
    for &(start, end) in &texts.ranges {
        let seen = detector.find(&texts.buf, start as usize, end as usize, &context, found);
        assert!(!seen.non_ascii);
    }
    found.spans.len()
}

fn detect(criterion: &mut Criterion) {
    let detector = Detector::builtin();
    let mut found = Found::default();
    let mut group = criterion.benchmark_group("detect");
    for (name, texts, identifiers) in
        [("dense", texts::dense(512), texts::DENSE_PER_RECORD * 512), ("clean", texts::clean(512), 0)]
    {
        assert_eq!(search(&detector, &texts, &mut found), identifiers, "{name}: not what the texts hold");
        group.throughput(Throughput::Elements(texts.ranges.len() as u64));
        group.bench_function(name, |bencher| bencher.iter(|| search(&detector, &texts, &mut found)));
    }
    group.finish();
}

criterion_group!(benches, detect);
criterion_main!(benches);
