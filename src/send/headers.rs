//! Headers of the destination's: written in the configuration, or read from files such as a mounted token. Never logged.

use std::fmt;
use std::fs;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use arc_swap::ArcSwap;
use http::{HeaderMap, HeaderName, HeaderValue};

/// Headers that gRPC itself sets.
const RESERVED: [&str; 7] =
    ["te", "content-type", "user-agent", "host", "connection", "content-length", "transfer-encoding"];

/// The largest file that a header's value is read from, in bytes.
const LONGEST_VALUE: u64 = 16 << 10;

/// One header, as configured.
#[derive(Clone, PartialEq, Eq)]
pub struct Header {
    pub name: String,
    /// Stands before what the file says: `Bearer `.
    pub prefix: String,
    /// Its content, without white space around it, is the value.
    pub file: Option<PathBuf>,
}

/// Why a header cannot be sent. Never carries its value.
#[derive(Debug)]
pub enum HeaderError {
    Name { name: String },
    Reserved { name: String },
    Value { name: String },
    File { path: PathBuf, error: io::Error },
    Empty { path: PathBuf },
}

/// The headers as they are now; swapped whole.
pub struct Headers {
    configured: Vec<Header>,
    current: ArcSwap<HeaderMap>,
}

impl Headers {
    pub fn load(configured: Vec<Header>) -> Result<Headers, HeaderError> {
        let current = read_all(&configured)?;
        Ok(Headers { configured, current: ArcSwap::from_pointee(current) })
    }

    /// Reads the files again; the headers stay as they are until they are [`set`](Self::set).
    pub(super) fn renew(&self) -> Result<HeaderMap, HeaderError> {
        read_all(&self.configured)
    }

    pub(super) fn set(&self, headers: HeaderMap) {
        self.current.store(Arc::new(headers));
    }

    pub(super) fn write(&self, headers: &mut HeaderMap) {
        headers.extend(self.current.load().iter().map(|(name, value)| (name.clone(), value.clone())));
    }
}

fn read_all(configured: &[Header]) -> Result<HeaderMap, HeaderError> {
    let mut map = HeaderMap::new();
    for header in configured {
        let name =
            HeaderName::try_from(header.name.as_str()).map_err(|_| HeaderError::Name { name: header.name.clone() })?;
        if RESERVED.contains(&name.as_str()) || name.as_str().starts_with("grpc-") {
            return Err(HeaderError::Reserved { name: header.name.clone() });
        }
        let mut value =
            HeaderValue::try_from(value(header)?).map_err(|_| HeaderError::Value { name: header.name.clone() })?;
        // Keeps it out of HPACK's tables and of every debug print.
        value.set_sensitive(true);
        map.append(name, value);
    }
    Ok(map)
}

fn value(header: &Header) -> Result<String, HeaderError> {
    let Some(path) = &header.file else { return Ok(header.prefix.clone()) };
    let failed = |error| HeaderError::File { path: path.clone(), error };
    if fs::metadata(path).map_err(failed)?.len() > LONGEST_VALUE {
        return Err(HeaderError::Value { name: header.name.clone() });
    }
    let text = fs::read_to_string(path).map_err(failed)?;
    if text.trim().is_empty() {
        return Err(HeaderError::Empty { path: path.clone() });
    }
    Ok(format!("{}{}", header.prefix, text.trim()))
}

impl fmt::Debug for Header {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Header").field("name", &self.name).field("file", &self.file).finish_non_exhaustive()
    }
}

impl fmt::Display for HeaderError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            HeaderError::Name { name } => write!(f, "`{name}` is no header name"),
            HeaderError::Reserved { name } => write!(f, "the header `{name}` is gRPC's own"),
            HeaderError::Value { name } => write!(f, "the value of the header `{name}` cannot be sent"),
            HeaderError::File { path, error } => write!(f, "{}: {error}", path.display()),
            HeaderError::Empty { path } => write!(f, "{}: the file is empty", path.display()),
        }
    }
}

impl std::error::Error for HeaderError {}

#[cfg(test)]
mod tests {
    use super::*;

    fn from_file(name: &str, path: &std::path::Path) -> Header {
        Header { name: name.into(), prefix: "Bearer ".into(), file: Some(path.to_owned()) }
    }

    #[test]
    fn a_token_file_is_read_again_and_the_last_good_one_stays() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        fs::write(&path, "one\n").unwrap();
        let headers = Headers::load(vec![from_file("Authorization", &path)]).unwrap();
        let sent = |headers: &Headers| {
            let mut map = HeaderMap::new();
            headers.write(&mut map);
            map["authorization"].to_str().unwrap().to_owned()
        };
        assert_eq!(sent(&headers), "Bearer one");
        fs::write(&path, "two").unwrap();
        let renewed = headers.renew().unwrap();
        assert_eq!(sent(&headers), "Bearer one");
        headers.set(renewed);
        assert_eq!(sent(&headers), "Bearer two");
        fs::remove_file(&path).unwrap();
        assert!(headers.renew().is_err());
        assert_eq!(sent(&headers), "Bearer two");
    }

    #[test]
    fn a_value_is_never_shown() {
        let header = Header { name: "x".into(), prefix: "secret".into(), file: None };
        assert!(!format!("{header:?}").contains("secret"));
        let headers = Headers::load(vec![header]).unwrap();
        let mut map = HeaderMap::new();
        headers.write(&mut map);
        assert!(!format!("{map:?}").contains("secret"));
    }

    #[test]
    fn grpcs_own_headers_cannot_be_set() {
        for name in ["TE", "grpc-timeout", "content-type"] {
            let header = Header { name: name.into(), prefix: "x".into(), file: None };
            assert!(matches!(Headers::load(vec![header]), Err(HeaderError::Reserved { .. })), "{name}");
        }
    }
}
