//! TLS to the destination: authorities, names, versions, client certificates.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use privet::config::Config;
use privet::grpc::Code;
use privet::run::start;
use privet::send::{Grpc, Tls};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::RootCertStore;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use crate::support::agent::Agent;
use crate::support::destination::Destination;
use crate::support::{config, log};

/// An authority, and files of what it issued.
struct Authority {
    folder: tempfile::TempDir,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    fn new() -> Authority {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("ca.pem"), params.self_signed(&key).unwrap().pem()).unwrap();
        Authority { folder, issuer: Issuer::new(params, key) }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes `<name>.pem` and `<name>.key`.
    fn issue(&self, name: &str) -> (PathBuf, PathBuf) {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        let (certificate, key_file) = (self.path(&format!("{name}.pem")), self.path(&format!("{name}.key")));
        std::fs::write(&certificate, params.signed_by(&key, &self.issuer).unwrap().pem()).unwrap();
        std::fs::write(&key_file, key.serialize_pem()).unwrap();
        (certificate, key_file)
    }
}

/// A destination behind TLS that asks for a client certificate of that authority.
async fn secured(
    destination: Destination,
    authority: &Authority,
    versions: &[&'static rustls::SupportedProtocolVersion],
) -> SocketAddr {
    let (certificate, key) = authority.issue("otlp.vendor.example");
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(authority.path("ca.pem")).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider)).build().unwrap();
    let mut config = rustls::ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(versions)
        .unwrap()
        .with_client_cert_verifier(verifier)
        .with_single_cert(
            vec![CertificateDer::from_pem_file(certificate).unwrap()],
            PrivateKeyDer::from_pem_file(key).unwrap(),
        )
        .unwrap();
    config.alpn_protocols = vec![b"h2".to_vec()];
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            let (acceptor, destination) = (acceptor.clone(), destination.clone());
            tokio::spawn(async move {
                if let Ok(stream) = acceptor.accept(socket).await {
                    destination.serve(stream).await;
                }
            });
        }
    });
    address
}

fn behind(address: SocketAddr, tls: Tls) -> Config {
    let endpoint = format!("https://{address}").parse().unwrap();
    let grpc = Grpc { tls, ..Grpc::new(endpoint) };
    Config { destinations: vec![privet::config::To::Grpc(grpc).into()], ..config("http://127.0.0.1:1") }
}

async fn outcome(config: &Config) -> (Code, String) {
    let running = start(config).unwrap();
    let answer = Agent::connect(running.listen).await.export(&log("over TLS")).await;
    (answer.code(), answer.message().to_owned())
}

#[tokio::test]
async fn a_destination_is_trusted_by_its_authority_and_name_and_trusts_the_sidecars_certificate() {
    let authority = Authority::new();
    let destination = Destination::default();
    let address = secured(destination.clone(), &authority, &[&rustls::version::TLS13]).await;
    let (certificate, key) = authority.issue("sidecar");
    let good = Tls {
        ca: Some(authority.path("ca.pem")),
        certificate: Some(certificate),
        key: Some(key),
        server_name: Some("otlp.vendor.example".to_owned()),
        allow_tls12: false,
    };
    assert_eq!(outcome(&behind(address, good.clone())).await.0, Code::Ok);
    assert_eq!(destination.logs.lock().unwrap().len(), 1);

    let other = Authority::new();
    for (what, tls) in [
        ("another authority", Tls { ca: Some(other.path("ca.pem")), ..good.clone() }),
        ("another name", Tls { server_name: Some("elsewhere.example".to_owned()), ..good.clone() }),
        ("no client certificate", Tls { certificate: None, key: None, ..good }),
    ] {
        assert_eq!(outcome(&behind(address, tls)).await.0, Code::Unavailable, "{what}");
    }
    assert_eq!(destination.logs.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn tls_1_2_is_spoken_only_where_it_is_allowed() {
    let authority = Authority::new();
    let address = secured(Destination::default(), &authority, &[&rustls::version::TLS12]).await;
    let (certificate, key) = authority.issue("sidecar");
    for (allow_tls12, code) in [(false, Code::Unavailable), (true, Code::Ok)] {
        let tls = Tls {
            ca: Some(authority.path("ca.pem")),
            certificate: Some(certificate.clone()),
            key: Some(key.clone()),
            server_name: Some("otlp.vendor.example".to_owned()),
            allow_tls12,
        };
        assert_eq!(outcome(&behind(address, tls)).await.0, code, "TLS 1.2 allowed: {allow_tls12}");
    }
}
