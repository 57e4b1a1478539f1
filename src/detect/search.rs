//! The way through a text: windows of 64 bytes, class masks, runs cut out of the masks, one visit a run.
//!
//! A window ends at a byte that no identifier's core contains, so a run lies in one window; where there is no such byte
//! in 64, the stretch is taken apart byte by byte.

use super::text::Text;
use super::{Entity, Found, Seen, Span, Wanted, Writing, context, email, host, ip, overlap, percent};
use crate::scan::{Masks, Rare, Scanner, Search, WINDOW, padded};

/// One search through one text.
pub struct Finder<'a> {
    text: Text<'a>,
    /// Whether to take down where the context may name something.
    leads: bool,
    found: &'a mut Found,
    /// Spans before this index are of earlier searches.
    first: usize,
    /// Nothing left of this offset is looked at by the next `@`.
    floor: usize,
    /// Up to here the text has been dealt with.
    done: usize,
    /// Some span overlaps another or stands before one that was found earlier.
    tangled: bool,
}

impl Search for &mut Finder<'_> {
    type Output = Seen;

    #[inline(always)]
    fn run<S: Scanner>(self, scanner: S) -> Seen {
        let finder = self;
        let Text { buf, start, end, .. } = finder.text;
        let leads = if finder.leads { !0 } else { 0 };
        let mut seen = Seen::default();
        let mut at = start;
        while at < end {
            let len = (end - at).min(WINDOW);
            let masks = scanner.masks(buf, at, len);
            let mut next = at + len;
            let mut bits = !0 >> (WINDOW - len);
            if next < end {
                let breaks = !core(&masks);
                if breaks == 0 {
                    at = finder.long(at, &mut seen);
                    continue;
                }
                let last = 63 - breaks.leading_zeros();
                bits = !0 >> (63 - last);
                next = at + last as usize + 1;
            }
            let masks = masks.within(bits);
            let (mut free, mut marks) = (finder.free(at), marks(&masks));
            if masks.odd | masks.mail != 0 || may_chain(masks.colon) {
                let dealt_with = scanner.apart(Special {
                    finder: &mut *finder,
                    at,
                    len,
                    bits,
                    masks: &masks,
                    free,
                    seen: &mut seen,
                });
                free &= !dealt_with.taken;
                marks = (marks | dealt_with.at_signs) & !dealt_with.nameless;
            }
            marks &= leads;
            if inner(&masks, free) | marks != 0 {
                scanner.apart(Runs { finder: &mut *finder, at, masks: &masks, free, marks });
            }
            at = next;
        }
        finder.finish();
        seen
    }
}

/// What most windows have: runs of labels, and marks that may lead to a name.
struct Runs<'f, 'a> {
    finder: &'f mut Finder<'a>,
    at: usize,
    masks: &'f Masks,
    free: u64,
    marks: u64,
}

impl Search for Runs<'_, '_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Scanner>(self, scanner: S) {
        let Runs { finder, at, masks, free, marks } = self;
        finder.runs(scanner, at, masks, free);
        if marks != 0 {
            context::note(scanner, &finder.text, at, masks, marks, &mut finder.found.leads);
        }
    }
}

/// What few windows have, and the classes for it.
struct Special<'f, 'a> {
    finder: &'f mut Finder<'a>,
    at: usize,
    len: usize,
    bits: u64,
    masks: &'f Masks,
    free: u64,
    seen: &'f mut Seen,
}

impl Search for Special<'_, '_> {
    type Output = DealtWith;

    #[inline(always)]
    fn run<S: Scanner>(self, scanner: S) -> DealtWith {
        let Special { finder, at, len, bits, masks, free, seen } = self;
        let rare = scanner.rare(finder.text.buf, at, len).within(bits);
        seen.non_ascii |= rare.high != 0;
        seen.brace |= rare.brace != 0;
        finder.special(at, masks, &rare, free)
    }
}

/// What stands in a window besides runs of labels, a bit each.
#[derive(Default)]
struct DealtWith {
    at_signs: u64,
    taken: u64,
    /// What leads to no name: the `@` of e-mail addresses, and the colons of IPv6 addresses.
    nameless: u64,
}

/// Whether an IPv6 address may be among these colons: two side by side, or six.
#[inline(always)]
fn may_chain(colons: u64) -> bool {
    colons & colons >> 1 != 0 || colons.count_ones() >= 6
}

/// Bytes of which identifiers' cores are made.
#[inline(always)]
fn core(masks: &Masks) -> u64 {
    masks.word | masks.dot | masks.colon | masks.mail
}

/// Where the context may name something: at `<`, `=`, `\`, `]`, and at a colon that is no time's and beside no other.
#[inline(always)]
fn marks(masks: &Masks) -> u64 {
    let pairs = masks.colon << 1 | masks.colon >> 1;
    masks.lead | masks.colon & !(masks.digit << 1 & masks.digit >> 1 | pairs)
}

/// Dots between two labels.
#[inline(always)]
fn inner(masks: &Masks, free: u64) -> u64 {
    let word = masks.word & free;
    masks.dot & word << 1 & word >> 1 & free
}

/// Bits `0..end`.
#[inline(always)]
fn below(end: u32) -> u64 {
    if end >= 64 { !0 } else { !(!0 << end) }
}

/// Bits `start..end`, which are some.
#[inline(always)]
fn bits(start: u32, end: u32) -> u64 {
    !0 >> (64 - (end - start)) << start
}

/// The run of set bits around bit `i`: its first bit and the one past its last.
#[inline(always)]
fn run_around(mask: u64, i: u32) -> (u32, u32) {
    let start = 64 - (!mask & below(i)).leading_zeros();
    let end = i + (!(mask >> i)).trailing_zeros();
    (start, end)
}

impl<'a> Finder<'a> {
    #[inline(always)]
    pub fn new(text: Text<'a>, leads: bool, found: &'a mut Found) -> Finder<'a> {
        let first = found.spans.len();
        Finder { text, leads, found, first, floor: text.start, done: text.start, tangled: false }
    }

    #[inline(always)]
    fn finish(&mut self) {
        if !self.found.versions.is_empty() {
            self.reconsider();
        }
        if self.tangled {
            overlap::resolve(&mut self.found.spans, self.first);
        }
    }

    /// What of a window has not been dealt with.
    #[inline(always)]
    fn free(&self, at: usize) -> u64 {
        if self.done > at { !below((self.done - at).min(64) as u32) } else { !0 }
    }

    /// Runs of labels in a window of which no run reaches out: dotted quads and dotted names.
    #[inline(always)]
    fn runs<S: Scanner>(&mut self, scanner: S, at: usize, m: &Masks, free: u64) {
        let inner = inner(m, free);
        let run = m.word & free | inner;
        let mut left = inner;
        while left != 0 {
            let (start, end) = run_around(run, left.trailing_zeros());
            let bits = bits(start, end);
            left &= !bits;
            let dots = inner & bits;
            let digits = m.digit & bits;
            let last = 63 - dots.leading_zeros();
            // A name's last label holds a letter; a number's holds none.
            let lettered = (bits & !digits) >> last > 1;
            if lettered && self.text.wanted.has(Wanted::HOST) && self.name(at, start, end, dots, last) {
                continue;
            }
            let numeric = dots & m.digit << 1 & m.digit >> 1;
            if numeric.count_ones() >= 3 && self.text.wanted.has(Wanted::IP) {
                self.quads(scanner, at, start, end, dots, digits);
            }
        }
    }

    /// A run whose last label holds a letter. Whether it is a host's name.
    #[inline(always)]
    fn name(&mut self, at: usize, start: u32, end: u32, dots: u64, last: u32) -> bool {
        let text = &self.text;
        let first = at + dots.trailing_zeros() as usize;
        let (start, end, last) = (at + start as usize, at + end as usize, at + last as usize);
        let may_be_glued = || {
            let mut left = dots;
            let mut glued = false;
            while left != 0 {
                glued |= host::may_be_glued(text, at + left.trailing_zeros() as usize, end);
                left &= left - 1;
            }
            glued
        };
        match host::judge(text, start, end, first, last, may_be_glued) {
            Some((from, to)) => {
                self.push(from, to, Entity::Host, 0);
                true
            }
            None => false,
        }
    }

    /// A run with at least three dots between digits.
    #[inline(always)]
    fn quads<S: Scanner>(&mut self, scanner: S, at: usize, start: u32, end: u32, dots: u64, digits: u64) {
        let (from, to) = (at + start as usize, at + end as usize);
        if dots | digits != bits(start, end) || dots.count_ones() != 3 {
            return self.quads_within(from, to);
        }
        // Four digits are no number of an address.
        let pairs = digits & digits >> 1;
        if pairs & pairs >> 2 != 0 {
            return;
        }
        let text = &self.text;
        let sixteen = text.buf[from..].first_chunk().copied().unwrap_or_else(|| padded(&text.buf[from..]));
        let Some(quad) = scanner.quad(&sixteen, ip::digits_between(dots, start, end)) else { return };
        let value = ip::V4_MAPPED | u128::from(quad);
        if ip::is_address_here(text, from, to, quad) {
            self.push(from, to, Entity::Ip, value);
        } else {
            self.reject(ip::Address { start: from, end: to, value });
        }
    }

    #[inline(never)]
    fn quads_within(&mut self, start: usize, end: usize) {
        let text = self.text;
        ip::v4_within(&text, start, end, &mut |address, is_address| {
            if is_address {
                self.push(address.start, address.end, Entity::Ip, address.value);
            } else {
                self.reject(address);
            }
        });
    }

    /// What needs more than runs: e-mails, URLs with users, IPv6, percent escapes.
    #[inline(always)]
    fn special(&mut self, at: usize, m: &Masks, rare: &Rare, free: u64) -> DealtWith {
        let escapes = rare.percent & rare.hex >> 1 & rare.hex >> 2;
        let mut colons = m.colon & m.colon >> 1;
        let between = m.colon & rare.hex << 1 & rare.hex >> 1;
        if between.count_ones() >= 6 {
            colons |= between;
        }
        let mut left = (rare.at | escapes | colons) & free;
        let mut dealt_with = DealtWith { at_signs: rare.at, ..DealtWith::default() };
        let core = core(m);
        while left != 0 {
            let i = left.trailing_zeros();
            let (start, end) = run_around(core, i);
            let bits = bits(start, end);
            if escapes & bits != 0 && self.escaped(at + start as usize, at + end as usize) {
                dealt_with.taken |= bits;
                left &= !below(end);
                continue;
            }
            let (from, to) = if rare.at >> i & 1 != 0 {
                let floor = self.floor;
                let sign = email::plain(&self.text, at, i, m.word | m.dot, m.dot, floor)
                    .unwrap_or_else(|| email::around(&self.text, at + i as usize, floor));
                dealt_with.nameless |= u64::from(matches!(sign, email::AtSign::Email { .. })) << i;
                self.at_sign(at + i as usize, sign)
            } else if m.colon >> i & 1 != 0 {
                self.colons(at + i as usize)
            } else {
                (at + i as usize, at + i as usize)
            };
            let relative = |offset: usize| offset.saturating_sub(at).min(64) as u32;
            let range = below(relative(to)) & !below(relative(from));
            dealt_with.taken |= range;
            if m.colon >> i & 1 != 0 {
                dealt_with.nameless |= range;
            }
            left &= !below((i + 1).max(relative(to)));
        }
        dealt_with
    }

    /// Deals with the `@` at `at` and what it turned out to be; returns the range that is dealt with.
    #[inline]
    fn at_sign(&mut self, at: usize, sign: email::AtSign) -> (usize, usize) {
        let text = self.text;
        self.floor = at + 1;
        match sign {
            email::AtSign::Nothing => (at, at),
            email::AtSign::Email { start, end } => {
                self.floor = end;
                if text.wanted.has(Wanted::EMAIL) {
                    self.push(start, end, Entity::Email, 0);
                    return (start, end);
                }
                (at, at)
            }
            email::AtSign::Login => (at, at + 1),
            email::AtSign::Token { start, end } => {
                self.floor = end;
                self.done = self.done.max(end);
                (start, end)
            }
            email::AtSign::Userinfo { user, password, end } => {
                self.floor = end;
                if text.wanted.has(Wanted::USER) && user.0 < user.1 {
                    self.push(user.0, user.1, Entity::User, 0);
                }
                if let (true, Some((from, to))) = (text.wanted.has(Wanted::CREDENTIAL), password) {
                    self.push(from, to, Entity::Credential, 0);
                }
                self.done = self.done.max(end);
                (user.0, end)
            }
        }
    }

    /// Deals with the colon at `at`, of which IPv6 addresses have so many; returns the range that is dealt with.
    fn colons(&mut self, at: usize) -> (usize, usize) {
        let text = self.text;
        match ip::v6_around(&text, at, self.text.start) {
            (Some(address), _) if text.wanted.has(Wanted::IP) => {
                self.push(address.start, address.end, Entity::Ip, address.value);
                (address.start, address.end)
            }
            (_, end) => (end, end),
        }
    }

    /// A stretch with percent escapes: decoded and searched as a text of its own. False if nothing in it decodes.
    #[inline(never)]
    fn escaped(&mut self, start: usize, end: usize) -> bool {
        let first = self.found.spans.len();
        if !percent::search(&self.text, start, end, self.found) {
            return false;
        }
        if let Some(span) = self.found.spans.get(first).copied() {
            self.note_order(first, span.start as usize);
        }
        self.done = self.done.max(end);
        self.floor = self.floor.max(end);
        true
    }

    /// A stretch of core bytes longer than a window, from `at` on. Returns where it ends. Nothing in it leads to a name but
    /// a colon or `@`.
    #[cold]
    #[inline(never)]
    fn long(&mut self, at: usize, seen: &mut Seen) -> usize {
        let is_core = |byte: u8| {
            byte.is_ascii_alphanumeric() || byte >= 0x80 || matches!(byte, b'-' | b'_' | b'.' | b':' | b'@' | b'%')
        };
        let len = self.text.buf[at..self.text.end].iter().take_while(|&&byte| is_core(byte)).count();
        let end = at + len;
        seen.non_ascii |= !self.text.buf[at..end].is_ascii();
        let buf = self.text.buf;
        if self.leads {
            let marks = (at..end).filter(|i| matches!(buf[*i], b':' | b'@'));
            self.found.leads.extend(marks.map(|i| i as u32));
        }
        let hex_at = |i: usize| i < end && buf[i].is_ascii_hexdigit();
        if (at..end).any(|i| buf[i] == b'%' && hex_at(i + 1) && hex_at(i + 2)) && self.escaped(at, end) {
            return end;
        }
        let mut cursor = at.max(self.done);
        let mut i = cursor;
        while i < end {
            let (from, to) = match buf[i] {
                b'@' => self.at_sign(i, email::around(&self.text, i, self.floor)),
                b':' => self.colons(i),
                _ => {
                    i += 1;
                    continue;
                }
            };
            if to > from {
                self.labels(cursor, from.max(cursor));
                cursor = to.max(cursor);
            }
            i = to.max(i + 1);
        }
        self.labels(cursor, end);
        end
    }

    /// Runs of labels in a stretch of any length.
    fn labels(&mut self, start: usize, end: usize) {
        let buf = self.text.buf;
        let is_word = |i: usize| {
            i >= start && i < end && (buf[i].is_ascii_alphanumeric() || buf[i] >= 0x80 || matches!(buf[i], b'-' | b'_'))
        };
        let mut at = start;
        while at < end {
            if !is_word(at) {
                at += 1;
                continue;
            }
            let from = at;
            let mut dots = None;
            while at < end && (is_word(at) || buf[at] == b'.' && is_word(at + 1)) {
                if buf[at] == b'.' {
                    dots = Some((dots.map_or(at, |(first, _)| first), at));
                }
                at += 1;
            }
            let Some((first, dot)) = dots else { continue };
            if self.text.wanted.has(Wanted::HOST)
                && !buf[dot + 1..at].iter().all(u8::is_ascii_digit)
                && let Some((from, to)) = host::judge(&self.text, from, at, first, dot, || true)
            {
                self.push(from, to, Entity::Host, 0);
                continue;
            }
            if self.text.wanted.has(Wanted::IP) {
                self.quads_within(from, at);
            }
        }
    }

    /// Adds a span.
    #[inline(always)]
    fn push(&mut self, start: usize, end: usize, entity: Entity, address: u128) {
        self.note_order(self.found.spans.len(), start);
        self.done = self.done.max(end);
        self.found.spans.push(Span { start: start as u32, end: end as u32, entity, writing: Writing::Plain, address });
    }

    /// A span is about to stand at `index` that begins at `start`: is it behind the one before?
    #[inline(always)]
    fn note_order(&mut self, index: usize, start: usize) {
        self.tangled |= index > self.first && self.found.spans[index - 1].end as usize > start;
    }

    #[cold]
    fn reject(&mut self, version: ip::Address) {
        self.found.versions.push(version);
    }

    /// A rejected quad that equals an address found in the same text is that address (`Chrome/1.2.3.4` beside
    /// `"ip": "1.2.3.4"`): its value must not survive.
    #[cold]
    fn reconsider(&mut self) {
        self.found.versions.sort_unstable_by_key(|version| version.value);
        let found = self.found.spans.len();
        for index in self.first..found {
            let Found { spans, versions, .. } = &mut *self.found;
            let Span { entity: Entity::Ip, address, .. } = spans[index] else { continue };
            let from = versions.partition_point(|version| version.value < address);
            // The first of its equals tells whether they have been taken.
            for version in &mut versions[from..] {
                if version.value != address || version.start == version.end {
                    break;
                }
                let (start, end) = (version.start as u32, version.end as u32);
                version.start = version.end;
                spans.push(Span { start, end, entity: Entity::Ip, writing: Writing::Plain, address });
            }
        }
        self.found.versions.clear();
        self.tangled = true;
    }
}
