//! Where a destination is: `http://host:port` or `https://host:port`.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use http::Uri;

/// OTLP/gRPC's port, where an endpoint names none.
const DEFAULT_PORT: u16 = 4317;

/// A destination's address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    pub secure: bool,
    pub host: String,
    pub port: u16,
}

/// Why a text is no endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndpointError {
    NotAUrl,
    Scheme,
    Path,
    Credentials,
}

impl Endpoint {
    /// Whether it stands on this machine.
    pub fn is_loopback(&self) -> bool {
        self.host == "localhost" || self.ip().is_some_and(|ip| ip.is_loopback())
    }

    /// The host as an address, if it is one.
    pub fn ip(&self) -> Option<IpAddr> {
        self.host.trim_matches(['[', ']']).parse().ok()
    }

    /// What a request for that path names.
    pub(super) fn uri(&self, path: &'static str) -> Uri {
        format!("{self}{path}").parse().expect("made of a parsed authority and a path")
    }
}

impl FromStr for Endpoint {
    type Err = EndpointError;

    fn from_str(text: &str) -> Result<Endpoint, EndpointError> {
        let uri: Uri = text.parse().map_err(|_| EndpointError::NotAUrl)?;
        let secure = match uri.scheme_str() {
            Some("http") => false,
            Some("https") => true,
            _ => return Err(EndpointError::Scheme),
        };
        let authority = uri.authority().ok_or(EndpointError::NotAUrl)?;
        if authority.as_str().contains('@') {
            return Err(EndpointError::Credentials);
        }
        if !matches!(uri.path(), "" | "/") || uri.query().is_some() {
            return Err(EndpointError::Path);
        }
        if authority.host().is_empty() {
            return Err(EndpointError::NotAUrl);
        }
        let port = match authority.port() {
            Some(port) => port.as_str().parse().map_err(|_| EndpointError::NotAUrl)?,
            // A number that is no port is no port to `http` either.
            None if authority.as_str() != authority.host() => return Err(EndpointError::NotAUrl),
            None => DEFAULT_PORT,
        };
        Ok(Endpoint { secure, host: authority.host().to_owned(), port })
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}:{}", if self.secure { "https" } else { "http" }, self.host, self.port)
    }
}

impl fmt::Display for EndpointError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            EndpointError::NotAUrl => "not a URL such as https://otlp.example.com:4317",
            EndpointError::Scheme => "a destination starts with http:// or https://, or is `stdout`",
            EndpointError::Path => "OTLP/gRPC has no path: give scheme, host and port only",
            EndpointError::Credentials => "credentials do not belong in a URL: give a header that is read from a file",
        })
    }
}

impl std::error::Error for EndpointError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_is_scheme_host_and_port() {
        for (text, expected) in [
            ("http://127.0.0.1:4317", Ok("http://127.0.0.1:4317")),
            ("https://otlp.example.com", Ok("https://otlp.example.com:4317")),
            ("http://[::1]:1/", Ok("http://[::1]:1")),
            ("otlp.example.com:4317", Err(EndpointError::Scheme)),
            ("grpc://otlp.example.com", Err(EndpointError::Scheme)),
            ("http://otlp.example.com/v1/logs", Err(EndpointError::Path)),
            ("http://user:secret@otlp.example.com", Err(EndpointError::Credentials)),
            ("http://:4317", Err(EndpointError::NotAUrl)),
            ("http://otlp.example.com:99999", Err(EndpointError::NotAUrl)),
        ] {
            let endpoint = text.parse::<Endpoint>().map(|endpoint| endpoint.to_string());
            assert_eq!(endpoint.as_deref(), expected.as_ref().copied(), "{text}");
        }
    }

    #[test]
    fn only_this_machine_is_loopback() {
        for (text, loopback) in [
            ("http://127.0.0.9", true),
            ("http://[::1]", true),
            ("http://localhost:1", true),
            ("http://10.0.0.1", false),
        ] {
            assert_eq!(text.parse::<Endpoint>().unwrap().is_loopback(), loopback, "{text}");
        }
    }
}
