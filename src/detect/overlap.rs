//! One search's spans, put in order: sorted, and the built-in recognisers' without overlap.

use super::{Entity, Span};

/// Sorts `spans[first..]` by where they begin. Of overlapping spans of the built-in recognisers the longer stays whole and
/// the other loses what they share. Patterns' spans are left as they are, for a policy may act on a pattern, on what it
/// overlaps, or on both.
pub fn resolve(spans: &mut Vec<Span>, first: usize) {
    let is_pattern = |span: &Span| matches!(span.entity, Entity::Pattern(_));
    let found = &mut spans[first..];
    // Few, and most often they only stand in another order.
    found.sort_unstable_by_key(|span| span.start);
    if found.windows(2).all(|pair| pair[0].start < pair[1].start && pair[0].end <= pair[1].start) {
        return;
    }
    // Patterns last, so that the others lie together.
    found.sort_unstable_by_key(|span| (is_pattern(span), span.start, u32::MAX - span.end));
    let patterns = first + found.partition_point(|span| !is_pattern(span));
    let mut kept = first;
    for index in first..patterns {
        let mut span = spans[index];
        if kept > first {
            let last = &mut spans[kept - 1];
            // What lies before a shortened span is covered by the one that it was shortened for.
            span.start = span.start.max(last.start);
            if span.end <= last.end {
                continue;
            }
            if span.start < last.end {
                if span.end - span.start > last.end - last.start && span.start > last.start {
                    last.end = span.start;
                } else {
                    span.start = last.end;
                }
            }
        }
        spans[kept] = span;
        kept += 1;
    }
    spans.drain(kept..patterns);
    spans[first..].sort_by_key(|span| span.start);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detect::Writing;

    fn span(start: u32, end: u32, entity: Entity) -> Span {
        Span { start, end, entity, writing: Writing::Plain, address: 0 }
    }

    fn resolved(spans: &[(u32, u32, Entity)]) -> Vec<(u32, u32, Entity)> {
        let mut spans: Vec<Span> = spans.iter().map(|&(start, end, entity)| span(start, end, entity)).collect();
        resolve(&mut spans, 0);
        spans.iter().map(|span| (span.start, span.end, span.entity)).collect()
    }

    #[test]
    fn the_longer_span_stays_whole_and_nothing_found_is_lost() {
        use Entity::{Email, Host, Ip};
        assert_eq!(resolved(&[(5, 9, Host), (0, 20, Email), (5, 20, Host)]), [(0, 20, Email)]);
        assert_eq!(resolved(&[(0, 4, Host), (2, 20, Ip)]), [(0, 2, Host), (2, 20, Ip)]);
        assert_eq!(resolved(&[(0, 10, Ip), (8, 12, Host)]), [(0, 10, Ip), (10, 12, Host)]);
        assert_eq!(resolved(&[(0, 4, Host), (4, 8, Ip)]), [(0, 4, Host), (4, 8, Ip)]);
        assert_eq!(resolved(&[(0, 4, Host), (0, 4, Host)]), [(0, 4, Host)]);
        // The third would take all of what is left of the second.
        let chain = [(0, 10, Ip), (8, 12, Host), (9, 20, Email)];
        assert_eq!(resolved(&chain), [(0, 10, Ip), (10, 12, Host), (12, 20, Email)]);
    }

    #[test]
    fn patterns_may_overlap_what_the_policy_acts_on_instead() {
        use Entity::{Ip, Pattern};
        assert_eq!(resolved(&[(0, 30, Pattern(1)), (8, 12, Ip)]), [(0, 30, Pattern(1)), (8, 12, Ip)]);
    }

    #[test]
    fn every_byte_that_was_covered_stays_covered() {
        let mut state = 5_u64;
        for _ in 0..3_000 {
            let mut next = |range: u64| {
                state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
                (state >> 33) % range
            };
            let spans: Vec<_> = (0..6)
                .map(|_| {
                    let start = next(20) as u32;
                    (start, start + 1 + next(8) as u32, Entity::Host)
                })
                .collect();
            let covered = |spans: &[(u32, u32, Entity)]| {
                (0..32).map(|at| spans.iter().any(|s| s.0 <= at && at < s.1)).collect::<Vec<_>>()
            };
            let after = resolved(&spans);
            assert_eq!(covered(&after), covered(&spans), "{spans:?} became {after:?}");
            assert!(after.windows(2).all(|pair| pair[0].1 <= pair[1].0), "{spans:?} became {after:?}");
        }
    }
}
