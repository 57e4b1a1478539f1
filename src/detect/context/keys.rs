//! What a key says of its value, whatever way it is written: `host_name`, `hostName`, `Host-Name`.

/// What a key names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyClass {
    /// A host's name. A value of any shape is one, placeholders apart.
    Host,
    /// What may be a host's name or a word: `server`, `client`, `node`.
    MaybeHost,
    Ip,
    Email,
    User,
}

/// Keys longer than this name no one thing.
const MAX_KEY: usize = 64;

/// What `key` names, judged by the whole of it, then by its last segment (`agent.hostname`), then by its last words.
pub fn names(key: &[u8]) -> Option<KeyClass> {
    // The last letters of all that is looked up; most keys end here.
    if !matches!(
        key.last()?.to_ascii_lowercase(),
        b'e' | b't' | b'r' | b'n' | b'p' | b's' | b'l' | b'd' | b'y' | b'1'..=b'9'
    ) {
        return None;
    }
    let mut folded = [0; MAX_KEY];
    let whole = fold(key, &mut folded)?;
    if let Some(class) = exact(whole) {
        return Some(class);
    }
    if let Some(dot) = memchr::memrchr3(b'.', b'/', b':', key) {
        let mut folded = [0; MAX_KEY];
        if let Some(class) = fold(&key[dot + 1..], &mut folded).and_then(exact) {
            return Some(class);
        }
    }
    by_last_words(whole)
}

/// Letters in lower case and digits, without `_`, `-`, `.`, spaces and the like.
fn fold<'a>(key: &[u8], folded: &'a mut [u8; MAX_KEY]) -> Option<&'a [u8]> {
    let mut length = 0;
    for b in key.iter().filter(|b| b.is_ascii_alphanumeric()) {
        *folded.get_mut(length)? = b.to_ascii_lowercase();
        length += 1;
    }
    Some(&folded[..length])
}

fn exact(key: &[u8]) -> Option<KeyClass> {
    Some(match key {
        b"host" | b"hostname" | b"hostnames" | b"computer" | b"computername" | b"machinename" | b"devicename"
        | b"devname" | b"dvchost" | b"dvc" | b"shost" | b"dhost" | b"srchost" | b"dsthost" | b"srcname"
        | b"dstname" | b"srchostname" | b"dsthostname" | b"sourcehost" | b"destinationhost" | b"desthost"
        | b"targethost" | b"remotehost" | b"rhost" | b"clienthost" | b"peerhost" | b"serverhost" | b"loghost"
        | b"syslogserver" | b"reportinghost" | b"orighost" | b"workstation" | b"workstationname"
        | b"sourceworkstation" | b"netbiosname" | b"netbios" | b"fqdn" | b"hostidentifier" | b"hostid" | b"vmname"
        | b"endpointname" | b"userhost" | b"fromhost" | b"tohost" | b"dvcname" | b"targetservername"
        | b"sensorname" | b"agentcomputername" | b"logonworkstation" | b"targetcomputer" | b"sourcecomputer"
        | b"clientcomputer" | b"origincomputer" | b"nodehost" | b"vhost" | b"virtualhost" => KeyClass::Host,
        b"server" | b"servername" | b"client" | b"clientname" | b"node" | b"nodename" | b"machine" | b"peer"
        | b"peername" | b"device" | b"observername" | b"agentname" | b"beatname" | b"instance" | b"appliance"
        | b"gateway" | b"pod" | b"podname" | b"destination" | b"source" | b"target" => KeyClass::MaybeHost,
        b"ip"
        | b"ips"
        | b"ipaddress"
        | b"ipaddr"
        | b"address"
        | b"addr"
        | b"src"
        | b"dst"
        | b"clientaddress"
        | b"sourceaddress"
        | b"destinationaddress"
        | b"destaddress"
        | b"remoteaddress"
        | b"localaddress"
        | b"peeraddress"
        | b"callingstationid" => KeyClass::Ip,
        b"email" | b"emails" | b"mail" | b"emailaddress" | b"mailfrom" | b"mailto" | b"rcpt" => KeyClass::Email,
        b"user" | b"username" | b"accountname" | b"login" | b"loginname" | b"account" | b"suser" | b"duser"
        | b"ruser" | b"srcuser" | b"dstuser" | b"usr" | b"uname" => KeyClass::User,
        _ => return None,
    })
}

fn by_last_words(key: &[u8]) -> Option<KeyClass> {
    const ENDS: [(&[u8], KeyClass); 12] = [
        (b"hostname", KeyClass::Host),
        (b"hostnames", KeyClass::Host),
        (b"computername", KeyClass::Host),
        (b"machinename", KeyClass::Host),
        (b"devicename", KeyClass::Host),
        (b"workstationname", KeyClass::Host),
        (b"nodename", KeyClass::Host),
        (b"ipaddress", KeyClass::Ip),
        (b"ipaddr", KeyClass::Ip),
        (b"email", KeyClass::Email),
        (b"emailaddress", KeyClass::Email),
        (b"username", KeyClass::User),
    ];
    ENDS.iter().find(|(end, _)| key.ends_with(end)).map(|&(_, class)| class)
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
        assert_eq!(names(b"TargetUserName"), Some(KeyClass::User));
        assert_eq!(names(b"user.email"), Some(KeyClass::Email));
        assert_eq!(names(b"source_ip_address"), Some(KeyClass::Ip));
    }

    #[test]
    fn keys_of_other_things_say_nothing() {
        for key in ["service.name", "filename", "", "name", "process", "ghost", "hosts_file", "time", "class.name"] {
            assert_eq!(names(key.as_bytes()), None, "{key}");
        }
        assert_eq!(names(&[b'e'; 500]), None);
    }
}
