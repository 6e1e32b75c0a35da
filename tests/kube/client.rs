//! The way to the API server over TLS: whom it trusts, under which name, and how it says no.

use std::{
    fs,
    io::{Read, Write},
    net::TcpListener,
    path::{Path, PathBuf},
    sync::Arc,
    thread::Builder,
    time::Duration,
};

use flb_kube::{
    kube::api::{
        client_config::ClientConfig,
        connection::Connection,
        resource::{Page, Resource},
    },
    runtime::{Owner, Tasks},
};
use kube::api::ListParams;
use rustls::{
    ServerConfig, ServerConnection, Stream,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/support/tls").join(name)
}

/// Serves empty lists over TLS, as `kubernetes.default.svc`, until the test process ends.
fn server() -> String {
    let chain = CertificateDer::pem_file_iter(fixture("server.pem")).expect("a certificate");
    let chain = chain.collect::<Result<Vec<_>, _>>().expect("a certificate");
    let key = PrivateKeyDer::from_pem_file(fixture("server.key")).expect("a key");
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("protocol versions")
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .expect("a server configuration");
    let config = Arc::new(config);
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = listener.local_addr().expect("an address").port();
    let serve = move || {
        for mut socket in listener.incoming().flatten() {
            let Ok(mut tls) = ServerConnection::new(Arc::clone(&config)) else { continue };
            let mut stream = Stream::new(&mut tls, &mut socket);
            let mut request = [0; 4096];
            if matches!(stream.read(&mut request), Ok(read) if read > 0) {
                let body = r#"{"metadata":{"resourceVersion":"7"},"items":[]}"#;
                let head =
                    format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", body.len());
                let _ = stream.write_all((head + body).as_bytes());
            }
            tls.send_close_notify();
            let _ = tls.write_tls(&mut socket);
        }
    };
    Builder::new().name("tls server".into()).spawn(serve).expect("a thread");
    format!("https://127.0.0.1:{port}")
}

fn config(url: &str) -> ClientConfig {
    ClientConfig {
        url: url.to_owned(),
        ca_file: Some(fixture("ca.pem")),
        token_file: None,
        connect_timeout: Duration::from_secs(5),
        read_timeout: Duration::from_secs(5),
        ..ClientConfig::default()
    }
}

/// The version of the list, or what was said instead.
fn list(connection: &Connection) -> Result<String, String> {
    let tasks = Tasks::new(Owner { name: "filter:kube:kube.0".into(), level: 3 }).expect("a runtime");
    let listed = tasks.block_on(async {
        let pods = Resource::new(connection.client(), "/api/v1/pods");
        let page: Page<serde_json::Value> =
            pods.page(&ListParams::default()).await.map_err(|why| why.to_string())?;
        Ok(page.metadata.resource_version)
    });
    tasks.stop();
    listed.expect("an answer before the end")
}

fn try_once(config: &ClientConfig) -> Result<String, String> {
    list(&Connection::new(config).expect("a good configuration"))
}

#[test]
fn a_certificate_is_trusted_if_the_ca_signed_it_for_the_name() {
    let url = server();
    let wrong_name = try_once(&config(&url)).unwrap_err();
    assert!(wrong_name.contains(&url) && wrong_name.contains("not valid for name"), "{wrong_name}");
    let named = ClientConfig { tls_vhost: Some("kubernetes.default.svc".into()), ..config(&url) };
    assert_eq!(try_once(&named), Ok("7".into()));
    let stranger = try_once(&ClientConfig { ca_file: Some(fixture("other-ca.pem")), ..named }).unwrap_err();
    assert!(stranger.contains("UnknownIssuer"), "{stranger}");
}

#[test]
fn without_the_name_check_the_ca_still_counts() {
    let config = ClientConfig { tls_verify_hostname: false, ..config(&server()) };
    assert_eq!(try_once(&config), Ok("7".into()));
    let stranger = ClientConfig { ca_file: Some(fixture("other-ca.pem")), ..config };
    assert!(try_once(&stranger).unwrap_err().contains("UnknownIssuer"));
}

#[test]
fn without_verification_no_ca_is_needed() {
    let config = ClientConfig { tls_verify: false, ca_file: Some("/no/such/ca".into()), ..config(&server()) };
    assert_eq!(try_once(&config), Ok("7".into()));
}

#[test]
fn a_folder_of_cas_may_hold_other_files_too() {
    let folder = tempfile::tempdir().unwrap();
    fs::copy(fixture("ca.pem"), folder.path().join("one.crt")).unwrap();
    fs::write(folder.path().join("README"), "our CAs").unwrap();
    let config = ClientConfig {
        ca_file: None,
        ca_path: Some(folder.path().into()),
        tls_verify_hostname: false,
        ..config(&server())
    };
    assert_eq!(try_once(&config), Ok("7".into()));
}

#[test]
fn line_19_a_ca_that_is_missing_is_named_and_a_rotated_one_is_taken_up() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ca.crt");
    let config =
        ClientConfig { ca_file: Some(file.clone()), tls_verify_hostname: false, ..config(&server()) };
    let connection = Connection::new(&config).unwrap();
    assert!(list(&connection).unwrap_err().contains(&file.display().to_string()));
    fs::copy(fixture("other-ca.pem"), &file).unwrap();
    assert!(list(&connection).unwrap_err().contains("UnknownIssuer"));
    fs::copy(fixture("ca.pem"), &file).unwrap();
    let later = fs::metadata(&file).unwrap().modified().unwrap() + Duration::from_secs(1);
    fs::File::options().append(true).open(&file).unwrap().set_modified(later).unwrap();
    assert_eq!(list(&connection), Ok("7".into()));
}

#[test]
fn a_name_that_no_certificate_can_have_is_refused_at_the_start() {
    let config = ClientConfig { tls_vhost: Some("no name".into()), ..config("https://127.0.0.1:1") };
    assert!(Connection::new(&config).unwrap_err().to_string().contains("'no name'"));
}

#[test]
fn a_server_that_is_not_there_is_named_with_the_reason() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let said = try_once(&config(&url)).unwrap_err();
    assert!(said.contains(&url) && said.contains("refused"), "{said}");
}
