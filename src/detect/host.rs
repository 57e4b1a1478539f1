//! Dotted host names: which runs of labels are one, and which are a file, a class, a package or a key.

use super::Place;
use super::text::Text;
use super::tld::{self, Tail};

/// No host's name is longer.
const LONGEST: usize = 253;

/// Judges the run of labels `start..end` whose first inner dot is at `first` and whose last at `dot`; a label is not empty, dots
/// stand only between labels. `may_be_glued` says whether [`may_be_glued`] holds after any of its dots. Returns the host name's
/// extent.
#[inline(always)]
pub fn judge(
    text: &Text<'_>,
    start: usize,
    end: usize,
    first: usize,
    dot: usize,
    may_be_glued: impl FnOnce() -> bool,
) -> Option<(usize, usize)> {
    let tail = tail(text, dot + 1, end);
    if end - start > LONGEST {
        return judge_tail(text, start, end, dot, tail);
    }
    match tail {
        Tail::No if !may_be_glued() && !matches!(text.buf[end - 1], b'-' | b'_') => None,
        Tail::Host if is_plainly_host(text, start, end, first, dot) => Some((start, end)),
        Tail::File if !may_be_named_by_place(text, start) => None,
        // A function's or a variable's.
        Tail::Ambiguous if matches!(text.at(end), b'(' | b'=') && !may_be_named_by_place(text, start) => None,
        _ => judge_tail(text, start, end, dot, tail),
    }
}

/// Whether a name with a telling tail is a host's by what is seen at once: a URL's, or there is nothing at all that
/// [`Name::is_host`] asks about. False too often, never too seldom.
#[inline(always)]
fn is_plainly_host(text: &Text<'_>, start: usize, end: usize, first: usize, dot: usize) -> bool {
    let Some(head) = text.buf.get(start..start + 8) else { return false };
    let eight = u64::from_le_bytes(head.try_into().expect("eight bytes were taken"));
    let is_token = eight as u8 == b'h' && head[1].is_ascii_digit();
    let before = text.at(start.wrapping_sub(1));
    if before == b'\\' || eight as u8 == b'-' || is_token {
        return false;
    }
    if before == b'/' && text.at(start.wrapping_sub(2)) == b'/' {
        return true;
    }
    let label = eight & !0 >> (64 - 8 * (first - start).min(8));
    let tail = &text.buf[dot + 1..end];
    let is_tail_plain = match tail.len() {
        2 => tail != b"io" && is_lower_name(&text.buf[start..dot]),
        4 => tail != b"home",
        7 => tail != b"invalid",
        _ => true,
    };
    is_tail_plain
        && !matches!(text.at(end), b'(' | b'/')
        && text.place != Place::Name
        && !tail[0].is_ascii_uppercase()
        && !may_be_package(label)
}

/// Neither a number nor of mixed case.
fn is_lower_name(head: &[u8]) -> bool {
    !has_capital(head) && head.iter().any(|byte| !byte.is_ascii_digit() && *byte != b'.')
}

/// Whether [`Name::is_named_by_place`] may hold. True too often, never too seldom.
#[inline(always)]
fn may_be_named_by_place(text: &Text<'_>, start: usize) -> bool {
    let before = text.at(start.wrapping_sub(1));
    text.place == Place::HostByKey
        || matches!(before, b'@' | b'\\')
        || before == b'/' && text.at(start.wrapping_sub(2)) == b'/'
        || matches!(text.buf[start], b'w' | b'-')
        || text.may_name_address(start)
}

/// What the last label says; ASCII labels in one load, for of long ones no more than 16 bytes are looked at.
#[inline(always)]
fn tail(text: &Text<'_>, start: usize, end: usize) -> Tail {
    // Folds case; turns nothing that is no letter into what a domain ends with.
    const FOLD: u128 = u128::from_ne_bytes([0x20; 16]);
    const TOPS: u128 = u128::from_ne_bytes([0x80; 16]);
    let len = end - start;
    match text.buf.get(start..start + 16) {
        Some(bytes) if len <= 63 => {
            let all = u128::from_le_bytes(bytes.try_into().expect("sixteen bytes were taken"));
            if len <= 8 {
                let key = (all as u64 | FOLD as u64) & !0 >> (64 - 8 * len);
                if key & TOPS as u64 == 0 && key & 0xffff_ffff != u64::from(u32::from_le_bytes(*b"xn--")) {
                    return tld::of_packed(key);
                }
            } else {
                let key = (all | FOLD) & !0 >> (128 - 8 * len.min(16));
                if key & TOPS == 0 && key as u32 != u32::from_le_bytes(*b"xn--") {
                    return tld::of_packed_long(key);
                }
            }
            tld::of(&text.buf[start..end])
        }
        _ => tld::of(&text.buf[start..end]),
    }
}

/// Whether the label after the dot at `dot` of a run that ends at `end` may be one with which a name ends though more is glued
/// to it, as in `www.example.com-access`, `example.com.log`, `db.corp.internal_443`. True too often, never too seldom.
#[inline(always)]
pub fn may_be_glued(text: &Text<'_>, dot: usize, end: usize) -> bool {
    /// The first three letters of [`SURE`], a bit for each hash.
    const STARTS: u64 = {
        let mut starts = 0;
        let mut i = 0;
        while i < SURE.len() {
            starts |= 1 << hash_of_three(u32::from_le_bytes([SURE[i][0], SURE[i][1], SURE[i][2], 0]));
            i += 1;
        }
        starts
    };
    let Some(four) = text.buf.get(dot + 1..dot + 5) else { return true };
    let first = u32::from_le_bytes(four.try_into().expect("four bytes were taken"));
    STARTS >> hash_of_three(first) & 1 != 0 && is_sure(four, dot + 4 >= end)
}

const fn hash_of_three(letters: u32) -> u32 {
    (letters << 8).wrapping_mul(0x9E37_79B1) >> 26
}

/// Whether a label that begins with these bytes may be in [`SURE`]; `ends` says that it has no more than three.
fn is_sure(four: &[u8], ends: bool) -> bool {
    let ends = ends || !(four[3].is_ascii_alphanumeric() || four[3] >= 0x80);
    SURE.iter().any(|sure| if sure.len() == 3 { ends && four[..3] == **sure } else { four == &sure[..4] })
}

/// Last labels that are sure enough to end a name in the middle of a run.
const SURE: [&[u8]; 8] = [b"com", b"net", b"org", b"internal", b"local", b"corp", b"lan", b"example"];

/// A host name that something is glued to: `www.example.com-access`, `example.com.log`, `db.corp.internal_443`.
fn within(text: &Text<'_>, start: usize, end: usize) -> Option<(usize, usize)> {
    let mut at = start;
    let mut label = start;
    let mut best = None;
    while at <= end {
        if at == end || matches!(text.buf[at], b'.' | b'-' | b'_') {
            let word = &text.buf[label..at];
            if label > start
                && text.buf[label - 1] == b'.'
                && SURE.contains(&word)
                && (word.len() == 3 || ends_as_file(&text.buf[at..end]))
                && !is_network(text, start, label - 1, at, end)
            {
                best = Some((label - 1, at));
            }
            label = at + 1;
        }
        at += 1;
    }
    let (dot, end) = best?;
    judge_tail(text, start, end, dot, Tail::Host)
}

/// `redis.net.input`: in the names of metrics and keys `net` is a network's part, behind what is measured there. A domain has
/// more labels, or a mark of hosts.
fn is_network(text: &Text<'_>, start: usize, dot: usize, at: usize, end: usize) -> bool {
    let head = &text.buf[start..dot];
    text.place == Place::Name
        && text.buf[dot + 1..at] == *b"net"
        && at < end
        && text.buf[at] == b'.'
        && head.iter().all(|byte| byte.is_ascii_lowercase() || *byte == b'_')
}

/// What is glued to a name of a private network is a file's extension or a part of its name; in the middle of a run those
/// suffixes are words of programs otherwise.
fn ends_as_file(rest: &[u8]) -> bool {
    const EXTENSIONS: [&[u8]; 20] = [
        b"log", b"key", b"crt", b"pem", b"conf", b"json", b"txt", b"gz", b"bak", b"csv", b"cer", b"pfx", b"sch",
        b"yml", b"yaml", b"xml", b"cfg", b"db", b"pid", b"zone",
    ];
    match rest {
        [] | [b'-' | b'_', ..] => true,
        [b'.', rest @ ..] => EXTENSIONS.contains(&rest),
        _ => false,
    }
}

#[inline(never)]
fn judge_tail(text: &Text<'_>, start: usize, mut end: usize, dot: usize, mut tail: Tail) -> Option<(usize, usize)> {
    let mut start = text.past_escape(start);
    while start < dot && text.buf[start] == b'-' {
        start += 1;
    }
    if start >= dot {
        return None;
    }
    if tail == Tail::No {
        if let Some(glued) = within(text, start, end) {
            return Some(glued);
        }
        if !matches!(text.buf[end - 1], b'-' | b'_') {
            return None;
        }
        while matches!(text.buf[end - 1], b'-' | b'_') {
            end -= 1;
        }
        tail = tld::of(&text.buf[dot + 1..end]);
        if tail == Tail::No {
            return None;
        }
    }
    let name = Name { text, start, end, dot };
    if end - start > LONGEST {
        return name.shortened();
    }
    (name.is_host(tail) && !is_token(&text.buf[start..end])).then_some((start, end))
}

struct Name<'a> {
    text: &'a Text<'a>,
    start: usize,
    end: usize,
    /// The last one.
    dot: usize,
}

impl Name<'_> {
    fn bytes(&self) -> &[u8] {
        &self.text.buf[self.start..self.end]
    }

    fn head(&self) -> &[u8] {
        &self.text.buf[self.start..self.dot]
    }

    fn tail(&self) -> &[u8] {
        &self.text.buf[self.dot + 1..self.end]
    }

    /// The first label.
    fn first(&self) -> &[u8] {
        let head = self.head();
        &head[..head.iter().position(|&byte| byte == b'.').unwrap_or(head.len())]
    }

    /// No name is that long, but the end of one may be there.
    fn shortened(&self) -> Option<(usize, usize)> {
        let from = self.end - LONGEST;
        let cut = (from..self.dot).find(|&i| self.text.buf[i] == b'.')? + 1;
        (cut < self.dot).then_some((cut, self.end))
    }

    fn is_host(&self, tail: Tail) -> bool {
        let by_itself = match tail {
            Tail::No | Tail::File => false,
            Tail::Host => {
                self.is_written_as_host() && !self.is_package() && !self.is_public_namespace() && !self.is_key()
            }
            Tail::Ambiguous => self.speaks_for_a_host() && self.is_written_as_host() && !self.is_package(),
        };
        by_itself || tail != Tail::No && self.is_named_by_place()
    }

    /// A scheme, a user or a key before it says that a host follows.
    fn is_named_by_place(&self) -> bool {
        let text = self.text;
        matches!(text.at(self.start.wrapping_sub(1)), b'/' if text.at(self.start.wrapping_sub(2)) == b'/')
            || text.at(self.start.wrapping_sub(1)) == b'@' && self.start - 1 > text.start
            || self.bytes().starts_with(b"www.")
            || text.names_address(self.start)
    }

    /// Class and method names have capitals where host names have none.
    fn is_written_as_host(&self) -> bool {
        let tail = self.tail();
        let head = self.head();
        if tail[0].is_ascii_uppercase() {
            let shouted = tail.iter().all(u8::is_ascii_uppercase);
            let platform = tail == b"NET" && self.first().len() == head.len();
            return shouted && !platform && (tail.len() > 2 || !head.iter().any(u8::is_ascii_lowercase));
        }
        if self.text.at(self.end) == b'(' && !self.text.at(self.end + 1).is_ascii_digit() {
            return false;
        }
        // Of two letters at the end of numbers or of mixed case.
        let is_number = || head.iter().all(|byte| byte.is_ascii_digit() || *byte == b'.');
        let is_camel =
            || has_capital(head) && head.windows(2).any(|w| w[0].is_ascii_lowercase() && w[1].is_ascii_uppercase());
        tail.len() != 2 || !is_number() && !is_camel()
    }

    /// `org.apache.commons.io`, `com.acme.internal`: a domain backwards.
    fn is_package(&self) -> bool {
        let tail = self.tail();
        if matches!(tail, b"com" | b"org" | b"edu" | b"gov") {
            return false;
        }
        let first = self.first();
        let backwards = PACKAGES.contains(&first);
        backwards
            && (tail.len() > 2 || tail == b"io" || tail == b"is" || first.len() < self.head().len() && first != b"io")
    }

    /// Namespaces that everyone uses and nobody hides: label keys, module paths, image registries.
    fn is_public_namespace(&self) -> bool {
        const ALWAYS: [&[u8]; 6] =
            [b"kubernetes.io", b"k8s.io", b"opentelemetry.io", b"istio.io", b"socket.io", b"cncf.io"];
        const AS_PATH: [&[u8]; 18] = [
            b"github.com",
            b"gitlab.com",
            b"golang.org",
            b"gopkg.in",
            b"go.uber.org",
            b"google.golang.org",
            b"docker.io",
            b"gcr.io",
            b"quay.io",
            b"ghcr.io",
            b"cloud.google.com",
            b"bitbucket.org",
            b"go.etcd.io",
            b"cert-manager.io",
            b"argoproj.io",
            b"linkerd.io",
            b"go.mongodb.org",
            b"gorm.io",
        ];
        let name = self.bytes();
        let path_follows = self.text.at(self.end) == b'/' && self.text.at(self.end + 1).is_ascii_alphanumeric();
        self.tail() == b"io"
            && ALWAYS
                .iter()
                .any(|end| name.ends_with(end) && (name.len() == end.len() || name[name.len() - end.len() - 1] == b'.'))
            || path_follows && AS_PATH.contains(&name)
    }

    /// `system.disk.io`, `user.home`, `env.test`: names of things in programs.
    fn is_key(&self) -> bool {
        let tail = self.tail();
        let head = self.head();
        match tail {
            b"home" => {
                matches!(head, b"java" | b"user" | b"catalina" | b"jboss" | b"maven" | b"hadoop" | b"spark" | b"kafka")
            }
            b"private" | b"domain" | b"local" | b"internal" | b"example" | b"svc" | b"loc" | b"bit" => {
                self.text.place == Place::Name && !self.has_host_marks()
            }
            // Ids of errors (`token-auth.invalid`) end as examples of hosts do.
            b"invalid" => {
                self.first().len() == head.len() && !head.iter().any(u8::is_ascii_digit)
                    || self.text.place == Place::Name && !self.has_host_marks()
            }
            _ => tail.len() == 2 && self.text.place == Place::Name && !self.has_host_marks(),
        }
    }

    /// A label with a hyphen or a number at its end, as names of machines have.
    fn has_host_marks(&self) -> bool {
        let head = self.head();
        head.contains(&b'-')
            || head.split(|&byte| byte == b'.').any(|label| label.last().is_some_and(u8::is_ascii_digit))
    }

    /// `10.0.20348.1607.cat`: a version and an extension.
    fn is_numbered_file(&self) -> bool {
        self.head().iter().all(|byte| byte.is_ascii_digit() || *byte == b'.')
    }

    /// `index.php.save`: an extension, and what a copy was marked with.
    fn is_file_with_more(&self) -> bool {
        const EXTENSIONS: [&[u8]; 16] = [
            b"php", b"html", b"htm", b"js", b"css", b"json", b"xml", b"txt", b"log", b"conf", b"sql", b"csv", b"tar",
            b"py", b"sh", b"exe",
        ];
        let head = self.head();
        let last = memchr::memrchr(b'.', head).map_or(head, |dot| &head[dot + 1..]);
        last.len() < head.len() && EXTENSIONS.contains(&last)
    }

    /// `shop.online/cart.php?item=1`, as proxies and firewalls write addresses: a path and a query, and nothing before it.
    fn is_url_without_scheme(&self) -> bool {
        let text = self.text;
        let begins =
            matches!(text.at(self.start.wrapping_sub(1)), 0 | b' ' | b'"' | b'\'' | b'=' | b',' | b'\t' | b'(' | b'<');
        if !begins || text.at(self.end) != b'/' {
            return false;
        }
        let path = &text.buf[self.end..text.end.min(self.end + 256)];
        let path = path.split(|b| b.is_ascii_whitespace() || matches!(b, b'"' | b'\'')).next().unwrap_or_default();
        let query = memchr::memchr(b'?', path).map_or(&[][..], |at| &path[at..]);
        query.contains(&b'=')
    }

    /// A tail that may be a word counts only with two things more.
    fn speaks_for_a_host(&self) -> bool {
        const FIRSTS: [&[u8]; 24] = [
            b"api", b"mail", b"smtp", b"imap", b"mx", b"ns1", b"ns2", b"ftp", b"vpn", b"web", b"auth", b"login",
            b"admin", b"cdn", b"static", b"dev", b"staging", b"prod", b"proxy", b"gw", b"gateway", b"git", b"ldap",
            b"ntp",
        ];
        let text = self.text;
        let lower = !self.bytes().iter().any(u8::is_ascii_uppercase);
        let port = text.at(self.end) == b':' && (1..=3).all(|i| text.at(self.end + i).is_ascii_digit());
        if !lower || self.bytes().contains(&b'_') || matches!(text.at(self.end), b'(' | b'=') {
            return false;
        }
        let labels = 2 + self.head().iter().filter(|&&byte| byte == b'.').count();
        let first = self.first();
        if self.is_numbered_file() || self.is_file_with_more() {
            return false;
        }
        let marked =
            self.head().contains(&b'-') || first.last().is_some_and(u8::is_ascii_digit) || self.tail() == b"test";
        port || self.is_url_without_scheme()
            || labels >= 3 && text.place != Place::Name && first != b"k8s" && (marked || FIRSTS.contains(&first))
    }
}

/// With these labels packages begin.
const PACKAGES: [&[u8]; 17] = [
    b"com",
    b"org",
    b"net",
    b"io",
    b"java",
    b"javax",
    b"jakarta",
    b"jdk",
    b"sun",
    b"edu",
    b"kotlin",
    b"scala",
    b"android",
    b"androidx",
    b"system",
    b"microsoft",
    b"process",
];

/// Whether a label may be in [`PACKAGES`], by its first eight bytes, the first lowest. True too often, never too seldom.
#[inline(always)]
fn may_be_package(label: u64) -> bool {
    const LABELS: [u64; 16] = {
        let mut labels = [0; 16];
        let mut i = 0;
        while i < PACKAGES.len() {
            let mut label = 0;
            let mut at = 0;
            while at < 8 && at < PACKAGES[i].len() {
                label |= (PACKAGES[i][at] as u64) << (8 * at);
                at += 1;
            }
            labels[hash_of_label(label) / 64] |= 1 << (hash_of_label(label) % 64);
            i += 1;
        }
        labels
    };
    LABELS[hash_of_label(label) / 64] >> (hash_of_label(label) % 64) & 1 != 0
}

const fn hash_of_label(label: u64) -> usize {
    (label.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 54) as usize
}

/// Whether one of the bytes may be a capital letter: never false where one is.
fn has_capital(bytes: &[u8]) -> bool {
    // Lower case, digits, `-` and `.` have this bit.
    bytes.iter().fold(0xff, |all, byte| all & byte) & 0x20 == 0
}

/// Whether the name is one of our own tokens: a label `h<epoch><16 characters>` for each label, then perhaps a public
/// suffix that was kept.
pub fn is_token(name: &[u8]) -> bool {
    if !matches!(name, [b'h', b'0'..=b'9', ..]) {
        return false;
    }
    let mut rest = name;
    let mut labels = 0;
    while !rest.is_empty() {
        let len = rest.iter().position(|&byte| byte == b'.').unwrap_or(rest.len());
        if !is_token_label(&rest[..len], b'h', 16) {
            break;
        }
        labels += 1;
        rest = &rest[(len + 1).min(rest.len())..];
    }
    labels > 0 && (rest.is_empty() || rest == b"invalid" || psl::suffix(rest).is_some_and(|suffix| suffix == rest))
}

/// A letter, the epoch's number, `len` characters of Crockford's base32 in lower case.
pub fn is_token_label(label: &[u8], letter: u8, len: usize) -> bool {
    let Some(epoch) = label.len().checked_sub(1 + len) else { return false };
    (1..=10).contains(&epoch)
        && label[0] == letter
        && label[1..=epoch].iter().all(u8::is_ascii_digit)
        && label[1 + epoch..].iter().all(
            |byte| matches!(byte, b'0'..=b'9' | b'a'..=b'h' | b'j' | b'k' | b'm' | b'n' | b'p'..=b't' | b'v'..=b'z'),
        )
}
