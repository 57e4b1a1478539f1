//! What a key says of its value, whatever way it is written: `host_name`, `hostName`, `Host-Name`.

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
    if !may_end(key, true) {
        return None;
    }
    // Letters in lower case and digits, without `_`, `-`, `.`, spaces and the like.
    let mut folded = [0; MAX_KEY];
    let (mut length, mut segment) = (0, 0);
    for b in key {
        if b.is_ascii_alphanumeric() {
            *folded.get_mut(length)? = b | 0x20;
            length += 1;
        } else if matches!(b, b'.' | b'/' | b':') {
            segment = length;
        }
    }
    let whole = &folded[..length];
    exact(whole).or_else(|| exact(&whole[segment..])).or_else(|| by_last_words(whole))
}

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
    b"agentcomputername", b"clientcomputer", b"clienthost", b"computer", b"computername", b"desthost",
    b"destinationhost", b"devicename", b"devname", b"dhost", b"dsthost", b"dsthostname", b"dstname", b"dvc",
    b"dvchost", b"dvcname", b"endpointname", b"fqdn", b"fromhost", b"host", b"hostid", b"hostidentifier", b"hostname",
    b"hostnames", b"loghost", b"logonworkstation", b"machinename", b"netbios", b"netbiosname", b"nodehost",
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

/// With these words the key of a host may end.
const ENDS: [&[u8]; 7] =
    [b"hostname", b"hostnames", b"computername", b"machinename", b"devicename", b"workstationname", b"nodename"];

/// Whether what ends here may be a key that is known, `prose` of several words: by its last three letters, a bit for each
/// triple that there is. True too often, never too seldom.
#[inline]
pub fn may_end(text: &[u8], prose: bool) -> bool {
    const TRIPLES: [u64; 512] = triples();
    let Some(last) = text.last_chunk::<3>() else { return false };
    if !last[2].is_ascii_alphabetic() {
        return false;
    }
    // A key may be written with something between its letters; no key is shorter than three.
    let joins = |b: u8| b.is_ascii_digit() || matches!(b, b'_' | b'-' | b'.' | b'/' | b':') || prose && b == b' ';
    if joins(last[0]) || joins(last[1]) {
        return true;
    }
    if !last[0].is_ascii_alphabetic() || !last[1].is_ascii_alphabetic() {
        return false;
    }
    let triple = triple(*last);
    TRIPLES[triple / 64] >> (triple % 64) & 1 != 0
}

/// Three letters of any case as a number below 2^15.
const fn triple(letters: [u8; 3]) -> usize {
    (letters[0] as usize & 31) << 10 | (letters[1] as usize & 31) << 5 | letters[2] as usize & 31
}

const fn triples() -> [u64; 512] {
    let mut bits = [0; 512];
    let lists: [&[&[u8]]; 3] = [HOSTS, MAYBE_HOSTS, &ENDS];
    let mut list = 0;
    while list < lists.len() {
        let mut index = 0;
        while index < lists[list].len() {
            let key = lists[list][index];
            let n = key.len();
            let triple = triple([key[n - 3], key[n - 2], key[n - 1]]);
            bits[triple / 64] |= 1 << (triple % 64);
            index += 1;
        }
        list += 1;
    }
    bits
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
    ENDS.iter().any(|end| key.ends_with(end)).then_some(KeyClass::Host)
}

#[cfg(test)]
mod tests {
    use super::*;

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
    fn keys_of_other_things_say_nothing() {
        for key in ["service.name", "filename", "", "name", "process", "ghost", "hosts_file", "time", "class.name"] {
            assert_eq!(names(key.as_bytes()), None, "{key}");
        }
        assert_eq!(names(&[b'e'; 500]), None);
    }
}
