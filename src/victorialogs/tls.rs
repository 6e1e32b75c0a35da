//! How `https` is spoken: whom to trust, who we are.
//!
//! Serves `client`. Invariant: the crypto provider is named here, never taken from the process, which is the host's.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
    time::SystemTime,
};

use hyper_rustls::ConfigBuilderExt as _;
use rustls::{
    ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature},
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime, pem::PemObject as _},
};

use super::config::Tls;

/// Reads all files and makes the configuration; the error is a sentence. `used` is false where no address needs it.
pub(crate) fn config(tls: &Tls, used: bool) -> Result<ClientConfig, String> {
    let provider = Arc::new(ring::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| format!("TLS can't be set up: {error}"))?;
    let builder = if !used {
        builder.with_root_certificates(RootCertStore::empty())
    } else if !tls.verify {
        builder.dangerous().with_custom_certificate_verifier(Arc::new(Anyone(provider)))
    } else if tls.ca_file.is_some() || tls.ca_path.is_some() {
        builder.with_root_certificates(roots(tls)?)
    } else {
        builder.with_native_roots().map_err(|error| {
            format!("the system's certificates can't be read: {error}; name some with tls_ca_file")
        })?
    };
    match (&tls.crt_file, &tls.key_file) {
        (Some(crt), Some(key)) if used => {
            let key_der = PrivateKeyDer::from_pem_file(key).map_err(|error| {
                format!("tls_key_file: '{}' holds no private key: {error}", key.display())
            })?;
            builder
                .with_client_auth_cert(certificates(crt, "tls_crt_file")?, key_der)
                .map_err(|error| format!("tls_crt_file and tls_key_file don't fit each other: {error}"))
        }
        (Some(_), None) | (None, Some(_)) => {
            Err("tls_crt_file and tls_key_file must be given together".into())
        }
        _ => Ok(builder.with_no_client_auth()),
    }
}

fn roots(tls: &Tls) -> Result<RootCertStore, String> {
    let mut roots = RootCertStore::empty();
    if let Some(file) = &tls.ca_file {
        for certificate in certificates(file, "tls_ca_file")? {
            roots.add(certificate).map_err(|error| {
                format!("tls_ca_file: '{}' holds a bad certificate: {error}", file.display())
            })?;
        }
    }
    if let Some(path) = &tls.ca_path {
        let files = folder(path)
            .map_err(|error| format!("tls_ca_path: '{}' can't be read: {error}", path.display()))?;
        // A folder of certificates may hold other things.
        for file in files {
            roots.add_parsable_certificates(certificates(&file, "tls_ca_path").unwrap_or_default());
        }
    }
    if roots.is_empty() {
        return Err("tls_ca_path: no certificate was found there".into());
    }
    Ok(roots)
}

fn certificates(file: &Path, option: &str) -> Result<Vec<CertificateDer<'static>>, String> {
    let bad = |error: &dyn std::fmt::Display| {
        format!("{option}: '{}' can't be read as certificates in PEM form: {error}", file.display())
    };
    let certificates: Vec<_> = CertificateDer::pem_file_iter(file)
        .map_err(|error| bad(&error))?
        .collect::<Result<_, _>>()
        .map_err(|error| bad(&error))?;
    if certificates.is_empty() { Err(bad(&"there is none")) } else { Ok(certificates) }
}

fn folder(path: &Path) -> io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(path)? {
        files.push(entry?.path());
    }
    files.sort();
    Ok(files)
}

/// Tells whether any of the files changed: their names, times and lengths.
pub(crate) fn stamp(tls: &Tls) -> Vec<(PathBuf, Option<(SystemTime, u64)>)> {
    let mut files: Vec<PathBuf> =
        [&tls.ca_file, &tls.crt_file, &tls.key_file].into_iter().flatten().cloned().collect();
    if let Some(path) = &tls.ca_path {
        files.extend(folder(path).unwrap_or_default());
    }
    files
        .into_iter()
        .map(|file| {
            let stamp = fs::metadata(&file).and_then(|meta| Ok((meta.modified()?, meta.len()))).ok();
            (file, stamp)
        })
        .collect()
}

/// Trusts whoever answers, as `tls_verify off` asks for.
#[derive(Debug)]
struct Anyone(Arc<CryptoProvider>);

impl ServerCertVerifier for Anyone {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, cert, signature, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, cert, signature, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
