//! Certificates for Redis, signed by an authority that no system knows.

use std::fs;
use std::path::{Path, PathBuf};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DistinguishedName, DnType, IsCa, KeyPair};

use crate::support::process::{scratch, serial};

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
        server.distinguished_name.push(DnType::CommonName, "redis");
        let server = server.signed_by(&key, &authority).expect("a certificate");
        for (name, pem) in [("ca.pem", authority.pem()), ("server.pem", server.pem()), ("server.key", key.serialize_pem())] {
            fs::write(dir.join(name), pem).expect("the scratch directory can be written to");
        }
        Self { dir }
    }

    /// What BACKCHANNEL_REDIS_TLS_CA_FILE is to name.
    pub fn authority(&self) -> String {
        self.file("ca.pem")
    }

    pub fn dir(&self) -> &Path {
        &self.dir
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
