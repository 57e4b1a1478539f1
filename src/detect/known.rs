//! Names that the batch itself gives away: what `host.name` and the like say of a resource, and what one place of a record
//! says of a host, looked for in the free text under them.

use super::{Entity, Span, Writing};
use crate::scan::fingerprint::{self, Fingerprint};

/// Longer ones are no host names (RFC 1035).
const MAX_NAME: usize = 253;

/// What stands where a host's name would when there is none.
const NO_NAMES: [&[u8]; 11] =
    [b"unknown", b"undefined", b"default", b"none", b"null", b"nil", b"nan", b"true", b"false", b"host", b"hostname"];

/// Each machine's own name for itself, and what programs call themselves.
const OWN_NAMES: [&[u8]; 7] = [b"localhost", b"localdomain", b"local", b"internal", b"self", b"this", b"name"];

/// Words that name a host only to those who call one so: they are believed of a resource, and in the place of a host, but what
/// is learnt from a text is not looked for if it is one.
const WORDS: [&[u8]; 19] = [
    b"node",
    b"server",
    b"test",
    b"client",
    b"user",
    b"root",
    b"system",
    b"service",
    b"machine",
    b"dns",
    b"web",
    b"app",
    b"api",
    b"http",
    b"https",
    b"backend",
    b"frontend",
    b"main",
    b"mail",
];

/// What hosts are called that serve one program, as containers are: beside `server.address` of `redis` stand `db.system` and
/// `redis.command`. What a record says of a host is not looked for elsewhere if it is one.
const PROGRAMS: [&[u8]; 84] = [
    b"activemq",
    b"airflow",
    b"apache",
    b"cassandra",
    b"clickhouse",
    b"collector",
    b"consul",
    b"couchbase",
    b"couchdb",
    b"docker",
    b"elastic",
    b"elasticsearch",
    b"envoy",
    b"etcd",
    b"fluentd",
    b"ftp",
    b"gitlab",
    b"grafana",
    b"grpc",
    b"hadoop",
    b"haproxy",
    b"hbase",
    b"hdfs",
    b"hive",
    b"httpd",
    b"influxdb",
    b"ingress",
    b"jaeger",
    b"jenkins",
    b"keycloak",
    b"kibana",
    b"kubernetes",
    b"ldap",
    b"linux",
    b"localstack",
    b"logstash",
    b"loki",
    b"mariadb",
    b"memcached",
    b"minio",
    b"mongo",
    b"mongodb",
    b"mssql",
    b"nats",
    b"neo4j",
    b"network",
    b"opensearch",
    b"oracle",
    b"otel",
    b"otelcol",
    b"php",
    b"podman",
    b"postgresql",
    b"prometheus",
    b"pulsar",
    b"python",
    b"rabbitmq",
    b"remote",
    b"scylla",
    b"sidecar",
    b"spark",
    b"splunk",
    b"sqlserver",
    b"squid",
    b"ssh",
    b"sshd",
    b"syslog",
    b"systemd",
    b"tempo",
    b"temporal",
    b"tomcat",
    b"traefik",
    b"valkey",
    b"vault",
    b"windows",
    b"www-data",
    b"yarn",
    b"zipkin",
    b"zookeeper",
    b"db",
    b"sql",
    b"local",
    b"console",
    b"host",
];

/// First labels of dotted names that are words of every log.
const ROLES: [&[u8]; 32] = [
    b"mail",
    b"smtp",
    b"imap",
    b"proxy",
    b"gateway",
    b"router",
    b"static",
    b"assets",
    b"images",
    b"blog",
    b"docs",
    b"status",
    b"admin",
    b"login",
    b"auth",
    b"backend",
    b"frontend",
    b"database",
    b"postgres",
    b"mysql",
    b"redis",
    b"kafka",
    b"nginx",
    b"monitor",
    b"metrics",
    b"logs",
    b"cache",
    b"queue",
    b"worker",
    b"master",
    b"primary",
    b"storage",
];

/// Which pairs of neighbouring bytes stand in a text, whatever their case, thrown into 64 bits: a name can stand only where
/// all of its pairs do. Worked out once for a text that is remembered, it spares looking at the text again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pairs(u64);

impl Pairs {
    pub fn of(text: &[u8]) -> Pairs {
        let bit = |pair: &[u8]| {
            let pair = u32::from(pair[0] | 0x20) << 8 | u32::from(pair[1] | 0x20);
            1 << (pair.wrapping_mul(0x9E37_79B1) >> 26)
        };
        Pairs(text.windows(2).fold(0, |bits, pair| bits | bit(pair)))
    }
}

/// The names known for the resource and record at hand. Its memory is reused: adding allocates only while it grows.
#[derive(Clone, Debug, Default)]
pub struct Known {
    bytes: Vec<u8>,
    names: Vec<Name>,
    /// What tells where a name may stand. A dotted name has none of its own where its first label is a name, too.
    fingerprints: Vec<Fingerprint>,
    pairs: Vec<Pairs>,
}

#[derive(Clone, Copy, Debug)]
struct Name {
    start: u32,
    end: u32,
    fingerprint: Fingerprint,
    /// How many names there were before it that do not stand only where another does.
    told_before: u32,
}

/// Where a [`Known`] stood, to go back to: names learned within a record are forgotten after it.
#[derive(Clone, Copy, Debug)]
pub struct Mark(usize);

impl Known {
    pub fn clear(&mut self) {
        self.forget(Mark(0));
    }

    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    pub fn mark(&self) -> Mark {
        Mark(self.names.len())
    }

    /// Forgets the names that were added after `mark`.
    pub fn forget(&mut self, mark: Mark) {
        if let Some(name) = self.names.get(mark.0) {
            self.bytes.truncate(name.start as usize);
            self.fingerprints.truncate(name.told_before as usize);
            self.pairs.truncate(name.told_before as usize);
        }
        self.names.truncate(mark.0);
    }

    /// Adds a host's name that a resource gives, and of a dotted one the first label where that is specific. What stands in
    /// place of a name (`unknown`), addresses, and what is too short to be told from words are not added. Says whether
    /// anything was.
    pub fn add(&mut self, name: &[u8]) -> bool {
        self.add_if(name, |name| is_distinct(name) && !is_no_name(name))
    }

    /// Adds a host's name that a text gave away, as [`Known::add`] does, but no words that texts have anyway (`localhost`,
    /// `server`), and of a host no names of programs (`redis`).
    pub fn learn(&mut self, name: &[u8], of_host: bool) -> bool {
        if of_host && (is_role(name) || is_program(name)) {
            return false;
        }
        self.add_if(name, |name| is_distinct(name) && !is_placeholder(name) && !is_common(name))
    }

    fn add_if(&mut self, name: &[u8], wanted: fn(&[u8]) -> bool) -> bool {
        let name = name.trim_ascii();
        let name = name.strip_suffix(b".").unwrap_or(name);
        if !is_name(name) {
            return false;
        }
        let first = &name[..memchr::memchr(b'.', name).unwrap_or(name.len())];
        // Where the whole name stands, its first label does.
        let labelled = first.len() < name.len() && is_specific(first);
        let added = self.add_word(name, wanted(name), !labelled);
        added | self.add_word(first, labelled, true)
    }

    fn add_word(&mut self, name: &[u8], wanted: bool, told_by_itself: bool) -> bool {
        if !wanted || self.names.iter().any(|known| self.text(known).eq_ignore_ascii_case(name)) {
            return false;
        }
        let start = self.bytes.len() as u32;
        self.bytes.extend_from_slice(name);
        let (end, told_before) = (self.bytes.len() as u32, self.fingerprints.len() as u32);
        let fingerprint = Fingerprint::of(name);
        self.names.push(Name { start, end, fingerprint, told_before });
        if told_by_itself {
            self.fingerprints.push(fingerprint);
            self.pairs.push(Pairs::of(name));
        }
        true
    }

    fn text(&self, name: &Name) -> &[u8] {
        &self.bytes[name.start as usize..name.end as usize]
    }

    /// Appends a span for every place of `buf[start..end]` at which one of the names stands as a word of its own: between
    /// bytes that are neither letters nor digits. In no order, and a name's first label also where the whole name stands.
    #[inline]
    pub fn find_in(&self, buf: &[u8], start: usize, end: usize, spans: &mut Vec<Span>) {
        if self.may_stand(buf, start, end) {
            self.verify(buf, start, end, spans);
        }
    }

    /// Whether one of the names may stand in `buf[start..end]`: never false where one does.
    #[inline]
    pub fn may_stand(&self, buf: &[u8], start: usize, end: usize) -> bool {
        !self.names.is_empty() && fingerprint::any(buf, start, end, &self.fingerprints)
    }

    /// Whether one of the names may stand in a text of these pairs: never false where one does.
    #[inline]
    pub fn may_stand_among(&self, text: Pairs) -> bool {
        self.pairs.iter().any(|name| name.0 & !text.0 == 0)
    }

    #[inline(never)]
    fn verify(&self, buf: &[u8], start: usize, end: usize, spans: &mut Vec<Span>) {
        let text = &buf[start..end];
        for known in &self.names {
            let name = self.text(known);
            let mut free = 0;
            fingerprint::each(buf, start, end, known.fingerprint, &mut |at| {
                let (at, behind) = (at - start, at - start + name.len());
                if at >= free
                    && text.len() >= behind
                    && text[at..behind].eq_ignore_ascii_case(name)
                    && stands_alone(text, at, behind)
                {
                    let (start, end) = ((start + at) as u32, (start + behind) as u32);
                    spans.push(Span { start, end, entity: Entity::Host, writing: Writing::Plain, address: 0 });
                    free = behind;
                }
            });
        }
    }
}

/// Whether neither side of `text[start..end]` goes on with a letter or digit (bytes above ASCII are letters), an escape
/// such as the `\n` before it apart.
pub(super) fn stands_alone(text: &[u8], start: usize, end: usize) -> bool {
    let escape = start >= 2 && text[start - 2] == b'\\' && matches!(text[start - 1], b'n' | b't' | b'r');
    let before = start == 0 || !is_word(text[start - 1]) || escape;
    before && text.get(end).is_none_or(|&b| !is_word(b))
}

pub(super) const fn is_word(b: u8) -> bool {
    b.is_ascii_alphanumeric() || b >= 0x80
}

fn is_name(name: &[u8]) -> bool {
    let shaped = |b: &u8| is_word(*b) || matches!(b, b'-' | b'_' | b'.');
    let digits = |b: &u8| b.is_ascii_digit() || *b == b'.';
    let ends = |b: Option<&u8>| b.is_some_and(|&b| is_word(b));
    (2..=MAX_NAME).contains(&name.len())
        && name.iter().all(shaped)
        && ends(name.iter().find(|b| **b != b'_'))
        && ends(name.last())
        && !name.iter().all(digits)
}

/// Whether a name can be looked for in texts without hitting words all over.
fn is_distinct(name: &[u8]) -> bool {
    name.len() >= 3 || name.iter().any(u8::is_ascii_digit)
}

fn is_common(name: &[u8]) -> bool {
    WORDS.iter().any(|word| word.eq_ignore_ascii_case(name))
}

fn is_role(name: &[u8]) -> bool {
    ROLES.iter().any(|role| role.eq_ignore_ascii_case(name))
}

fn is_program(name: &[u8]) -> bool {
    PROGRAMS.iter().any(|program| program.eq_ignore_ascii_case(name))
}

fn is_no_name(name: &[u8]) -> bool {
    NO_NAMES.iter().any(|word| word.eq_ignore_ascii_case(name))
}

/// Whether a word stands where a host's name would without being one.
pub(super) fn is_placeholder(name: &[u8]) -> bool {
    is_no_name(name) || OWN_NAMES.iter().any(|word| word.eq_ignore_ascii_case(name))
}

/// Whether a label names one host even without its domain: `web-1`, `mordordc`, but not `www` or `mail`.
fn is_specific(label: &[u8]) -> bool {
    let marked = label.iter().any(|b| b.is_ascii_digit() || *b == b'-');
    let all_digits = label.iter().all(|b| b.is_ascii_digit());
    let long = label.len() >= 5 || (marked && label.len() >= 3);
    long && !all_digits && !is_placeholder(label) && !is_common(label) && !is_role(label)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(names: &[&str], text: &str) -> Vec<String> {
        let mut known = Known::default();
        for name in names {
            known.add(name.as_bytes());
        }
        let mut spans = Vec::new();
        known.find_in(text.as_bytes(), 0, text.len(), &mut spans);
        spans.iter().map(|span| text[span.start as usize..span.end as usize].to_owned()).collect()
    }

    #[test]
    fn a_known_name_is_found_as_a_word_in_any_case() {
        let text = "WEB-1 up; host_web-1_cpu, sosreport-web-1-2026 (web-1) web-10 myweb-1 web-1.";
        assert_eq!(found(&["web-1"], text), ["WEB-1", "web-1", "web-1", "web-1", "web-1"]);
        assert_eq!(found(&["web-1"], r"line\nweb-1\tup"), ["web-1"]);
    }

    #[test]
    fn of_a_dotted_name_the_first_label_is_looked_for_where_it_is_specific() {
        assert_eq!(found(&["db-7.corp.example"], "db-7 is DB-7.corp.example"), ["DB-7.corp.example", "db-7", "DB-7"]);
        assert_eq!(found(&["mail.corp.example"], "mail sent by mail.corp.example"), ["mail.corp.example"]);
        assert_eq!(found(&["mordordc.corp.example"], "on MORDORDC"), ["MORDORDC"]);
        assert_eq!(found(&["zork.corp.example"], "zork"), [""; 0], "four letters are a word");
        assert_eq!(found(&["db-7.corp.example."], "on db-7.corp.example"), ["db-7.corp.example", "db-7"]);
        assert_eq!(found(&["a-1-a"], "a-1-a-1-a"), ["a-1-a"], "what is found is not found again within");
    }

    #[test]
    fn placeholders_addresses_and_words_too_short_are_not_known() {
        let mut known = Known::default();
        for name in
            ["Unknown", "default", "", "-", "a", "ab", "10.0.0.1", "12345", "a b", "fe80::1", "hostname", "x\"y"]
        {
            assert!(!known.add(name.as_bytes()), "{name}");
        }
        assert!(known.is_empty());
        assert!(known.add(b"b1"));
        assert!(known.add(b"_vhost"));
    }

    #[test]
    fn a_text_has_the_pairs_of_every_name_in_it() {
        let mut known = Known::default();
        known.add(b"web-1.corp.example");
        for text in ["WEB-1.Corp.Example", "on web-1 now", "(web-1)"] {
            assert!(known.may_stand_among(Pairs::of(text.as_bytes())), "{text}");
        }
        for text in ["", "w", "web-2", "GET", "/api/v2/orders", "established"] {
            assert!(!known.may_stand_among(Pairs::of(text.as_bytes())), "{text}");
        }
    }

    #[test]
    fn words_are_believed_of_a_resource_but_not_learnt_from_a_text() {
        let mut known = Known::default();
        for name in ["localhost", "server", "Node", "redis", "Kafka", "mysql", "Windows", "postgres"] {
            assert!(!known.learn(name.as_bytes(), true), "{name}");
            assert!(known.add(name.as_bytes()), "{name}");
        }
        assert!(known.learn(b"canyon", true));
        assert!(known.learn(b"oracle", false), "an account");
    }

    #[test]
    fn what_a_record_taught_is_forgotten_after_it() {
        let mut known = Known::default();
        known.add(b"web-1");
        let mark = known.mark();
        known.add(b"fw01.corp.example");
        known.forget(mark);
        assert_eq!(known.bytes, b"web-1");
        let mut spans = Vec::new();
        known.find_in(b"fw01 web-1 fw01.corp.example", 0, 28, &mut spans);
        assert_eq!(spans.len(), 1);
        known.clear();
        assert!(known.is_empty());
    }
}
