//! TLS: whom it trusts, under which name, and how it shows who it is.

use std::{
    fs,
    io::{Read, Write},
    net::TcpListener,
    path::{Path, PathBuf},
    sync::Arc,
    thread::Builder,
    time::{Duration, Instant},
};

use rustls::{
    DigitallySignedStruct, DistinguishedName, Error, ServerConfig, ServerConnection, SignatureScheme, Stream,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, UnixTime, pem::PemObject},
    server::danger::{ClientCertVerified, ClientCertVerifier},
};

use super::{Flushed, Running, line, now, output};

const NAME: &str = "kubernetes.default.svc";

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/support/tls").join(name)
}

fn path(name: &str) -> String {
    fixture(name).display().to_string()
}

fn chain() -> Vec<CertificateDer<'static>> {
    CertificateDer::pem_file_iter(fixture("server.pem")).unwrap().collect::<Result<_, _>>().unwrap()
}

/// Lets in only who shows the certificate of the tests.
#[derive(Debug)]
struct OnlyOurs;

impl ClientCertVerifier for OnlyOurs {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        shown: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        if *shown == chain()[0] {
            Ok(ClientCertVerified::assertion())
        } else {
            Err(Error::General("a stranger".into()))
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<rustls::client::danger::HandshakeSignatureValid, Error> {
        let algorithms = ring::default_provider().signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, cert, signature, &algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<rustls::client::danger::HandshakeSignatureValid, Error> {
        let algorithms = ring::default_provider().signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, cert, signature, &algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        ring::default_provider().signature_verification_algorithms.supported_schemes()
    }
}

/// Takes everything over TLS, as `kubernetes.default.svc`, until the test process ends.
fn server(asks_for_certificate: bool) -> String {
    let builder = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap();
    let builder = match asks_for_certificate {
        true => builder.with_client_cert_verifier(Arc::new(OnlyOurs)),
        false => builder.with_no_client_auth(),
    };
    let key = PrivateKeyDer::from_pem_file(fixture("server.key")).unwrap();
    let config = Arc::new(builder.with_single_cert(chain(), key).unwrap());
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let serve = move || {
        for mut socket in listener.incoming().flatten() {
            let mut tls = ServerConnection::new(Arc::clone(&config)).unwrap();
            let mut stream = Stream::new(&mut tls, &mut socket);
            let mut request = [0; 4096];
            if matches!(stream.read(&mut request), Ok(read) if read > 0) {
                let _ = stream.write_all(b"HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n");
            }
            tls.send_close_notify();
            let _ = tls.write_tls(&mut socket);
        }
    };
    Builder::new().name("tls server".into()).spawn(serve).unwrap();
    format!("https://127.0.0.1:{port}")
}

fn flush(output: &Running) -> Flushed {
    output.flush(&line(now(), "m"))
}

#[test]
fn a_server_is_trusted_if_the_ca_signed_it_for_the_name() {
    let url = server(false);
    let (ca, other) = (path("ca.pem"), path("other-ca.pem"));
    let trusted = [("tls_ca_file", ca.as_str()), ("tls_vhost", NAME)];
    assert_eq!(flush(&output(&url, &trusted)), Flushed::Done);
    assert_eq!(flush(&output(&url, &trusted[..1])), Flushed::Retry, "the address is not the name");
    let stranger = [("tls_ca_file", other.as_str()), ("tls_vhost", NAME)];
    assert_eq!(flush(&output(&url, &stranger)), Flushed::Retry, "another CA");
    assert_eq!(flush(&output(&url, &[("tls_verify", "off")])), Flushed::Done, "any server will do");
}

#[test]
fn a_folder_of_certificates_is_trusted() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("README"), "no certificate").unwrap();
    fs::copy(fixture("ca.pem"), folder.path().join("ca.pem")).unwrap();
    let folder = folder.path().display().to_string();
    assert_eq!(
        flush(&output(&server(false), &[("tls_ca_path", &folder), ("tls_vhost", NAME)])),
        Flushed::Done
    );
}

#[test]
fn our_own_certificate_is_shown_to_who_asks() {
    let url = server(true);
    let (ca, crt, key) = (path("ca.pem"), path("server.pem"), path("server.key"));
    let nobody = [("tls_ca_file", ca.as_str()), ("tls_vhost", NAME)];
    assert_eq!(flush(&output(&url, &nobody)), Flushed::Retry);
    let ours = [&nobody[..], &[("tls_crt_file", crt.as_str()), ("tls_key_file", key.as_str())]].concat();
    assert_eq!(flush(&output(&url, &ours)), Flushed::Done);
}

#[test]
fn a_certificate_that_is_replaced_is_read_again() {
    let folder = tempfile::tempdir().unwrap();
    let ca = folder.path().join("ca.pem");
    fs::copy(fixture("other-ca.pem"), &ca).unwrap();
    let output = output(&server(false), &[("tls_ca_file", &ca.display().to_string()), ("tls_vhost", NAME)]);
    assert_eq!(flush(&output), Flushed::Retry);
    fs::copy(fixture("ca.pem"), &ca).unwrap();
    let deadline = Instant::now() + Duration::from_secs(40);
    while flush(&output) == Flushed::Retry {
        assert!(Instant::now() < deadline, "the new certificate was not taken up");
        std::thread::sleep(Duration::from_millis(100));
    }
}
