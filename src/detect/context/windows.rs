//! What backslashes join: `\\FILES01\share` and `CORP\alice`, in plain texts and in those where JSON has doubled them.

use super::{Sink, host_end, is_host_byte, is_short_host, is_word};

/// What stands before a backslash and is no domain: authorities, registry roots, levels before an escaped line break, buses.
const NOT_DOMAINS: [&[u8]; 55] = [
    b"AUTHORITY",
    b"BUILTIN",
    b"SERVICE",
    b"MANAGER",
    b"HKLM",
    b"HKCU",
    b"HKU",
    b"HKCR",
    b"HKCC",
    b"HKEY_LOCAL_MACHINE",
    b"HKEY_CURRENT_USER",
    b"HKEY_USERS",
    b"HKEY_CLASSES_ROOT",
    b"REGISTRY",
    b"MACHINE",
    b"SYSTEM",
    b"SOFTWARE",
    b"SAM",
    b"SECURITY",
    b"WINDOWS",
    b"SYSTEM32",
    b"USERS",
    b"PROGRAMDATA",
    b"ERROR",
    b"INFO",
    b"WARN",
    b"WARNING",
    b"DEBUG",
    b"TRACE",
    b"FATAL",
    b"OK",
    b"END",
    b"GET",
    b"POST",
    b"HTTP",
    b"DEVICE",
    b"PIPE",
    b"IPC",
    b"ROOT",
    b"USER",
    // The buses that ids of devices begin with: `SWD\PRINTENUM\…`, `PCI\VEN_8086`.
    b"SWD",
    b"PRINTENUM",
    b"USBPRINT",
    b"LPTENUM",
    b"HID",
    b"USB",
    b"USBSTOR",
    b"PCI",
    b"ACPI",
    b"SCSI",
    b"HDAUDIO",
    b"BTHENUM",
    b"VMBUS",
    b"UMB",
    b"HTREE",
];

/// Path roots that stand where a UNC host would.
const NOT_SERVERS: [&[u8]; 12] = [
    b"device",
    b"systemroot",
    b"registry",
    b"windows",
    b"users",
    b"program",
    b"programdata",
    b"globalroot",
    b"pipe",
    b"dosdevices",
    b"basenamedobjects",
    b"unc",
];

/// Judges the run of backslashes that begins at `at`.
pub(super) fn backslash(text: &[u8], at: usize, sink: &mut Sink<'_>) {
    if at > 0 && text[at - 1] == b'\\' {
        return;
    }
    let count = backslashes(text, at);
    let start = at + count;
    if count.is_multiple_of(2) && share(text, at, start, count, sink) {
        return;
    }
    if count <= 2 {
        account(text, at, start, count, sink);
    }
}

fn backslashes(text: &[u8], at: usize) -> usize {
    text[at..].iter().take(16).take_while(|b| **b == b'\\').count()
}

/// `\\FILES01\share`: twice as many backslashes lead the host as follow it.
fn share(text: &[u8], at: usize, start: usize, count: usize, sink: &mut Sink<'_>) -> bool {
    let joined =
        at > 0 && (is_host_byte(text[at - 1]) || matches!(text[at - 1], b':' | b'%' | b'*' | b'?' | b')' | b'}'));
    let end = host_end(text, start);
    let name = &text[start..end];
    let is = !joined
        && count >= 2
        && end > start
        && 2 * backslashes(text, end) == count
        && is_short_host(name)
        && !NOT_SERVERS.iter().any(|word| word.eq_ignore_ascii_case(name));
    if is {
        sink.host(start, end);
    }
    is
}

/// `CORP\alice`: a domain in capitals, one separator, an account.
fn account(text: &[u8], at: usize, start: usize, count: usize, sink: &mut Sink<'_>) {
    let length = text[..at].iter().rev().take(64).take_while(|b| is_host_byte(**b)).count();
    let domain = &text[at - length..at];
    let end = host_end(text, start);
    let user = &text[start..end];
    let behind = text.get(end).copied().unwrap_or(0);
    let before = if at > length { text[at - length - 1] } else { 0 };
    let capitals = domain.iter().filter(|b| b.is_ascii_uppercase()).count();
    let shaped = (2..=32).contains(&length)
        && capitals >= 2
        && !domain.iter().any(u8::is_ascii_lowercase)
        && domain[0].is_ascii_alphanumeric()
        && !domain.contains(&b'.')
        && !NOT_DOMAINS.contains(&domain);
    let alone =
        !matches!(before, b'\\' | b'/' | b'%' | b'{' | b'$') && !matches!(behind, b'\\' | b'/' | b'%' | b'(' | b':');
    let begins = user.len() >= 2 && (user[0].is_ascii_alphabetic() || user[0] >= 0x80);
    // With one backslash `\n` and the like may be an escape: then a small letter must follow, as in a name.
    let escape = count == 1
        && begins
        && matches!(user[0], b'n' | b'r' | b't' | b'u' | b'x' | b'b' | b'f')
        && !is_name_letter(user[1]);
    if shaped && alone && begins && !escape {
        sink.host(at - length, at);
        sink.user(start, end);
    }
}

fn is_name_letter(b: u8) -> bool {
    is_word(b) && b.is_ascii_lowercase()
}
