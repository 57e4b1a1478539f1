//! `h7q2m….h7x0w…`: for each label `h`, the epoch, and 80 bits of HMAC-SHA256 over the label's whole suffix, so names under
//! one domain share their tail and nothing else. The public suffix may be kept.

use std::sync::Mutex;

use ring::hmac;

use super::super::cache::Cache;
use super::super::canon::MAX_HOST;
use super::{base32, is_epoch, public_suffix, write_epoch};

const BODY: usize = 16;

/// What stands after the tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// Nothing: the last label has a token, too.
    Nothing,
    /// The name's public suffix, if the list knows it.
    PublicSuffix,
    /// `.invalid` (RFC 2606): parsers see a host name, and no mail goes anywhere.
    Invalid,
}

/// The token strings of parent domains. Shared by all workers, and never waited for.
pub struct Parents(Mutex<Cache>);

impl Parents {
    pub fn new(entries: usize) -> Parents {
        Parents(Mutex::new(Cache::new(entries)))
    }

    /// Hands over the remembered tokens of `parent`, or makes them.
    fn get(&self, namespace: u16, parent: &str, out: &mut Vec<u8>, make: impl Fn(&mut Vec<u8>)) {
        match self.0.try_lock() {
            Ok(mut cache) => out.extend_from_slice(cache.text(namespace, parent.as_bytes(), make)),
            Err(_) => make(out),
        }
    }
}

/// Writes the tokens of a canonical host name. `namespace` tells the keys apart in `parents`; it is less than 2¹⁵.
pub fn write(
    key: &hmac::Key,
    epoch: u32,
    name: &str,
    ending: Ending,
    parents: &Parents,
    namespace: u16,
    out: &mut Vec<u8>,
) {
    let kept = match ending {
        Ending::Nothing => "",
        Ending::PublicSuffix => public_suffix::of(name).unwrap_or(""),
        Ending::Invalid => "invalid",
    };
    let keeps_suffix = ending == Ending::PublicSuffix && !kept.is_empty();
    // The part whose labels become tokens: `name` without the suffix that is kept.
    let hidden = if keeps_suffix { name.len() - kept.len() - 1 } else { name.len() };
    let labels = name[..hidden].split('.').count();

    let start = out.len();
    write_label(key, epoch, name, out);
    let label_len = out.len() - start + 1;
    let most = ((MAX_HOST + 1).saturating_sub(kept.len() + 1) / label_len).max(1);

    // The suffix of which the other tokens are made: the parent, or a later one where all would be too long. The first
    // token stands for the whole name in any case.
    let others = (labels - 1).min(most - 1);
    let tail_at = match others {
        0 => hidden,
        _ => name[..hidden].rmatch_indices('.').nth(others - 1).map_or(hidden, |(dot, _)| dot + 1),
    };
    if tail_at < hidden {
        out.push(b'.');
        let namespace = namespace << 1 | u16::from(keeps_suffix);
        parents.get(namespace, &name[tail_at..], out, |out| {
            let mut at = tail_at;
            loop {
                write_label(key, epoch, &name[at..], out);
                match name[at..hidden].find('.') {
                    Some(dot) => at += dot + 1,
                    None => break,
                }
                out.push(b'.');
            }
        });
    }
    if !kept.is_empty() {
        out.push(b'.');
        out.extend_from_slice(kept.as_bytes());
    }
}

fn write_label(key: &hmac::Key, epoch: u32, suffix: &str, out: &mut Vec<u8>) {
    let mac = hmac::sign(key, suffix.as_bytes());
    out.push(b'h');
    write_epoch(epoch, out);
    base32::encode_body::<BODY>(mac.as_ref().try_into().expect("HMAC-SHA256 gives 32 bytes"), out);
}

/// One label's token or more, and nothing else or a public suffix after them.
pub fn is_token(text: &[u8]) -> bool {
    match tokens(text) {
        (0, _) => false,
        (_, b"") => true,
        (_, rest) => str::from_utf8(rest).is_ok_and(public_suffix::is_registry),
    }
}

/// How many labels at the beginning are tokens, and what comes after them and their dot.
pub fn tokens(text: &[u8]) -> (usize, &[u8]) {
    let (mut count, mut rest) = (0, text);
    while !rest.is_empty() {
        let end = rest.iter().position(|&b| b == b'.').unwrap_or(rest.len());
        let followed_by_nothing = end + 1 == rest.len();
        if !is_label(&rest[..end]) || followed_by_nothing {
            break;
        }
        count += 1;
        rest = rest.get(end + 1..).unwrap_or(b"");
    }
    (count, rest)
}

fn is_label(label: &[u8]) -> bool {
    let Some(label) = label.strip_prefix(b"h") else { return false };
    let Some((epoch, body)) = label.split_at_checked(label.len().saturating_sub(BODY)) else { return false };
    is_epoch(epoch) && body.len() == BODY && base32::is_body(body)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token_in(parents: &Parents, epoch: u32, name: &str, ending: Ending) -> String {
        let key = hmac::Key::new(hmac::HMAC_SHA256, &[3; 32]);
        let mut out = b"x".to_vec();
        write(&key, epoch, name, ending, parents, 0, &mut out);
        String::from_utf8(out).unwrap()[1..].to_owned()
    }

    fn token(name: &str, ending: Ending) -> String {
        token_in(&Parents::new(8), 7, name, ending)
    }

    #[test]
    fn names_under_one_domain_share_their_tail() {
        let web = token("web-1.prod.corp.example", Ending::Nothing);
        let db = token("db-2.prod.corp.example", Ending::Nothing);
        let other = token("web-1.test.corp.example", Ending::Nothing);
        let labels = |token: &str| token.split('.').map(str::to_owned).collect::<Vec<_>>();
        let (web, db, other) = (labels(&web), labels(&db), labels(&other));
        assert_eq!(web.len(), 4);
        assert_eq!(web[1..], db[1..]);
        assert_ne!(web[0], db[0]);
        assert_eq!(web[2..], other[2..]);
        assert_ne!(web[1], other[1]);
        assert_ne!(web[0], other[0], "the same label under another parent is another name");
        assert_eq!(token("prod.corp.example", Ending::Nothing), web[1..].join("."));
    }

    #[test]
    fn a_remembered_parent_gives_the_same_token_as_a_new_one() {
        let parents = Parents::new(1024);
        for ending in [Ending::Nothing, Ending::PublicSuffix, Ending::Invalid] {
            for name in ["a.b.example.com", "c.b.example.com", "a.b.example.com", "b.example.com", "example.com", "com"]
            {
                assert_eq!(token_in(&parents, 7, name, ending), token(name, ending), "{name}");
            }
        }
        // One that another worker is using is not waited for.
        let busy = parents.0.lock().unwrap();
        assert_eq!(
            token_in(&parents, 7, "a.b.example.com", Ending::Nothing),
            token("a.b.example.com", Ending::Nothing)
        );
        drop(busy);
    }

    #[test]
    fn the_public_suffix_is_kept_on_request_where_the_list_knows_it() {
        let kept = |name| token(name, Ending::PublicSuffix);
        assert!(kept("www.example.co.uk").ends_with(".co.uk"));
        assert_eq!(tokens(kept("www.example.co.uk").as_bytes()), (2, &b"co.uk"[..]));
        assert_eq!(tokens(kept("www.example.corp").as_bytes()), (3, &b""[..]));
        assert_eq!(tokens(kept("dev").as_bytes()), (1, &b""[..]), "a short host that is called like a suffix");
        let whole = token("www.example.co.uk", Ending::Nothing);
        assert!(whole.starts_with(kept("www.example.co.uk").strip_suffix(".co.uk").unwrap()), "the same tokens");
    }

    #[test]
    fn a_name_of_many_labels_stays_a_name() {
        for count in 1..=127 {
            let name = vec!["a"; count].join(".");
            for epoch in [0, 7, u32::MAX] {
                for ending in [Ending::Nothing, Ending::Invalid, Ending::PublicSuffix] {
                    let made = token_in(&Parents::new(8), epoch, &name, ending);
                    assert!(made.len() <= 253, "{count} labels: {}", made.len());
                    let ending_labels = usize::from(ending == Ending::Invalid);
                    assert!(made.split('.').count() <= count + ending_labels);
                }
            }
        }
        // 13 labels fit, 14 do not: the first token stands for the whole name, the rest for its last 12 labels.
        let name = |count: usize| (0..count).map(|i| format!("l{i}")).rev().collect::<Vec<_>>().join(".");
        let (fits, long) = (token(&name(13), Ending::Nothing), token(&name(14), Ending::Nothing));
        assert_eq!((fits.split('.').count(), long.split('.').count()), (13, 13));
        assert_eq!(fits.split_once('.').unwrap().1, long.split_once('.').unwrap().1);
        assert_ne!(long, token(&name(15), Ending::Nothing));
        assert_ne!(
            token(&format!("x.{}", name(14)), Ending::Nothing),
            token(&format!("y.{}", name(14)), Ending::Nothing)
        );
    }

    #[test]
    fn a_token_is_known_by_its_form() {
        for name in ["web-1", "a.example.com", "a.b.c.d.e.example.co.uk"] {
            for ending in [Ending::Nothing, Ending::PublicSuffix] {
                assert!(is_token(token(name, ending).as_bytes()), "{name}");
            }
        }
        for text in [
            "",
            ".",
            "h",
            "h7",
            "web-1.example.com",
            "h1",
            "h7deadbeef01234567",
            "deadbeefdeadbeef",
            "h7x2r22kv5exkfgt8b.",
            "h7x2r22kv5exkfgt8b.local",
            "h7x2r22kv5exkfgt8b.invalid",
            "h7x2r22kv5exkfgt8b.example.com",
            "web.h7x2r22kv5exkfgt8b",
            "h07x2r22kv5exkfgt8b",
            "hx2r22kv5exkfgt8bx",
            "H7x2r22kv5exkfgt8b",
            "h7X2r22kv5exkfgt8b",
            "h7x2r22kv5exkfgt8bq",
            "h7x2r22kv5exkfgt8",
            ".h7x2r22kv5exkfgt8b",
            "h7x2r22kv5exkfgt8b..com",
        ] {
            assert!(!is_token(text.as_bytes()), "{text}");
        }
    }
}
