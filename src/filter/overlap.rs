//! Spans that overlap, resolved once: the most protective first, then the earliest, then the longest. What sticks out of a
//! span that lost is redacted, so that no rule ever uncovers what another had covered.

use crate::detect::Span;
use crate::policy::{Action, TextPlan, TreatmentId};

/// A span and what is done to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Decided {
    pub span: Span,
    pub treatment: TreatmentId,
    /// A rest of a span that lost to a stricter one: it is redacted, whatever its treatment says.
    pub rest: bool,
}

/// More spans than this in one text, if they overlap, are covered as one: telling them apart would take too long.
const MAX_OVERLAPPING: usize = 1024;

/// Decides over `spans`; `shows` says whether the first treatment leaves to be seen what the second hides. `out` is sorted and without overlap afterwards. Says whether there were too many to tell apart.
pub(super) fn resolve(
    spans: &[Span],
    plan: &TextPlan,
    action: impl Fn(TreatmentId) -> Action,
    shows: impl Fn(TreatmentId, TreatmentId) -> bool,
    out: &mut Vec<Decided>,
) -> bool {
    out.clear();
    let (mut apart, mut free) = (true, 0);
    for span in spans {
        let Some(treatment) = plan.treatment(span.entity) else { continue };
        if action(treatment) != Action::Keep && span.start < span.end {
            apart &= free <= span.start;
            free = span.end;
            out.push(Decided { span: *span, treatment, rest: false });
        }
    }
    if apart {
        return false;
    }
    if out.len() > MAX_OVERLAPPING {
        cover(out, action);
        return true;
    }
    out.sort_by_key(|decided| {
        let span = decided.span;
        // Of equals, a rule's own pattern knows best what it is: a commit whose name the record gave away is no host.
        let what = std::cmp::Reverse(span.entity);
        (std::cmp::Reverse(action(decided.treatment)), span.start, std::cmp::Reverse(span.end), what)
    });
    // Few spans overlap in one text; winners are kept sorted by place so that each loser finds its gaps by bisection.
    let mut winners: Vec<Decided> = Vec::with_capacity(out.len());
    for candidate in out.drain(..) {
        place(candidate, &shows, &mut winners);
    }
    out.append(&mut winners);
    false
}

/// Covers all spans, and what lies between the first and the last, with one, redacted by the strictest of their rules.
fn cover(out: &mut Vec<Decided>, action: impl Fn(TreatmentId) -> Action) {
    let start = out.iter().map(|decided| decided.span.start).min();
    let end = out.iter().map(|decided| decided.span.end).max();
    let strictest = out.iter().copied().max_by_key(|decided| action(decided.treatment));
    out.clear();
    if let (Some(start), Some(end), Some(strictest)) = (start, end, strictest) {
        out.push(Decided { span: Span { start, end, ..strictest.span }, rest: true, ..strictest });
    }
}

/// Puts what `winners` leave free of `candidate` among them.
fn place(candidate: Decided, shows: impl Fn(TreatmentId, TreatmentId) -> bool, winners: &mut Vec<Decided>) {
    let (mut from, end) = (candidate.span.start, candidate.span.end);
    let mut index = winners.partition_point(|winner| winner.span.end <= from);
    while from < end {
        let gap = winners.get(index).map_or(end, |winner| winner.span.start.clamp(from, end));
        if from < gap {
            let rest = (from, gap) != (candidate.span.start, candidate.span.end);
            let span = Span { start: from, end: gap, ..candidate.span };
            winners.insert(index, Decided { span, rest, ..candidate });
            index += 1;
        }
        let Some(winner) = winners.get_mut(index).filter(|winner| winner.span.start < end) else { return };
        // What a winner leaves to be seen may be what the loser hides.
        winner.rest |= shows(winner.treatment, candidate.treatment);
        from = winner.span.end.max(from);
        index += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detect::{Entity, Wanted, Writing};

    fn span(start: u32, end: u32, entity: Entity) -> Span {
        Span { start, end, entity, writing: Writing::Plain, address: 0 }
    }

    /// Treatment 0 pseudonymises hosts, 1 redacts credentials, 2 keeps e-mails.
    fn decide(spans: &[Span]) -> Vec<(u32, u32, u16, bool)> {
        let plan = TextPlan {
            wanted: Wanted::ALL,
            host: Some(TreatmentId(0)),
            credential: Some(TreatmentId(1)),
            email: Some(TreatmentId(2)),
            ..TextPlan::default()
        };
        let action = |id: TreatmentId| [Action::Pseudonymise, Action::Redact, Action::Keep][usize::from(id.0)];
        let mut out = Vec::new();
        resolve(spans, &plan, action, |_, _| false, &mut out);
        out.iter().map(|d| (d.span.start, d.span.end, d.treatment.0, d.rest)).collect()
    }

    #[test]
    fn the_stricter_wins_and_the_rest_of_the_other_is_covered() {
        let (host, secret) = (span(0, 10, Entity::Host), span(5, 15, Entity::Credential));
        let expected = [(0, 5, 0, true), (5, 15, 1, false)];
        assert_eq!(decide(&[host, secret]), expected);
        assert_eq!(decide(&[secret, host]), expected, "in whatever order they come");
        let inside = span(3, 6, Entity::Credential);
        assert_eq!(decide(&[host, inside]), [(0, 3, 0, true), (3, 6, 1, false), (6, 10, 0, true)]);
    }

    #[test]
    fn of_equals_the_earliest_then_the_longest_wins() {
        let host = |start, end| span(start, end, Entity::Host);
        assert_eq!(decide(&[host(2, 6), host(0, 4)]), [(0, 4, 0, false), (4, 6, 0, true)]);
        assert_eq!(decide(&[host(0, 3), host(0, 6)]), [(0, 6, 0, false)]);
        assert_eq!(decide(&[host(0, 3), host(3, 6)]), [(0, 3, 0, false), (3, 6, 0, false)]);
    }

    #[test]
    fn kept_and_unwanted_spans_are_not_there() {
        assert_eq!(decide(&[span(0, 4, Entity::Email), span(0, 2, Entity::Ip)]), []);
    }

    #[test]
    fn no_byte_of_any_span_is_left_uncovered() {
        let mut seed = 1u32;
        let mut next = |bound: u32| {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (seed >> 16) % bound
        };
        for _ in 0..2_000 {
            let spans: Vec<Span> = (0..next(7))
                .map(|_| {
                    let start = next(20);
                    span(start, start + 1 + next(12), [Entity::Host, Entity::Credential][next(2) as usize])
                })
                .collect();
            let out = decide(&spans);
            assert!(out.windows(2).all(|pair| pair[0].1 <= pair[1].0), "{spans:?} {out:?}");
            for at in 0..40 {
                let wanted = spans.iter().any(|span| (span.start..span.end).contains(&at));
                let strict = spans.iter().any(|s| s.entity == Entity::Credential && (s.start..s.end).contains(&at));
                let covered = out.iter().find(|(start, end, ..)| (*start..*end).contains(&at));
                assert_eq!(covered.is_some(), wanted, "{at}: {spans:?} {out:?}");
                assert!(!strict || covered.is_some_and(|covered| covered.2 == 1));
            }
        }
    }
}
