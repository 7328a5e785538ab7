//! Certificates for Redis and others, signed by an authority that no system knows.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DistinguishedName, DnType, IsCa, KeyPair};
use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::process::{scratch, serial};

/// The files of an authority and of a server at `127.0.0.1`.
pub struct Tls {
    dir: PathBuf,
}

impl Tls {
    pub fn new() -> Self {
        let dir = scratch().join(format!("tls-{}", serial()));
        fs::create_dir_all(&dir).expect("the scratch directory can be written to");
        let mut params = CertificateParams::new([]).expect("no names are fine");
        params.distinguished_name.push(DnType::CommonName, format!("authority {}", serial()));
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().expect("a key")).expect("an authority");
        let key = KeyPair::generate().expect("a key");
        let mut server = CertificateParams::new(["127.0.0.1".to_owned(), "localhost".to_owned()]).expect("names");
        server.distinguished_name = DistinguishedName::new(); // its issuer's would make it look signed by itself
        server.distinguished_name.push(DnType::CommonName, "server");
        let server = server.signed_by(&key, &authority).expect("a certificate");
        for (name, pem) in [("ca.pem", authority.pem()), ("server.pem", server.pem()), ("server.key", key.serialize_pem())] {
            fs::write(dir.join(name), pem).expect("the scratch directory can be written to");
        }
        Self { dir }
    }

    /// What BACKCHANNEL_REDIS_TLS_CA_FILE or OTEL_EXPORTER_OTLP_CERTIFICATE is to name.
    pub fn authority(&self) -> String {
        self.file("ca.pem")
    }

    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// What a server in this process needs.
    pub fn server(&self) -> ServerConfig {
        let certificate = CertificateDer::from_pem_file(self.file("server.pem")).expect("it was written above");
        let key = PrivateKeyDer::from_pem_file(self.file("server.key")).expect("it was written above");
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider())).with_safe_default_protocol_versions();
        config.expect("ring knows them").with_no_client_auth().with_single_cert(vec![certificate], key).expect("they fit")
    }

    fn file(&self, name: &str) -> String {
        self.dir.join(name).display().to_string()
    }

    /// Name and value of what Redis needs for TLS on this port, and to speak it with its like.
    pub fn settings(&self, port: u16) -> Vec<(&'static str, String)> {
        vec![
            ("tls-port", port.to_string()),
            ("tls-cert-file", self.file("server.pem")),
            ("tls-key-file", self.file("server.key")),
            ("tls-ca-cert-file", self.authority()),
            ("tls-auth-clients", "no".to_owned()),
            ("tls-replication", "yes".to_owned()),
        ]
    }

    /// The same as arguments.
    pub fn args(&self, port: u16) -> Vec<String> {
        self.settings(port).into_iter().flat_map(|(name, value)| [format!("--{name}"), value]).collect()
    }
}
