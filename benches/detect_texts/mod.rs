//! Texts like those of security logs: about eight strings a record, 27 bytes in the mean.

/// Texts that lie in one buffer like the strings of a request.
pub struct Texts {
    pub buf: Vec<u8>,
    pub ranges: Vec<(u32, u32)>,
}

impl Texts {
    fn new() -> Texts {
        Texts { buf: Vec::new(), ranges: Vec::new() }
    }

    fn add(&mut self, text: &str) {
        // Key and value as OTLP has them: a tag and a length before each.
        self.buf.extend_from_slice(&[0x0a, 3, b'k', b'e', b'y', 0x12, text.len() as u8 + 2, 0x0a, text.len() as u8]);
        let start = self.buf.len() as u32;
        self.buf.extend_from_slice(text.as_bytes());
        self.ranges.push((start, self.buf.len() as u32));
    }

    fn finish(mut self) -> Texts {
        self.buf.extend_from_slice(&[0; 64]);
        self
    }
}

/// A small generator, so that every run has the same texts.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }

    fn of<'a>(&mut self, words: &[&'a str]) -> &'a str {
        words[self.below(words.len() as u64) as usize]
    }

    fn v4(&mut self) -> String {
        let first = self.of(&["10", "172", "192", "203", "198", "185", "45", "89"]);
        format!("{first}.{}.{}.{}", self.below(256), self.below(256), self.below(255) + 1)
    }

    fn host(&mut self) -> String {
        let role = self.of(&["web", "db", "auth", "mail", "vpn", "build", "cache", "checkout"]);
        let site = self.of(&["prod", "stage", "fra1", "corp"]);
        format!(
            "{role}-{}.{site}.{}",
            self.below(60),
            self.of(&["acme.internal", "example.com", "svc.cluster.local", "acme.de"])
        )
    }

    fn email(&mut self) -> String {
        let name = self.of(&["alice", "bob.smith", "carol+ops", "dave_k", "erin"]);
        format!("{name}{}@{}", self.below(90), self.of(&["example.com", "mail.acme.de", "corp.example.org"]))
    }
}

/// Spans in each record of [`dense`].
pub const DENSE_PER_RECORD: usize = 5;

#[allow(dead_code)]
pub fn dense(records: u32) -> Texts {
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    let mut texts = Texts::new();
    for _ in 0..records {
        let port = random.below(60000) + 1024;
        let v4 = random.v4();
        match random.below(4) {
            0 => texts.add(&format!("Failed password for invalid user admin from {v4} port {port} ssh2")),
            1 => texts.add(&format!("connection from {v4}:{port} refused by policy deny-all")),
            2 => texts.add(&format!("{v4} - - \"GET /api/v1/items?page=2 HTTP/1.1\" 200 5123")),
            _ => texts.add(&format!("session opened for user deploy by (uid=0) rhost={v4}")),
        }
        let host = random.host();
        texts.add(&host);
        if random.below(8) == 0 {
            texts.add(&format!("2001:db8:{:x}::{:x}", random.below(0xffff), random.below(0xffff) + 1));
        } else {
            let v4 = random.v4();
            texts.add(&v4);
        }
        let email = random.email();
        texts.add(&email);
        let host = random.host();
        texts.add(&format!("https://{host}/login"));
        clean_values(&mut random, &mut texts, 3);
    }
    texts.finish()
}

#[allow(dead_code)]
pub fn clean(records: u32) -> Texts {
    let mut random = Random(0x2545_f491_4f6c_dd1d);
    let mut texts = Texts::new();
    for _ in 0..records {
        let n = random.below(1000);
        match random.below(4) {
            0 => texts.add(&format!("request finished in {n}.{}ms with status 200", random.below(100))),
            1 => texts.add(&format!("worker job.done queue=default attempt {n} of 1000")),
            2 => texts.add(&format!("flushed {n} records to segment 0{n}.log in 4.2 s")),
            _ => texts.add(&format!("GET /api/v1/items/{n} completed, cache miss")),
        }
        clean_values(&mut random, &mut texts, 7);
    }
    texts.finish()
}

fn clean_values(random: &mut Random, texts: &mut Texts, count: usize) {
    for _ in 0..count {
        let n = random.below(10_000);
        match random.below(8) {
            0 => texts.add("src/worker/batch.rs"),
            1 => texts.add(&format!("checkout-service-{n}")),
            2 => texts.add(random.of(&["1.24.3", "v2.1.0-rc.1", "2026-11-21T22:00:01.123Z"])),
            3 => texts.add(&format!("4bf92f3577b34da6a3ce929d0e0e{n:04}")),
            4 => texts.add(random.of(&["com.acme.billing.Invoice", "opentelemetry.sdk.trace", "io.netty.channel.nio"])),
            5 => texts.add(&format!("/var/lib/app/data/{n}.json")),
            6 => texts.add(&format!("thread-pool-{n} executor")),
            _ => texts.add(random.of(&["INFO", "authentication_failure", "GET", "application/json", "eu-central-1"])),
        }
    }
}
