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
