//! The way through a text: windows of 64 bytes, class masks, runs cut out of the masks, one visit a run.
//!
//! A window ends at a byte that no identifier's core contains, so a run lies in one window; where there is no such byte
//! in 64, the stretch is taken apart byte by byte.

use super::text::Text;
use super::{Entity, Found, Seen, Span, Wanted, Writing, email, host, ip, overlap, percent};
use crate::scan::{Masks, Scanner, Search, WINDOW};

/// A text to search, and where to put what is found.
pub struct Job<'a> {
    pub text: Text<'a>,
    /// Whether to take down where the context may name something.
    pub leads: bool,
    pub found: &'a mut Found,
}

impl Search for Job<'_> {
    type Output = Seen;

    #[inline(always)]
    fn run<S: Scanner>(self, scanner: S) -> Seen {
        let Text { buf, start, end, .. } = self.text;
        if end - start <= WINDOW {
            // Most texts are short: one look, and most often no more.
            let masks = scanner.masks(buf, start, end - start);
            let seen = Seen { non_ascii: masks.high != 0, brace: masks.brace != 0 };
            if self.leads {
                note_leads(start, &masks, &mut self.found.leads);
            }
            if triggers(&masks) != 0 {
                let mut finder = Finder::new(self);
                finder.window(start, &masks);
                finder.finish();
            }
            return seen;
        }
        let leads = self.leads;
        let mut finder = Finder::new(self);
        let mut high = 0;
        let mut brace = 0;
        let mut at = start;
        while at < end {
            let len = (end - at).min(WINDOW);
            let mut masks = scanner.masks(buf, at, len);
            high |= masks.high;
            brace |= masks.brace;
            let mut next = at + len;
            if next < end {
                let breaks = !core(&masks);
                if breaks == 0 {
                    at = finder.long(at, &mut high);
                    continue;
                }
                let last = 63 - breaks.leading_zeros();
                masks = keep(&masks, below(last + 1));
                next = at + last as usize + 1;
            }
            if leads {
                note_leads(at, &masks, &mut finder.found.leads);
            }
            if triggers(&masks) != 0 {
                finder.window(at, &masks);
            }
            at = next;
        }
        finder.finish();
        Seen { non_ascii: high != 0, brace: brace != 0 }
    }
}

/// One search through one text.
struct Finder<'a> {
    text: Text<'a>,
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

/// Dots between labels, colons in pairs or in a chain, `@`, percent escapes: without one of them there is nothing to find.
#[inline(always)]
fn triggers(m: &Masks) -> u64 {
    m.dot & m.word << 1 & m.word >> 1 | m.colon & (m.colon | m.hex) >> 1 | m.at | m.percent
}

/// Bytes of which identifiers' cores are made.
#[inline(always)]
fn core(masks: &Masks) -> u64 {
    masks.word | masks.dot | masks.colon | masks.at | masks.percent
}

#[inline(always)]
fn keep(masks: &Masks, bits: u64) -> Masks {
    Masks {
        word: masks.word & bits,
        dot: masks.dot & bits,
        digit: masks.digit & bits,
        hex: masks.hex & bits,
        colon: masks.colon & bits,
        at: masks.at & bits,
        percent: masks.percent & bits,
        high: masks.high & bits,
        lead: masks.lead & bits,
        brace: masks.brace & bits,
    }
}

/// Takes down where the context may name something: at `<`, `=`, `\`, `]`, `@`, and at a colon that is no time's.
#[inline(always)]
fn note_leads(at: usize, masks: &Masks, leads: &mut Vec<u32>) {
    let mut left = masks.lead | masks.at | masks.colon & !(masks.digit << 1 & masks.digit >> 1);
    while left != 0 {
        leads.push(at as u32 + left.trailing_zeros());
        left &= left - 1;
    }
}

/// Bits `0..end`.
#[inline(always)]
fn below(end: u32) -> u64 {
    if end >= 64 { !0 } else { !(!0 << end) }
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
    fn new(job: Job<'a>) -> Finder<'a> {
        let Job { text, leads, found } = job;
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

    /// A window of which no run reaches out.
    #[inline(always)]
    fn window(&mut self, at: usize, m: &Masks) {
        let escapes = m.percent & m.hex >> 1 & m.hex >> 2;
        let mut colons = m.colon & m.colon >> 1;
        let between = m.colon & m.hex << 1 & m.hex >> 1;
        if between.count_ones() >= 6 {
            colons |= between;
        }
        let special = m.at | escapes | colons;
        let mut free = if self.done > at { !below((self.done - at).min(64) as u32) } else { !0 };
        if special != 0 {
            free &= !self.special(at, m, special & free, escapes);
        }
        self.runs(at, m, free);
    }

    /// Runs of labels: dotted quads and dotted names.
    #[inline(always)]
    fn runs(&mut self, at: usize, m: &Masks, free: u64) {
        let word = m.word & free;
        let inner = m.dot & word << 1 & word >> 1 & free;
        let run = word | inner;
        let numeric = inner & m.digit << 1 & m.digit >> 1;
        let mut left = inner;
        while left != 0 {
            let i = left.trailing_zeros();
            let (start, end) = run_around(run, i);
            let bits = below(end) & !below(start);
            left &= !below(end);
            let dots = inner & bits;
            let last = 63 - dots.leading_zeros();
            let numeric = numeric & bits;
            // A name's last label holds a letter; a number's holds none.
            let lettered = !m.digit & bits & !below(last + 1) != 0;
            if lettered && self.text.wanted.has(Wanted::HOST) && self.name(at, start, end, dots, last) {
                continue;
            }
            if numeric.count_ones() < 3 {
                continue;
            }
            if self.text.wanted.has(Wanted::IP) {
                self.quads(at, start, end, dots, m.digit & bits);
            }
        }
    }

    /// A run whose last label holds a letter. Whether it is a host's name.
    #[inline(always)]
    fn name(&mut self, at: usize, start: u32, end: u32, dots: u64, last: u32) -> bool {
        let mut glued = false;
        let mut left = dots;
        while left != 0 {
            glued |= host::may_be_glued(&self.text, at + left.trailing_zeros() as usize);
            left &= left - 1;
        }
        let (start, end, last) = (at + start as usize, at + end as usize, at + last as usize);
        match host::judge(&self.text, start, end, last, glued) {
            Some((from, to)) => {
                self.push(from, to, Entity::Host, 0);
                true
            }
            None => false,
        }
    }

    /// A run with at least three dots between digits.
    #[inline(always)]
    fn quads(&mut self, at: usize, start: u32, end: u32, dots: u64, digits: u64) {
        let bits = below(end) & !below(start);
        if dots | digits == bits && dots.count_ones() == 3 {
            let (from, to) = (at + start as usize, at + end as usize);
            let first = dots.trailing_zeros();
            let dots = dots & (dots - 1);
            let second = dots.trailing_zeros();
            let third = (dots & (dots - 1)).trailing_zeros();
            let part = |from: u32, to: u32| ip::octet(&self.text.buf[at + from as usize..at + to as usize]);
            if let (Some(a), Some(b), Some(c), Some(d)) =
                (part(start, first), part(first + 1, second), part(second + 1, third), part(third + 1, end))
            {
                let quad = a << 24 | b << 16 | c << 8 | d;
                let value = ip::V4_MAPPED | u128::from(quad);
                if ip::is_address_here(&self.text, from, to, quad) {
                    self.push(from, to, Entity::Ip, value);
                } else {
                    self.reject(ip::Address { start: from, end: to, value });
                }
            }
            return;
        }
        self.quads_within(at + start as usize, at + end as usize);
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

    /// What needs more than runs: e-mails, URLs with users, IPv6, percent escapes. Returns which bits are dealt with.
    #[inline(never)]
    fn special(&mut self, at: usize, m: &Masks, special: u64, escapes: u64) -> u64 {
        let core = core(m);
        let mut taken = 0;
        let mut left = special;
        while left != 0 {
            let i = left.trailing_zeros();
            let (start, end) = run_around(core, i);
            let bits = below(end) & !below(start);
            if escapes & bits != 0 && self.escaped(at + start as usize, at + end as usize) {
                taken |= bits;
                left &= !below(end);
                continue;
            }
            let (from, to) = if m.at >> i & 1 != 0 {
                self.at_sign(at + i as usize)
            } else if m.colon >> i & 1 != 0 {
                self.colons(at + i as usize)
            } else {
                (at + i as usize, at + i as usize)
            };
            let relative = |offset: usize| offset.saturating_sub(at).min(64) as u32;
            taken |= below(relative(to)) & !below(relative(from));
            left &= !below((i + 1).max(relative(to)));
        }
        taken
    }

    /// Deals with the `@` at `at`; returns the range that is dealt with.
    fn at_sign(&mut self, at: usize) -> (usize, usize) {
        let text = self.text;
        let floor = self.floor;
        self.floor = at + 1;
        match email::around(&text, at, floor) {
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
    fn long(&mut self, at: usize, high: &mut u64) -> usize {
        let is_core = |byte: u8| {
            byte.is_ascii_alphanumeric() || byte >= 0x80 || matches!(byte, b'-' | b'_' | b'.' | b':' | b'@' | b'%')
        };
        let len = self.text.buf[at..self.text.end].iter().take_while(|&&byte| is_core(byte)).count();
        let end = at + len;
        *high |= u64::from(!self.text.buf[at..end].is_ascii());
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
                b'@' => self.at_sign(i),
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
            let mut dot = None;
            while at < end && (is_word(at) || buf[at] == b'.' && is_word(at + 1)) {
                if buf[at] == b'.' {
                    dot = Some(at);
                }
                at += 1;
            }
            let Some(dot) = dot else { continue };
            if self.text.wanted.has(Wanted::HOST)
                && !buf[dot + 1..at].iter().all(u8::is_ascii_digit)
                && let Some((from, to)) = host::judge(&self.text, from, at, dot, true)
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
