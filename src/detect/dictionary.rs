//! Names that a policy lists: hosts, and keywords of any kind.
//!
//! An entry is found where it stands between bytes that are neither letters nor digits, so also within
//! `sosreport-db-master-03-2026` and `host_db-1_cpu`. A text is taken word by word; the hash of what has been read of an
//! entry says whether the next word may belong to it, so that a text is read once whatever the number of entries.

use hashbrown::HashTable;

use super::known::is_word;
use super::{Entity, Span, Wanted, Writing};

/// A dictionary as a rule writes it.
#[derive(Clone, Debug)]
pub struct DictionarySpec {
    /// What its spans carry: [`Entity::Host`], or [`Entity::Pattern`] of an index.
    pub entity: Entity,
    pub words: Vec<String>,
}

/// All dictionaries of a policy: immutable, shared by all workers.
#[derive(Debug, Default)]
pub struct Dictionaries {
    /// Every beginning of an entry that ends with a word, by its folded bytes; looked up with [`step`] and compared.
    prefixes: HashTable<Prefix>,
    /// The entries that end at a prefix.
    entries: Vec<Entry>,
    /// The folded text of all prefixes.
    bytes: Vec<u8>,
    /// Which pairs of first bytes an entry's first word has.
    firsts: Vec<u64>,
    wanted: Wanted,
}

#[derive(Debug)]
struct Prefix {
    hash: u64,
    /// Its text, in [`Dictionaries::bytes`].
    start: u32,
    end: u32,
    /// Those that end here, in [`Dictionaries::entries`].
    entries: Vec<u32>,
}

#[derive(Debug)]
struct Entry {
    entity: Entity,
    /// What stands before the first word and behind the last, such as the `++` of `C++`.
    lead: Box<[u8]>,
    trail: Box<[u8]>,
}

impl Dictionaries {
    /// Puts the entries together. Those without a letter or digit are passed over, as nothing tells where they begin.
    pub fn build(specs: &[DictionarySpec]) -> Dictionaries {
        let mut built = Dictionaries::default();
        for spec in specs {
            let wanted = if matches!(spec.entity, Entity::Pattern(_)) { Wanted::PATTERNS } else { Wanted::HOST };
            for word in &spec.words {
                if built.add(word.trim().as_bytes(), spec.entity) {
                    built.wanted = built.wanted | wanted;
                }
            }
        }
        built
    }

    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    fn add(&mut self, word: &[u8], entity: Entity) -> bool {
        let Some(start) = word.iter().position(|b| is_word(*b)) else { return false };
        let end = word.iter().rposition(|b| is_word(*b)).map_or(start, |last| last + 1);
        let folded = word[start..end].to_ascii_lowercase();
        let entry = self.entries.len() as u32;
        self.entries.push(Entry { entity, lead: word[..start].into(), trail: word[end..].into() });
        if self.firsts.is_empty() {
            self.firsts = vec![0; 1 << 10];
        }
        let pair = first_pair(&folded, 0, folded.len());
        self.firsts[pair >> 6] |= 1 << (pair & 63);
        let mut hash = SEED;
        let mut from = 0;
        while from < folded.len() {
            let to = next_end(&folded, from, folded.len());
            hash = step(hash, &folded[from..to]);
            let whole = to == folded.len();
            self.add_prefix(hash, &folded[..to], whole.then_some(entry));
            from = to;
        }
        true
    }

    fn add_prefix(&mut self, hash: u64, text: &[u8], entry: Option<u32>) {
        let bytes = &self.bytes;
        let same = |prefix: &Prefix| bytes[prefix.start as usize..prefix.end as usize] == *text;
        match self.prefixes.find_mut(hash, same) {
            Some(prefix) => prefix.entries.extend(entry),
            None => {
                let start = self.bytes.len() as u32;
                self.bytes.extend_from_slice(text);
                let end = self.bytes.len() as u32;
                let prefix = Prefix { hash, start, end, entries: entry.into_iter().collect() };
                self.prefixes.insert_unique(hash, prefix, |prefix| prefix.hash);
            }
        }
    }

    /// Appends a span for every entry that stands in `buf[start..end]`: at one place the longest of an entity, and none within
    /// another that begins before it.
    #[inline]
    pub fn find_in(&self, buf: &[u8], start: usize, end: usize, wanted: Wanted, spans: &mut Vec<Span>) {
        if self.wanted.has(wanted) && start < end {
            self.search(buf, start, end, wanted, spans);
        }
    }

    #[inline(never)]
    fn search(&self, buf: &[u8], start: usize, end: usize, wanted: Wanted, spans: &mut Vec<Span>) {
        let mut at = start;
        while at < end {
            if !is_word(buf[at]) {
                at += 1;
                continue;
            }
            let pair = first_pair(buf, at, end);
            if self.firsts[pair >> 6] >> (pair & 63) & 1 != 0 {
                self.entries_at(buf, start, at, end, wanted, spans);
            }
            at = word_end(buf, at, end);
        }
        self.behind_escapes(buf, start, end, wanted, spans);
    }

    /// Words that begin right behind the letter of an escape (`\nweb-1`).
    fn behind_escapes(&self, buf: &[u8], start: usize, end: usize, wanted: Wanted, spans: &mut Vec<Span>) {
        for at in memchr::memchr_iter(b'\\', &buf[start..end]).map(|at| start + at) {
            if at + 2 < end && matches!(buf[at + 1], b'n' | b't' | b'r') && is_word(buf[at + 2]) {
                self.entries_at(buf, start, at + 2, end, wanted, spans);
            }
        }
    }

    /// The entries whose first word begins at `at`.
    fn entries_at(&self, buf: &[u8], start: usize, at: usize, end: usize, wanted: Wanted, spans: &mut Vec<Span>) {
        let mut hash = SEED;
        let mut from = at;
        while from < end {
            let to = next_end(buf, from, end);
            hash = step(hash, &buf[from..to]);
            let same = |prefix: &Prefix| {
                let text = &self.bytes[prefix.start as usize..prefix.end as usize];
                text.eq_ignore_ascii_case(&buf[at..to])
            };
            let Some(prefix) = self.prefixes.find(hash, same) else { return };
            for entry in prefix.entries.iter().map(|index| &self.entries[*index as usize]) {
                let (lead, trail) = (entry.lead.len(), entry.trail.len());
                let whole = at - start >= lead && end - to >= trail;
                let asked = wanted.has(if matches!(entry.entity, Entity::Pattern(_)) {
                    Wanted::PATTERNS
                } else {
                    Wanted::HOST
                });
                if asked
                    && whole
                    && buf[at - lead..at].eq_ignore_ascii_case(&entry.lead)
                    && buf[to..to + trail].eq_ignore_ascii_case(&entry.trail)
                {
                    push(spans, at - lead, to + trail, entry.entity);
                }
            }
            from = to;
        }
    }
}

/// A longer entry at the same place takes the shorter one's, and one within another is not reported.
fn push(spans: &mut Vec<Span>, start: usize, end: usize, entity: Entity) {
    let span = Span { start: start as u32, end: end as u32, entity, writing: Writing::Plain, address: 0 };
    match spans.last_mut() {
        Some(last) if last.entity == entity && last.start == span.start && last.end < span.end => *last = span,
        Some(last) if last.entity == entity && last.start <= span.start && span.end <= last.end => {}
        _ => spans.push(span),
    }
}

const SEED: u64 = 0x51_7c_c1_b7_27_22_0a_95;

/// The hash of what has been read so far and one word more.
fn step(hash: u64, word: &[u8]) -> u64 {
    let mut hash = hash;
    for chunk in word.chunks(8) {
        let mut eight = [0; 8];
        eight[..chunk.len()].copy_from_slice(chunk);
        let folded = u64::from_le_bytes(eight) | 0x2020_2020_2020_2020;
        let wide = u128::from(hash ^ folded) * 0x9e37_79b9_7f4a_7c15;
        hash = (wide as u64) ^ (wide >> 64) as u64;
    }
    hash
}

/// Where the word at `at` ends.
fn word_end(buf: &[u8], at: usize, end: usize) -> usize {
    at + buf[at..end].iter().take_while(|b| is_word(**b)).count()
}

/// Where the next word behind `from` ends: over what stands before it, then over it.
fn next_end(buf: &[u8], from: usize, end: usize) -> usize {
    let gap = buf[from..end].iter().take_while(|b| !is_word(**b)).count();
    word_end(buf, from + gap, end)
}

/// The first two bytes of a word, folded; a word of one byte has a space behind it.
fn first_pair(buf: &[u8], at: usize, end: usize) -> usize {
    let fold = |b: u8| usize::from(b | 0x20);
    let second = if at + 1 < end && is_word(buf[at + 1]) { fold(buf[at + 1]) } else { 0x20 };
    fold(buf[at]) << 8 | second
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(hosts: &[&str], keywords: &[&str], text: &str) -> Vec<String> {
        let spec =
            |entity, words: &[&str]| DictionarySpec { entity, words: words.iter().map(|w| (*w).into()).collect() };
        let dictionaries = Dictionaries::build(&[spec(Entity::Host, hosts), spec(Entity::Pattern(4), keywords)]);
        let mut spans = Vec::new();
        dictionaries.find_in(text.as_bytes(), 0, text.len(), Wanted::ALL, &mut spans);
        let shown = |span: &Span| format!("{:?} {}", span.entity, &text[span.start as usize..span.end as usize]);
        spans.iter().map(shown).collect()
    }

    #[test]
    fn a_listed_host_is_found_wherever_it_stands_as_a_name() {
        let hosts = ["db-master-03", "web-1", "db-1", "db1", "z"];
        for (text, wanted) in [
            ("sosreport-db-master-03-2026", "db-master-03"),
            ("host_db-1_cpu", "db-1"),
            ("conn_web-1_443", "web-1"),
            ("WEB-1", "WEB-1"),
            ("to db1.", "db1"),
            (r"line\nweb-1\tup", "web-1"),
            ("(web-1:443)", "web-1"),
            (r"line\nz", "z"),
        ] {
            assert_eq!(found(&hosts, &[], text), [format!("Host {wanted}")], "{text}");
        }
        for text in ["db-10", "xdb-1", "web-1a", "db", "web", "db-master-030", "mydb1"] {
            assert_eq!(found(&hosts, &[], text), [""; 0], "{text}");
        }
    }

    #[test]
    fn of_entries_at_one_place_the_longest_is_taken() {
        let hosts = ["db", "db-1", "db-1.corp.example"];
        assert_eq!(found(&hosts, &[], "db-1.corp.example"), ["Host db-1.corp.example"]);
        assert_eq!(found(&hosts, &[], "db-1.corp.test db-2"), ["Host db-1", "Host db"]);
    }

    #[test]
    fn keywords_may_have_spaces_and_signs() {
        let words = ["Project Falcon", "C++", "@home", "straße"];
        assert_eq!(
            found(&[], &words, "on PROJECT FALCON in c++ @home, Straße"),
            ["Pattern(4) PROJECT FALCON", "Pattern(4) c++", "Pattern(4) @home", "Pattern(4) Straße"]
        );
        assert_eq!(found(&[], &words, "project  falcon c+ home"), [""; 0]);
        assert_eq!(found(&[], &["--", ""], "a -- b"), [""; 0]);
    }

    #[test]
    fn only_what_is_wanted_is_reported() {
        let words = vec!["web-1".to_owned()];
        let dictionaries = Dictionaries::build(&[DictionarySpec { entity: Entity::Host, words }]);
        let mut spans = Vec::new();
        dictionaries.find_in(b"web-1", 0, 5, Wanted::PATTERNS, &mut spans);
        assert_eq!(spans, []);
    }

    #[test]
    fn thousands_of_entries_are_each_found_and_no_others() {
        let names: Vec<String> = (0..5_000).map(|i| format!("node-{}-{i}.rack{}", i % 7, i % 13)).collect();
        let dictionaries = Dictionaries::build(&[DictionarySpec { entity: Entity::Host, words: names.clone() }]);
        for (i, name) in names.iter().enumerate().step_by(97) {
            let text = format!("x {} y node-{}-{}.rack99", name.to_uppercase(), i % 7, i);
            let mut spans = Vec::new();
            dictionaries.find_in(text.as_bytes(), 0, text.len(), Wanted::HOST, &mut spans);
            assert_eq!(spans.len(), 1, "{text}");
            assert_eq!((spans[0].start, spans[0].end as usize), (2, 2 + name.len()));
        }
    }
}
