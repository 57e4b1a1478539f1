//! What a key says of its value, whatever way it is written: `host_name`, `hostName`, `Host-Name`.

use super::bytes::{self, JOINT, LETTER, SPACE};
use crate::scan::Threes;

/// What a key names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyClass {
    /// A host's name. A value of any shape is one, placeholders apart.
    Host,
    /// What may be a host's name or a word: `server`, `client`, `node`.
    MaybeHost,
}

/// Keys longer than this name no one thing.
const MAX_KEY: usize = 64;

/// What `key` names, judged by the whole of it, then by its last segment (`agent.hostname`), then by its last words.
pub fn names(key: &[u8]) -> Option<KeyClass> {
    if may_end(key, true) { class_of(key) } else { None }
}

/// The same of a key for whose end [`may_end`] holds.
pub fn class_of(key: &[u8]) -> Option<KeyClass> {
    // Letters in lower case and digits, without `_`, `-`, `.`, spaces and the like.
    let mut folded = [0; MAX_KEY];
    let (mut length, mut segment) = (0, 0);
    for b in key {
        let letter = FOLDED[usize::from(*b)];
        *folded.get_mut(length)? = letter;
        length += usize::from(letter > SEGMENT);
        segment = if letter == SEGMENT { length } else { segment };
    }
    let whole = &folded[..length];
    exact(whole).or_else(|| exact(&whole[segment..])).or_else(|| by_last_words(whole))
}

/// What a byte of a key counts as: a letter in lower case or a digit, [`SEGMENT`] between segments, or nothing.
static FOLDED: [u8; 256] = {
    let mut folded = [0; 256];
    let mut b = 0;
    while b < 256 {
        let byte = b as u8;
        folded[b] = match byte {
            b'.' | b'/' | b':' => SEGMENT,
            _ if byte.is_ascii_alphanumeric() => byte | 0x20,
            _ => 0,
        };
        b += 1;
    }
    folded
};
const SEGMENT: u8 = 1;

/// A list of keys, and a test for them that the compiler makes a tree of: faster by far than to go through the list.
macro_rules! keys {
    ($(#[$doc:meta])* $list:ident, $is:ident, $($key:literal),+ $(,)?) => {
        $(#[$doc])*
        const $list: &[&[u8]] = &[$($key),+];

        fn $is(key: &[u8]) -> bool {
            matches!(key, $($key)|+)
        }
    };
}

keys! {
    /// Keys of hosts, folded.
    HOSTS, is_host,
    b"agentcomputername", b"clientcomputer", b"clienthost", b"computer", b"computerdnsname", b"computername", b"desthost",
    b"destinationhost", b"devicednsname", b"devicename", b"devname", b"dhost", b"dsthost", b"dsthostname", b"dstname", b"dvc",
    b"dvchost", b"dvcname", b"endpointname", b"fqdn", b"fromhost", b"host", b"hostid", b"hostidentifier", b"hostname",
    b"hostnames", b"httphost", b"loghost", b"logonworkstation", b"machinename", b"netbios", b"netbiosname", b"nodehost",
    b"orighost", b"origincomputer", b"peerhost", b"remotehost", b"reportinghost", b"rhost", b"sensorname",
    b"serverhost", b"shost", b"sourcecomputer", b"sourcehost", b"sourceworkstation", b"srchost", b"srchostname",
    b"srcname", b"syslogserver", b"targetcomputer", b"targethost", b"targetservername", b"tohost", b"userhost",
    b"vhost", b"virtualhost", b"vmname", b"workstation", b"workstationname",
}

keys! {
    /// Keys of hosts, or of words.
    MAYBE_HOSTS, may_be_host,
    b"agentname", b"appliance", b"beatname", b"client", b"clientname", b"destination", b"device", b"gateway",
    b"instance", b"machine", b"node", b"nodename", b"observername", b"peer", b"peername", b"pod", b"podname",
    b"server", b"servername", b"source", b"target",
}

/// With these words the key of a host may end; each of them ends with `name` or `names`.
const ENDS: [&[u8]; 7] =
    [b"hostname", b"hostnames", b"computername", b"machinename", b"devicename", b"workstationname", b"nodename"];

/// Whether what ends here may be a key that is known, `prose` of several words: by its last letters. True too often, never
/// too seldom.
#[inline]
pub fn may_end(text: &[u8], prose: bool) -> bool {
    if let Some(last) = text.last_chunk() {
        let last = u64::from_le_bytes(*last);
        let letters = other_than_letters(last).leading_zeros() / 8;
        // As below, where there are letters enough, and before them neither an escape nor what joins them to others.
        let before = |letters: u32| (last >> (56 - 8 * letters)) as u8;
        if letters >= 5 && before(5) != b'\\' {
            return ENDINGS.has((last >> 40) as u32) && LONGER_ENDINGS.has(last >> 24 | 0x20_2020_2020);
        }
        if (3..5).contains(&letters) && !matches!(before(letters), b'\\' | b'-' | b'_') {
            return ENDINGS.has((last >> 40) as u32);
        }
    }
    let Some(last) = text.last_chunk::<3>() else { return false };
    let [first, second, third] = last.map(bytes::class);
    if third & LETTER == 0 {
        return false;
    }
    // A key may be written with something between its letters; none is shorter than three, none has digits.
    let joints = JOINT | if prose { SPACE } else { 0 };
    if (first | second) & joints == 0 {
        let [a, b, c] = *last;
        let letters = first & second & LETTER != 0;
        if !letters || !ENDINGS.has(u32::from_le_bytes([a, b, c, 0])) {
            return false;
        }
    }
    may_end_longer(text, joints)
}

/// The same by up to five letters, in three of which no known key's end has been missed yet, unless there are joints among
/// them.
#[inline(never)]
fn may_end_longer(text: &[u8], joints: u8) -> bool {
    let mut letters = 0u64;
    let mut count = 0;
    for (index, b) in text.iter().enumerate().rev().take(12) {
        let class = bytes::class(*b);
        let escape = matches!(b, b'n' | b'r' | b't') && index > 0 && text[index - 1] == b'\\';
        if class & LETTER != 0 && !escape {
            letters = letters << 8 | u64::from(b | 0x20);
            count += 1;
            if count == 5 {
                return LONGER_ENDINGS.has(letters);
            }
        } else if class & joints == 0 || count >= 3 && matches!(b, b'.' | b'/' | b':' | b' ') {
            // Here it begins, or here its last segment or word does.
            break;
        }
    }
    // A byte that is in no key may still be passed over where keys are read.
    count < 3 || ENDINGS.has((letters >> (8 * (count - 3))) as u32)
}

/// The last three bytes before a separator behind which [`may_end`] may hold: the endings of all known keys, and what needs a
/// closer look, such as a quote or a key that is written with something between its letters.
pub static BEFORE_SEPARATORS: Threes = Threes::new(&[
    [b"tveiTVEI", b"eE", b"rR"],
    [b"nrioaNRIOA", b"cdmnCDMN", b"eE"],
    [b"oegpOEGP", b"sneoSNEO", b"tdTD"],
    [b"imIM", b"oeOE", b"nsNS"],
    [b"tdqwTDQW", b"ivdaIVDA", b"dcnyDCNY"],
    [ANY, ANY, b" \"'\\"],
    [b" _-./:", ANY, LETTERS],
    [ANY, b" _-./:", LETTERS],
]);

const LETTERS: &[u8] = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";

const ANY: &[u8] = &{
    let mut any = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        any[byte] = byte as u8;
        byte += 1;
    }
    any
};

/// Bits in each byte that is no ASCII letter.
#[inline(always)]
fn other_than_letters(bytes: u64) -> u64 {
    const EACH: u64 = u64::from_ne_bytes([1; 8]);
    let place = bytes & (EACH * 0x1f);
    let column = (bytes ^ (EACH * 0x40)) & (EACH * 0xc0);
    let behind_z = (place + EACH * (0x1f - 26)) & (EACH * 0x20);
    let before_a = !(place + EACH * 0x1f) & (EACH * 0x20);
    column | behind_z | before_a
}

/// The three letters, of any case, with which known keys end: a bit for each hash.
struct Endings([u64; 512]);

/// The last five letters, in lower case, of known keys that have so many.
struct LongerEndings([u64; 64]);

static ENDINGS: Endings = endings().0;
static LONGER_ENDINGS: LongerEndings = endings().1;

const fn endings() -> (Endings, LongerEndings) {
    let (mut endings, mut longer) = (Endings([0; 512]), LongerEndings([0; 64]));
    let lists: [&[&[u8]]; 3] = [HOSTS, MAYBE_HOSTS, &ENDS];
    let mut list = 0;
    while list < lists.len() {
        let mut index = 0;
        while index < lists[list].len() {
            let key = lists[list][index];
            let n = key.len();
            let hash = Endings::hash(u32::from_le_bytes([key[n - 3], key[n - 2], key[n - 1], 0]));
            endings.0[hash / 64] |= 1 << (hash % 64);
            if n >= 5 {
                let five = [key[n - 5], key[n - 4], key[n - 3], key[n - 2], key[n - 1], 0, 0, 0];
                let hash = LongerEndings::hash(u64::from_le_bytes(five));
                longer.0[hash / 64] |= 1 << (hash % 64);
            }
            index += 1;
        }
        list += 1;
    }
    (endings, longer)
}

impl Endings {
    #[inline(always)]
    const fn hash(last: u32) -> usize {
        ((last & 0x1f_1f1f).wrapping_mul(0x9E37_79B1) >> 17) as usize
    }

    #[inline(always)]
    fn has(&self, last: u32) -> bool {
        let hash = Endings::hash(last);
        self.0[hash / 64] >> (hash % 64) & 1 != 0
    }
}

impl LongerEndings {
    #[inline(always)]
    const fn hash(letters: u64) -> usize {
        (letters.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 52) as usize
    }

    #[inline(always)]
    fn has(&self, letters: u64) -> bool {
        let hash = LongerEndings::hash(letters);
        self.0[hash / 64] >> (hash % 64) & 1 != 0
    }
}

fn exact(key: &[u8]) -> Option<KeyClass> {
    if is_host(key) {
        Some(KeyClass::Host)
    } else if may_be_host(key) {
        Some(KeyClass::MaybeHost)
    } else {
        None
    }
}

fn by_last_words(key: &[u8]) -> Option<KeyClass> {
    let named = key.ends_with(b"name") || key.ends_with(b"names");
    (named && ENDS.iter().any(|end| key.ends_with(end))).then_some(KeyClass::Host)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scan::{Portable, Scanner};

    #[test]
    fn a_key_is_known_in_every_way_of_writing() {
        for key in [
            "hostname",
            "host_name",
            "HostName",
            "Host-Name",
            "host.name",
            "computer_name",
            "Workstation Name",
            "dvchost",
        ] {
            assert_eq!(names(key.as_bytes()), Some(KeyClass::Host), "{key}");
        }
        for key in ["agent.hostname", "SourceHostname", "k8s.node.name", "beat/hostname", "winlog.computer_name"] {
            assert_eq!(names(key.as_bytes()), Some(KeyClass::Host), "{key}");
        }
        assert_eq!(names(b"server"), Some(KeyClass::MaybeHost));
        for key in HOSTS.iter().chain(MAYBE_HOSTS).chain(&ENDS) {
            assert!(names(key).is_some() && names(&key.to_ascii_uppercase()).is_some());
        }
    }

    #[test]
    fn what_may_end_byte_by_byte_may_end_at_one_look() {
        let mut state = 5_u64;
        let (mut passed, mut told) = (0, 0);
        for _ in 0..300_000 {
            state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            let key = [HOSTS, MAYBE_HOSTS, &ENDS][(state >> 60) as usize % 3];
            let key = key[(state >> 40) as usize % key.len()];
            let mut text = [b' '; 8 + 64];
            let n = key.len().min(8);
            text[8 - n..8].copy_from_slice(&key[key.len() - n..]);
            for round in 0..state % 3 {
                let byte = b"abcnrtHOST\\ _-./:@`[{\"\xc3019"[(state >> (20 + 8 * round)) as usize % 26];
                text[(state >> (8 * round)) as usize % 8] = byte;
            }
            for (separator, prose) in [(b'=', false), (b':', true)] {
                text[8] = separator;
                let may = may_end(&text[..8], prose);
                let led = Portable.led(&text, 8, &BEFORE_SEPARATORS) & 1 != 0;
                assert!(!may || led, "{}", text.escape_ascii());
                passed += u32::from(may);
                told += u32::from(!led);
            }
        }
        assert!(passed > 10_000 && told > 10_000, "{passed} {told}");
    }

    #[test]
    fn keys_of_other_things_say_nothing() {
        for key in ["service.name", "filename", "", "name", "process", "ghost", "hosts_file", "time", "class.name"] {
            assert_eq!(names(key.as_bytes()), None, "{key}");
        }
        assert_eq!(names(&[b'e'; 500]), None);
    }
}
