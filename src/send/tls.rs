//! TLS to the destination: rustls with ring, 1.3 unless 1.2 is asked for.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};

/// TLS as configured; all of it may be left out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tls {
    /// PEM file of the only authorities to trust; the system's if none.
    pub ca: Option<PathBuf>,
    /// PEM files of the client's own certificate chain and key.
    pub certificate: Option<PathBuf>,
    pub key: Option<PathBuf>,
    /// The name to expect in the destination's certificate; the endpoint's host if none.
    pub server_name: Option<String>,
    /// Accept TLS 1.2 too.
    pub allow_tls12: bool,
}

/// Why TLS cannot be set up.
#[derive(Debug)]
pub enum TlsError {
    Pem { path: PathBuf, error: rustls::pki_types::pem::Error },
    NoCertificate { path: PathBuf },
    NoSystemRoots,
    HalfAnIdentity,
    ServerName { name: String },
    Rejected { error: rustls::Error },
}

/// A connector's settings, proven.
pub(super) struct Secured {
    pub config: Arc<ClientConfig>,
    pub server_name: ServerName<'static>,
}

impl Tls {
    /// Reads the files and proves them.
    pub(super) fn secure(&self, host: &str) -> Result<Secured, TlsError> {
        let name = self.server_name.as_deref().unwrap_or_else(|| host.trim_matches(['[', ']']));
        let server_name =
            ServerName::try_from(name.to_owned()).map_err(|_| TlsError::ServerName { name: name.into() })?;
        let versions: &[&rustls::SupportedProtocolVersion] = if self.allow_tls12 {
            &[&rustls::version::TLS13, &rustls::version::TLS12]
        } else {
            &[&rustls::version::TLS13]
        };
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let rejected = |error| TlsError::Rejected { error };
        let builder = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(versions)
            .map_err(rejected)?
            .with_root_certificates(self.roots()?);
        let mut config = match (&self.certificate, &self.key) {
            (None, None) => builder.with_no_client_auth(),
            (Some(certificate), Some(key)) => {
                let key_der =
                    PrivateKeyDer::from_pem_file(key).map_err(|error| TlsError::Pem { path: key.clone(), error })?;
                builder.with_client_auth_cert(certificates(certificate)?, key_der).map_err(rejected)?
            }
            _ => return Err(TlsError::HalfAnIdentity),
        };
        config.alpn_protocols = vec![b"h2".to_vec()];
        Ok(Secured { config: Arc::new(config), server_name })
    }

    fn roots(&self) -> Result<RootCertStore, TlsError> {
        let mut roots = RootCertStore::empty();
        if let Some(path) = &self.ca {
            for certificate in certificates(path)? {
                roots.add(certificate).map_err(|error| TlsError::Rejected { error })?;
            }
        } else {
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
            if roots.is_empty() {
                return Err(TlsError::NoSystemRoots);
            }
        }
        Ok(roots)
    }
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let failed = |error| TlsError::Pem { path: path.to_owned(), error };
    let certificates: Vec<_> =
        CertificateDer::pem_file_iter(path).map_err(failed)?.collect::<Result<_, _>>().map_err(failed)?;
    if certificates.is_empty() {
        return Err(TlsError::NoCertificate { path: path.to_owned() });
    }
    Ok(certificates)
}

impl fmt::Display for TlsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TlsError::Pem { path, error } => write!(f, "{}: {error}", path.display()),
            TlsError::NoCertificate { path } => write!(f, "{}: there is no certificate in it", path.display()),
            TlsError::NoSystemRoots => f.write_str("the system has no certificate authorities; name a `ca` file"),
            TlsError::HalfAnIdentity => f.write_str("a client certificate needs both `certificate` and `key`"),
            TlsError::ServerName { name } => write!(f, "`{name}` is no server name"),
            TlsError::Rejected { error } => write!(f, "{error}"),
        }
    }
}

impl std::error::Error for TlsError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_without_its_key_is_refused() {
        let tls = Tls { ca: None, certificate: Some("cert.pem".into()), ..Tls::default() };
        let error = tls.secure("localhost").err().map(|error| error.to_string());
        assert!(
            matches!(error.as_deref(), Some(text) if text.contains("both") || text.contains("authorities")),
            "{error:?}"
        );
    }

    #[test]
    fn a_missing_authority_file_is_named() {
        let tls = Tls { ca: Some("/nowhere/ca.pem".into()), ..Tls::default() };
        let error = tls.secure("localhost").err().unwrap();
        assert!(error.to_string().contains("/nowhere/ca.pem"));
    }
}
