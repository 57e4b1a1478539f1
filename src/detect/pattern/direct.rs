//! Expressions of a simple build, matched byte by byte.
//!
//! Most secrets are a word and a run of letters and digits. Where a literal has said that one may stand, what is left to do is
//! to look at some sixty bytes, and a general engine takes longer to begin than that. So such expressions become a short
//! program of bytes, runs of a class, and branches, which is tried where its first byte stands, and goes back where it must:
//! that is the order in which the expression itself says what it prefers, so the matches are the same. Going back has
//! a budget, beyond which the general engine takes over.

use regex_syntax::hir::{Hir, HirKind, Look, Repetition};

use super::neighbours::{Neighbours, is_word};

/// Steps of a program, beyond which an expression is not simple.
const MAX_STEPS: usize = 400;
/// An element that is repeated so often is written out.
const MAX_COPIES: u32 = 4;

/// An expression's program.
#[derive(Debug)]
pub struct Direct {
    steps: Box<[Step]>,
    bytes: Box<[Byte]>,
    sets: Box<[Neighbours]>,
    /// What a match begins with,
    first: Neighbours,
    /// as bytes, if they are no more than three.
    few: Vec<u8>,
}

#[derive(Clone, Copy, Debug)]
enum Step {
    /// Certain bytes.
    Bytes {
        from: u16,
        to: u16,
    },
    /// So many bytes of a set. `settled`: what comes next fails where fewer are taken than there are.
    Run {
        set: u16,
        min: u32,
        max: u32,
        greedy: bool,
        settled: bool,
    },
    /// Goes on with the next step, and if that fails with another.
    Fork {
        other: u16,
    },
    Goto {
        next: u16,
    },
    Look(Look),
    /// The group that is asked for begins,
    Open,
    /// and ends.
    Close,
    Match,
}

/// A byte that is this one, once these bits are set.
#[derive(Clone, Copy, Debug)]
struct Byte {
    byte: u8,
    fold: u8,
}

/// A match, and the group that is asked for, if it took part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Match {
    pub start: usize,
    pub end: usize,
    pub group: Option<(usize, usize)>,
}

/// What going back may cost is used up.
#[derive(Debug, PartialEq, Eq)]
pub struct Exhausted;

impl Direct {
    /// The program of an expression; `None` if it is not simple. Of a match only the group is told apart, if one is asked for.
    pub fn of(hir: &Hir, group: usize) -> Option<Direct> {
        let mut build = Build { steps: Vec::new(), bytes: Vec::new(), sets: Vec::new(), group };
        build.element(hir)?;
        build.push(Step::Match)?;
        build.settle();
        let first = build.first(0)?;
        let few = Some(first.iter().collect::<Vec<u8>>()).filter(|few| few.len() <= 3).unwrap_or_default();
        Some(Direct { steps: build.steps.into(), bytes: build.bytes.into(), sets: build.sets.into(), first, few })
    }

    /// The first match in `text[from..to]`; assertions see what stands around it.
    pub fn find(&self, text: &[u8], from: usize, to: usize, budget: &mut usize) -> Result<Option<Match>, Exhausted> {
        let mut attempt = Attempt { text, to, budget, group: (None, None) };
        let mut at = from;
        while let Some(start) = self.next_start(&text[at..to]).map(|ahead| at + ahead) {
            attempt.group = (None, None);
            attempt.spend(1)?;
            if let Some(end) = self.run(0, start, &mut attempt)? {
                let group = attempt.group.0.zip(attempt.group.1);
                return Ok(Some(Match { start, end, group }));
            }
            at = start + 1;
        }
        Ok(None)
    }

    fn next_start(&self, text: &[u8]) -> Option<usize> {
        match self.few[..] {
            [a] => memchr::memchr(a, text),
            [a, b] => memchr::memchr2(a, b, text),
            [a, b, c] => memchr::memchr3(a, b, c, text),
            _ => text.iter().position(|b| self.first.has(*b)),
        }
    }

    /// Where the match ends that begins at `at`, from a step on.
    fn run(&self, step: usize, at: usize, attempt: &mut Attempt<'_>) -> Result<Option<usize>, Exhausted> {
        let (mut step, mut at) = (step, at);
        loop {
            match self.steps[step] {
                Step::Bytes { from, to } => {
                    let bytes = &self.bytes[usize::from(from)..usize::from(to)];
                    let Some(there) = attempt.text[at..attempt.to].get(..bytes.len()) else { return Ok(None) };
                    if !bytes.iter().zip(there).all(|(byte, there)| there | byte.fold == byte.byte) {
                        return Ok(None);
                    }
                    at += bytes.len();
                }
                Step::Run { set, min, max, greedy, settled } => {
                    let (min, set) = (min as usize, &self.sets[usize::from(set)]);
                    let most = (attempt.to - at).min(max as usize);
                    let there = attempt.text[at..at + most].iter().take_while(|b| set.has(**b)).count();
                    attempt.spend(there)?;
                    if there < min {
                        return Ok(None);
                    }
                    if there > min && !settled {
                        for count in min..=there {
                            let count = if greedy { there - (count - min) } else { count };
                            attempt.spend(1)?;
                            if let Some(end) = self.run(step + 1, at + count, attempt)? {
                                return Ok(Some(end));
                            }
                        }
                        return Ok(None);
                    }
                    at += there;
                }
                Step::Fork { other } => {
                    attempt.spend(1)?;
                    if let Some(end) = self.run(step + 1, at, attempt)? {
                        return Ok(Some(end));
                    }
                    step = usize::from(other);
                    continue;
                }
                Step::Goto { next } => {
                    step = usize::from(next);
                    continue;
                }
                Step::Look(look) => {
                    if !holds(look, attempt.text, at) {
                        return Ok(None);
                    }
                }
                Step::Open | Step::Close => {
                    let before = attempt.group;
                    match self.steps[step] {
                        Step::Open => attempt.group = (Some(at), None),
                        _ => attempt.group.1 = Some(at),
                    }
                    let end = self.run(step + 1, at, attempt)?;
                    if end.is_none() {
                        attempt.group = before;
                    }
                    return Ok(end);
                }
                Step::Match => return Ok(Some(at)),
            }
            step += 1;
        }
    }
}

struct Attempt<'a> {
    text: &'a [u8],
    /// No match goes beyond.
    to: usize,
    budget: &'a mut usize,
    group: (Option<usize>, Option<usize>),
}

impl Attempt<'_> {
    #[inline]
    fn spend(&mut self, steps: usize) -> Result<(), Exhausted> {
        *self.budget = self.budget.checked_sub(steps).ok_or(Exhausted)?;
        Ok(())
    }
}

fn holds(look: Look, text: &[u8], at: usize) -> bool {
    match look {
        Look::Start => at == 0,
        Look::End => at == text.len(),
        _ => at.checked_sub(1).is_some_and(|at| is_word(text[at])) != text.get(at).is_some_and(|b| is_word(*b)),
    }
}

/// The bytes that an element consists of; `None` if there are several ways to write it, other than in capital letters.
fn certain(hir: &Hir) -> Option<Vec<Byte>> {
    match hir.kind() {
        HirKind::Literal(literal) => Some(literal.0.iter().map(|byte| Byte { byte: *byte, fold: 0 }).collect()),
        HirKind::Class(_) => match Neighbours::of_one(hir)?.iter().take(3).collect::<Vec<u8>>()[..] {
            [byte] => Some(vec![Byte { byte, fold: 0 }]),
            [upper, lower] if lower.is_ascii_lowercase() && upper | 0x20 == lower => {
                Some(vec![Byte { byte: lower, fold: 0x20 }])
            }
            _ => None,
        },
        _ => None,
    }
}

struct Build {
    steps: Vec<Step>,
    bytes: Vec<Byte>,
    sets: Vec<Neighbours>,
    group: usize,
}

impl Build {
    fn push(&mut self, step: Step) -> Option<usize> {
        self.steps.push(step);
        (self.steps.len() <= MAX_STEPS).then(|| self.steps.len() - 1)
    }

    /// Certain bytes in a row are one step.
    fn concat(&mut self, parts: &[Hir]) -> Option<()> {
        let is_certain = |part: &Hir| certain(part).is_some();
        parts.chunk_by(|a, b| is_certain(a) && is_certain(b)).try_for_each(|chunk| {
            match chunk.iter().map(certain).collect::<Option<Vec<_>>>() {
                Some(bytes) => self.bytes(&bytes.concat()),
                None => chunk.iter().try_for_each(|part| self.element(part)),
            }
        })
    }

    fn element(&mut self, hir: &Hir) -> Option<()> {
        match hir.kind() {
            HirKind::Empty => Some(()),
            HirKind::Literal(_) | HirKind::Class(_) => match certain(hir) {
                Some(bytes) => self.bytes(&bytes),
                None => self.run(hir, 1, Some(1), true),
            },
            HirKind::Look(look @ (Look::Start | Look::End | Look::WordAscii)) => self.push(Step::Look(*look)).map(drop),
            HirKind::Look(_) => None,
            HirKind::Repetition(repetition) => self.repetition(repetition),
            HirKind::Capture(capture) if capture.index as usize == self.group => {
                self.push(Step::Open)?;
                self.element(&capture.sub)?;
                self.push(Step::Close).map(drop)
            }
            HirKind::Capture(capture) => self.element(&capture.sub),
            HirKind::Concat(parts) => self.concat(parts),
            HirKind::Alternation(branches) => self.alternation(branches),
        }
    }

    fn bytes(&mut self, bytes: &[Byte]) -> Option<()> {
        let from = self.bytes.len().try_into().ok()?;
        self.bytes.extend_from_slice(bytes);
        let to = self.bytes.len().try_into().ok()?;
        self.push(Step::Bytes { from, to }).map(drop)
    }

    /// So many bytes of a class.
    fn run(&mut self, of: &Hir, min: u32, max: Option<u32>, greedy: bool) -> Option<()> {
        let set = Neighbours::of_one(of)?;
        let number = self.sets.iter().position(|known| *known == set).unwrap_or_else(|| {
            self.sets.push(set);
            self.sets.len() - 1
        });
        let step = Step::Run { set: number as u16, min, max: max.unwrap_or(u32::MAX), greedy, settled: false };
        self.push(step).map(drop)
    }

    fn repetition(&mut self, repetition: &Repetition) -> Option<()> {
        let Repetition { min, max, greedy, ref sub } = *repetition;
        if matches!(sub.kind(), HirKind::Class(_) | HirKind::Literal(_)) && Neighbours::of_one(sub).is_some() {
            return self.run(sub, min, max, greedy);
        }
        if sub.properties().minimum_len() < Some(1) {
            return None;
        }
        match (min, max) {
            (0, Some(1)) if greedy => self.fork(|build| build.element(sub), |_| Some(())),
            (0, Some(1)) => self.fork(|_| Some(()), |build| build.element(sub)),
            // A group in it would be that of one time around.
            (min, Some(max)) if min == max && max <= MAX_COPIES && sub.properties().explicit_captures_len() == 0 => {
                (0..max).try_for_each(|_| self.element(sub))
            }
            _ => None,
        }
    }

    fn alternation(&mut self, branches: &[Hir]) -> Option<()> {
        match branches {
            [] => None,
            [last] => self.element(last),
            [branch, others @ ..] => self.fork(|build| build.element(branch), |build| build.alternation(others)),
        }
    }

    /// Two ways to go on, the first of them preferred.
    fn fork(
        &mut self,
        one: impl FnOnce(&mut Build) -> Option<()>,
        other: impl FnOnce(&mut Build) -> Option<()>,
    ) -> Option<()> {
        let fork = self.push(Step::Fork { other: 0 })?;
        one(self)?;
        let goto = self.push(Step::Goto { next: 0 })?;
        self.steps[fork] = Step::Fork { other: self.steps.len() as u16 };
        other(self)?;
        self.steps[goto] = Step::Goto { next: self.steps.len() as u16 };
        Some(())
    }

    /// Marks the runs of which nothing is to be given back: what comes next begins with none of their bytes, or with the end
    /// of a word that they are the inside of.
    fn settle(&mut self) {
        let word = Neighbours::of(is_word, false);
        for at in 0..self.steps.len() {
            let Step::Run { set, min, max, greedy, .. } = self.steps[at] else { continue };
            let bytes = self.sets[usize::from(set)];
            let settled = match self.steps[at + 1] {
                Step::Look(Look::WordAscii) if min > 0 && bytes.is_within(&word) => true,
                Step::Match => greedy,
                _ => self.first(at + 1).is_some_and(|next| next.is_disjoint(&bytes)),
            };
            self.steps[at] = Step::Run { set, min, max, greedy, settled };
        }
    }

    /// The bytes of which one comes next from a step on; `None` if a match may end before any does.
    fn first(&self, step: usize) -> Option<Neighbours> {
        let mut all = Neighbours::NONE;
        let (mut seen, mut left) = (vec![false; self.steps.len()], vec![step]);
        while let Some(step) = left.pop() {
            if std::mem::replace(&mut seen[step], true) {
                continue;
            }
            match self.steps[step] {
                Step::Bytes { from, .. } => {
                    let Byte { byte, fold } = self.bytes[usize::from(from)];
                    all.add(byte);
                    all.add(byte & !fold);
                }
                Step::Run { set, min, .. } => {
                    all.add_all(&self.sets[usize::from(set)]);
                    if min == 0 {
                        left.push(step + 1);
                    }
                }
                Step::Fork { other } => left.extend([step + 1, usize::from(other)]),
                Step::Goto { next } => left.push(usize::from(next)),
                Step::Look(_) | Step::Open | Step::Close => left.push(step + 1),
                Step::Match => return None,
            }
        }
        Some(all)
    }
}

#[cfg(test)]
mod tests {
    use regex_automata::{Input, meta};

    use super::*;
    use crate::detect::pattern::compile::{parsed, without_idle_beginning};

    const SIMPLE: [&str; 25] = [
        r"\bab_[0-9a-c]{3}\b",
        r"(?i)[\w.-]{0,5}?ab[ \w.-]{0,4}[=:][' ]{0,2}([a-c0-9]{2})\b",
        r"(?:ab|xab)-(?:a|b)-[0-9a-c]{2}",
        "ab[a-c]{2,4}b",
        "ab[a-c]{2,4}?b",
        "ab[a-c]{1,3}?",
        "ab[a-c]*?c",
        r"\b[a-c]{1,3}_?(a|b=)c?\b",
        r"(?:a|ab)(c|bcd)(?:d*)",
        r"^ab+|=ab$",
        r"[a-c]+\.ab",
        r"\ba(?:b|c(?:a|_))?x",
        r"a(?:bc)??b",
        "(?:ab){2}c",
        r"(?i)A[b_]{1,}(?:$|[^a-c])",
        "ab(?:=|)(?:a|)(?:b|)c",
        r"a(b)?c|ab(c)",
        r"=(?:(a+)|(b+))c",
        "[a-b]{0,2}?c(a{1,2})",
        r"-\b[a-c]{0,3}\b-",
        "a[^b]{2,3}b",
        r"x{3}|\bab\b",
        "(?:a[bc]){1,1}[xy]?a",
        "[ab]{2,}?[bc]{2,}a",
        "'([^']{1,6})'",
    ];

    #[test]
    fn what_it_finds_is_what_the_expression_finds() {
        let config = regex_automata::util::syntax::Config::new().unicode(false).utf8(false);
        let mut state = 7_u64;
        let mut next = move |range: usize| {
            state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            (state >> 33) as usize % range
        };
        let texts: Vec<Vec<u8>> =
            (0..4_000).map(|_| (0..next(24)).map(|_| b"aabbccAB_-=.:'x 0\xc3"[next(18)]).collect()).collect();
        let mut found = 0;
        for regex in SIMPLE {
            let plain = meta::Regex::builder().syntax(config).build(regex).expect("valid");
            for group in 0..plain.captures_len() {
                let direct = Direct::of(&without_idle_beginning(parsed(regex), group), group).expect(regex);
                // What a match is without its idle beginning does not matter where a group is reported.
                let idle = group > 0 && regex.contains("}?") && !regex.starts_with("ab") && !regex.starts_with("[ab]");
                for text in &texts {
                    let from = next(3).min(text.len());
                    let to = text.len() - next(3).min(text.len() - from);
                    let mut captures = plain.create_captures();
                    plain.search_captures(&Input::new(text).range(from..to), &mut captures);
                    let theirs = captures.get_match().map(|whole| {
                        let group = captures.get_group(group).filter(|_| group > 0);
                        (if idle { 0 } else { whole.start() }, whole.end(), group.map(|group| (group.start, group.end)))
                    });
                    let ours = direct.find(text, from, to, &mut 10_000).expect("short texts");
                    let ours = ours.map(|ours| (if idle { 0 } else { ours.start }, ours.end, ours.group));
                    assert_eq!(ours, theirs, "{regex} {group} {:?} {from}..{to}", text.escape_ascii().to_string());
                    found += usize::from(ours.is_some());
                }
            }
        }
        assert!(found > 5_000, "{found}");
    }

    #[test]
    fn what_is_not_simple_is_left_to_the_general_engine() {
        for regex in ["", "a*", "(?:ab)*c", "(?:a|b*)?c", r"(?m)^a", r"\Ba", "(?:(a)|b){2}c", "(?u)[é-ü]"] {
            assert!(Direct::of(&parsed(regex), 1).is_none(), "{regex}");
        }
    }

    #[test]
    fn going_back_has_an_end() {
        let direct = Direct::of(&parsed("[ab]*[ab]*[ab]*[ab]*c"), 0).expect("simple");
        assert_eq!(direct.find(&[b'a'; 500], 0, 500, &mut 4_000), Err(Exhausted));
        assert_eq!(direct.find(b"xxbc", 0, 4, &mut 4_000), Ok(Some(Match { start: 2, end: 4, group: None })));
    }
}
