//! The last label of a host name: is it one, and how sure does it make us?
//!
//! `tlds.txt` is IANA's list of top-level domains (2026; taken from the npm package `tlds`, which republishes it), lower
//! case, internationalised ones in their own script, one a line. Suffixes that only private networks use are added here.
//! Many top-level domains are also file extensions (`rs`, `py`, `zip`) or everyday words of programs (`name`, `info`,
//! `id`): those are [`Tail::Ambiguous`] and need something besides them to make a name a host's.
//!
//! A lookup is one multiplication and about one probe: the label is packed into a `u64`, the table open and built at
//! compile time.

/// What the last label says of a dotted name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Tail {
    /// No host name ends so.
    No,
    /// Host names end so, and little else does.
    Host,
    /// A top-level domain, but also a word or a file extension.
    Ambiguous,
    /// A top-level domain, but far more often a file's extension.
    File,
}

/// Suffixes of private networks, tools and documentation: no top-level domains, but host names end so.
const INTERNAL: &str = "internal local lan corp home intranet intra localdomain localhost localnet private priv \
    example invalid arpa onion consul nomad svc dmz loc domain workgroup i2p bit kube libvirt lxd mesh tailnet";

/// Top-level domains of more than two letters that hardly mean anything else.
const TELLING: &str = "com net org edu gov mil biz mobi aero coop asia xyz tech website icu club travel berlin london \
    nyc paris amsterdam hamburg wien swiss bayern koeln cologne tokyo moscow istanbul brussels vlaanderen frl gal eus \
    bzh wales scot cymru nrw ruhr saarland tirol zuerich goog gmbh ltda llc xin";

/// Country codes that are also words, units or names of programs' things.
const AMBIGUOUS_COUNTRIES: &str = "ac ad ai am as at be by cd do es fm gd gl gp gs ht id ie im in io is it kg km la lb \
    lc li lk ls ma mc me mg mp ms mt mu my na nc ne no np nr nu om pa pf pn re rw sa sb sc sd se sl sm sn sr st sv \
    sx sy tc td tg tk tl tm tn to tt tv um va vc vi vu ws aq aw ax";

/// Top-level domains that are file extensions.
const FILES: &str =
    "rs py sh pl md ps so cc ml mm mk mo pm bz tf zip mov java cab app box foo pub srl rest properties inc la";

/// Country codes of two letters that stand in a list above, but are a host's far more often than not.
const TELLING_COUNTRIES: &str = "be es fr it ie at se no io me tv ai im is lk ma my nu re sa sc sg tn to vc ws li fm \
    ac ag ax sm mu mt mc lb";

const LIST: &str = include_str!("tlds.txt");

const SLOTS: usize = 4096;
const LONG_SLOTS: usize = 512;

struct Table {
    keys: [u64; SLOTS],
    tails: [Tail; SLOTS],
    /// Labels longer than 8 bytes, by their first 16.
    long_keys: [u128; LONG_SLOTS],
    long_tails: [Tail; LONG_SLOTS],
}

static TABLE: Table = build();

/// What the label that is packed in `key` says: its bytes in order, the first lowest, lower case, at most 8.
#[inline(always)]
pub fn of_packed(key: u64) -> Tail {
    let mut slot = slot_of(key);
    loop {
        let there = TABLE.keys[slot];
        if there == key {
            return TABLE.tails[slot];
        }
        if there == 0 {
            return Tail::No;
        }
        slot = (slot + 1) % SLOTS;
    }
}

/// What a label of any length and case says.
pub fn of(label: &[u8]) -> Tail {
    if label.is_empty() || label.len() > 63 {
        return Tail::No;
    }
    if label.len() > 4 && label[..4].eq_ignore_ascii_case(b"xn--") {
        return Tail::Host;
    }
    let lower = |i: usize| label[i].to_ascii_lowercase();
    if label.len() <= 8 {
        return of_packed((0..label.len()).fold(0, |key, i| key | u64::from(lower(i)) << (8 * i)));
    }
    of_packed_long((0..label.len().min(16)).fold(0, |key, i| key | u128::from(lower(i)) << (8 * i)))
}

/// What a label longer than 8 bytes says, its first 16 packed in `key`.
#[inline(always)]
pub fn of_packed_long(key: u128) -> Tail {
    let mut slot = long_slot_of(key);
    while TABLE.long_keys[slot] != 0 {
        if TABLE.long_keys[slot] == key {
            return TABLE.long_tails[slot];
        }
        slot = (slot + 1) % LONG_SLOTS;
    }
    Tail::No
}

const fn slot_of(key: u64) -> usize {
    (key.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 52) as usize
}

const fn long_slot_of(key: u128) -> usize {
    slot_of(key as u64 ^ (key >> 64) as u64) % LONG_SLOTS
}

const fn build() -> Table {
    let mut table = Table {
        keys: [0; SLOTS],
        tails: [Tail::No; SLOTS],
        long_keys: [0; LONG_SLOTS],
        long_tails: [Tail::No; LONG_SLOTS],
    };
    // Later lists overrule earlier ones.
    table.add(LIST, None);
    table.add(TELLING, Some(Tail::Host));
    table.add(AMBIGUOUS_COUNTRIES, Some(Tail::Ambiguous));
    table.add(TELLING_COUNTRIES, Some(Tail::Host));
    table.add(FILES, Some(Tail::File));
    table.add(INTERNAL, Some(Tail::Host));
    table.add("test", Some(Tail::Ambiguous));
    table
}

impl Table {
    const fn add(&mut self, list: &str, tail: Option<Tail>) {
        let bytes = list.as_bytes();
        let mut at = 0;
        while at < bytes.len() {
            let mut key = 0u128;
            let mut len = 0;
            while at < bytes.len() && !bytes[at].is_ascii_whitespace() {
                if len < 16 {
                    key |= (bytes[at] as u128) << (8 * len);
                }
                len += 1;
                at += 1;
            }
            at += 1;
            if len > 0 {
                // Of IANA's list a country's code or a name in its own script is telling, another word is not.
                let by_length = if len == 2 || key as u8 > 0x7f { Tail::Host } else { Tail::Ambiguous };
                self.insert(
                    key,
                    len,
                    match tail {
                        Some(tail) => tail,
                        None => by_length,
                    },
                );
            }
        }
    }

    const fn insert(&mut self, key: u128, len: usize, tail: Tail) {
        if len <= 8 {
            let mut slot = slot_of(key as u64);
            while self.keys[slot] != 0 && self.keys[slot] != key as u64 {
                slot = (slot + 1) % SLOTS;
            }
            self.keys[slot] = key as u64;
            self.tails[slot] = tail;
        } else {
            let mut slot = long_slot_of(key);
            while self.long_keys[slot] != 0 && self.long_keys[slot] != key {
                slot = (slot + 1) % LONG_SLOTS;
            }
            self.long_keys[slot] = key;
            self.long_tails[slot] = tail;
        }
    }
}
