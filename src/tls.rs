//! TLS towards servers: whom to trust, how strictly, and who we are.
//!
//! Serves the clients of the API server and of VictoriaLogs, which map their own settings onto [`Tls`]. Invariants:
//! the cryptography is named with each configuration, never taken from or left to a process-wide default that another
//! part of the host may have set; every error is a sentence that names the option and the file.

use std::{
    fmt::Display,
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
};

use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme,
    client::{
        WebPkiServerVerifier,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    },
    crypto::{CryptoProvider, ring},
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime, pem::PemObject as _},
};
use tracing::warn;

use crate::stamp::{Stamp, stamp};

/// Whom to trust, and who we are.
#[derive(Debug, Clone)]
pub(crate) struct Tls {
    /// What stands before `ca_file` and the like in the names of the operator's options.
    pub(crate) prefix: &'static str,
    /// Certificates to trust; the system's if there is neither a file nor a folder.
    pub(crate) ca_file: Option<PathBuf>,
    /// A folder of such files.
    pub(crate) ca_path: Option<PathBuf>,
    /// Our own certificate chain.
    pub(crate) crt_file: Option<PathBuf>,
    /// Its key.
    pub(crate) key_file: Option<PathBuf>,
    /// Whether the server must prove who it is.
    pub(crate) verify: bool,
    /// Whether its certificate must also be for its name.
    pub(crate) verify_hostname: bool,
}

impl Tls {
    /// Changes when the files do: their names, times or lengths.
    pub(crate) fn stamps(&self) -> Vec<(PathBuf, Stamp)> {
        let mut files: Vec<PathBuf> =
            [&self.ca_file, &self.crt_file, &self.key_file].into_iter().flatten().cloned().collect();
        if let Some(path) = &self.ca_path {
            files.extend(folder(path).unwrap_or_default());
        }
        files.into_iter().map(|file| (stamp(&file), file)).map(|(stamp, file)| (file, stamp)).collect()
    }

    /// Reads all files and makes the configuration for new connections. Where no address needs it, it is not `used`:
    /// no file is read, and nobody is trusted.
    pub(crate) fn load(&self, used: bool) -> Result<ClientConfig, String> {
        let provider = Arc::new(ring::default_provider());
        let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(|why| format!("TLS can't be set up: {why}"))?;
        let builder = match used {
            true => builder.dangerous().with_custom_certificate_verifier(Arc::new(self.checks(provider)?)),
            false => builder.with_root_certificates(RootCertStore::empty()),
        };
        let prefix = self.prefix;
        match (&self.crt_file, &self.key_file) {
            (Some(crt), Some(key)) if used => {
                let key = PrivateKeyDer::from_pem_file(key)
                    .map_err(|why| self.bad("key_file", key, &format!("holds no private key: {why}")))?;
                builder.with_client_auth_cert(self.chain(crt)?, key).map_err(|why| {
                    format!("{prefix}crt_file and {prefix}key_file don't fit each other: {why}")
                })
            }
            (Some(_), None) | (None, Some(_)) => {
                Err(format!("{prefix}crt_file and {prefix}key_file must be given together"))
            }
            _ => Ok(builder.with_no_client_auth()),
        }
    }

    fn checks(&self, provider: Arc<CryptoProvider>) -> Result<Checks, String> {
        let verifier = match self.verify {
            true => {
                let roots = Arc::new(self.roots()?);
                let builder = WebPkiServerVerifier::builder_with_provider(roots, Arc::clone(&provider));
                Some(builder.build().map_err(|why| format!("TLS can't be set up: {why}"))?)
            }
            false => None,
        };
        Ok(Checks { verifier, name: self.verify_hostname, provider })
    }

    fn chain(&self, file: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
        match certificates(file) {
            Ok((chain, 0)) => Ok(chain),
            Ok(_) => Err(self.bad("crt_file", file, "is damaged: not all of it is PEM")),
            Err(why) => Err(self.bad("crt_file", file, &why)),
        }
    }

    fn roots(&self) -> Result<RootCertStore, String> {
        let mut roots = RootCertStore::empty();
        if let Some(file) = &self.ca_file {
            let (found, damaged) = certificates(file).map_err(|why| self.bad("ca_file", file, &why))?;
            // A bad one must not cost a bundle's others.
            match roots.add_parsable_certificates(found) {
                (0, _) => return Err(self.bad("ca_file", file, "holds no certificate that can be used")),
                (_, unusable) if unusable + damaged > 0 => {
                    let what = format!("has {} certificates that can't be used", unusable + damaged);
                    warn!("{}", self.bad("ca_file", file, &what));
                }
                _ => {}
            }
        }
        if let Some(path) = &self.ca_path {
            let files =
                folder(path).map_err(|why| self.bad("ca_path", path, &format!("can't be read: {why}")))?;
            // A folder may hold keys and notes beside its certificates.
            for (found, _) in files.iter().filter_map(|file| certificates(file).ok()) {
                roots.add_parsable_certificates(found);
            }
            if roots.is_empty() {
                return Err(self.bad("ca_path", path, "holds no certificate in PEM form"));
            }
        }
        if self.ca_file.is_none() && self.ca_path.is_none() {
            let system = rustls_native_certs::load_native_certs();
            if roots.add_parsable_certificates(system.certs).0 == 0 {
                let why: Vec<_> = system.errors.iter().map(ToString::to_string).collect();
                return Err(format!(
                    "the system's certificates can't be read: {}; name some with {}ca_file",
                    if why.is_empty() { "there are none".into() } else { why.join(", ") },
                    self.prefix
                ));
            }
        }
        Ok(roots)
    }

    fn bad(&self, option: &str, path: &Path, what: &str) -> String {
        format!("{}{option}: '{}' {what}", self.prefix, path.display())
    }
}

/// The certificates of a file, and how many of its sections can't be read.
fn certificates(file: &Path) -> Result<(Vec<CertificateDer<'static>>, usize), String> {
    let bad = |why: &dyn Display| format!("can't be read as certificates in PEM form: {why}");
    let pem = fs::read(file).map_err(|why| bad(&why))?;
    let sections: Vec<_> = CertificateDer::pem_slice_iter(&pem).collect();
    let count = sections.len();
    let found: Vec<_> = sections.into_iter().flatten().map(CertificateDer::into_owned).collect();
    match found.len() {
        0 => Err(bad(&"there is none")),
        readable => Ok((found, count - readable)),
    }
}

fn folder(path: &Path) -> io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(path)? {
        files.push(entry?.path());
    }
    files.sort();
    Ok(files)
}

/// What is asked of a server's certificate: that the server holds its key, always; who signed it, if there is a
/// verifier; and whether it is for the name.
#[derive(Debug)]
struct Checks {
    verifier: Option<Arc<WebPkiServerVerifier>>,
    name: bool,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Checks {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let Some(verifier) = &self.verifier else { return Ok(ServerCertVerified::assertion()) };
        match verifier.verify_server_cert(end_entity, intermediates, name, ocsp, now) {
            // The chain is checked before the name, so it held.
            Err(Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) if !self.name => Ok(ServerCertVerified::assertion()),
            verdict => verdict,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fixture(name: &str) -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/support/tls").join(name)
    }

    fn tls(ca_file: PathBuf) -> Tls {
        Tls {
            prefix: "tls_",
            ca_file: Some(ca_file),
            ca_path: None,
            crt_file: None,
            key_file: None,
            verify: true,
            verify_hostname: true,
        }
    }

    #[test]
    fn a_bad_certificate_costs_a_bundle_no_other() {
        let folder = tempfile::tempdir().unwrap();
        let bundle = folder.path().join("ca.pem");
        let bad = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        fs::write(&bundle, [bad.as_bytes(), &fs::read(fixture("ca.pem")).unwrap()].concat()).unwrap();
        assert_eq!(tls(bundle.clone()).roots().unwrap().len(), 1);
        fs::write(&bundle, bad).unwrap();
        let said = tls(bundle).load(true).unwrap_err();
        assert!(
            said.starts_with("tls_ca_file: '") && said.ends_with("no certificate that can be used"),
            "{said}"
        );
    }

    #[test]
    fn a_certificate_without_its_key_is_refused_even_if_it_is_not_used() {
        let tls = Tls { crt_file: Some(fixture("server.pem")), ..tls(fixture("ca.pem")) };
        assert_eq!(tls.load(false).unwrap_err(), "tls_crt_file and tls_key_file must be given together");
    }
}
