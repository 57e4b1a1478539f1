use super::cases::table::{Kind, MUST_CATCH, MUST_LEAVE, Needs};
use super::*;

/// What a search finds in a text, at each of several places in a buffer: the neighbours are length and tag bytes there.
fn find(text: &str) -> Vec<(String, Entity, Writing)> {
    let detector = Detector::builtin();
    let mut answers: Vec<Vec<(String, Entity, Writing)>> = Vec::new();
    for (before, after) in [("", ""), ("\x12", "2\x0a"), ("a", "a"), ("1.", ".1"), (":", ":"), ("@x.", "@x.example")] {
        for padding in [0, 100] {
            let mut buf = before.as_bytes().to_vec();
            buf.extend_from_slice(text.as_bytes());
            buf.extend_from_slice(after.as_bytes());
            buf.extend(std::iter::repeat_n(b'x', padding));
            let mut found = Found::default();
            let (start, end) = (before.len(), before.len() + text.len());
            let context = Context { wanted: Wanted::ALL, ..Context::default() };
            let _ = detector.find(&buf, start, end, &context, &mut found);
            for span in &found.spans {
                assert!(
                    start as u32 <= span.start && span.start < span.end && span.end <= end as u32,
                    "{text}: {span:?}"
                );
            }
            for pair in found.spans.windows(2) {
                assert!(pair[0].end <= pair[1].start, "{text}: {pair:?}");
            }
            let written =
                |span: &Span| String::from_utf8_lossy(&buf[span.start as usize..span.end as usize]).into_owned();
            answers.push(found.spans.iter().map(|span| (written(span), span.entity, span.writing)).collect());
        }
    }
    let first = answers.swap_remove(0);
    for other in answers {
        assert_eq!(other, first, "{text}: what is found depends on its neighbours");
    }
    first
}

fn entity(kind: Kind) -> Entity {
    match kind {
        Kind::Ip => Entity::Ip,
        Kind::Email => Entity::Email,
        Kind::Host => Entity::Host,
        Kind::User => Entity::User,
        Kind::Credential => Entity::Credential,
    }
}

#[test]
fn what_must_be_caught_is_caught_with_its_exact_span() {
    let mut wrong = String::new();
    for case in MUST_CATCH.iter().filter(|case| case.needs == Needs::Nothing) {
        let expected: Vec<_> = case.found.iter().map(|(text, kind)| (text.to_string(), entity(*kind))).collect();
        let got: Vec<_> = find(case.text).into_iter().map(|(text, entity, _)| (text, entity)).collect();
        if got != expected {
            wrong += &format!("{}\n   expected {expected:?}\n   got      {got:?}\n", case.text);
        }
    }
    assert!(wrong.is_empty(), "\n{wrong}");
}

#[test]
fn what_must_be_left_alone_is_left_alone() {
    let mut wrong = String::new();
    for text in MUST_LEAVE {
        let got = find(text);
        if !got.is_empty() {
            wrong += &format!("{text}\n   got {got:?}\n");
        }
    }
    assert!(wrong.is_empty(), "\n{wrong}");
}
