//! Posting a body: HTTP/1.1 over kept connections, with TLS and credentials as configured.
//!
//! Serves `deliver`, which judges the answers. Invariant: every request ends within its time limit, and nothing
//! secret shows in an error.

use std::{
    fs,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use arc_swap::ArcSwap;
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::{
    Method, Request, Response, StatusCode, Uri,
    body::Incoming,
    header::{AUTHORIZATION, CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, USER_AGENT},
};
use hyper_rustls::{FixedServerNameResolver, HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{Client as Pool, connect::HttpConnector},
    rt::{TokioExecutor, TokioTimer},
};
use rustls::pki_types::ServerName;
use tracing::{info, warn};

use super::config::{Auth, Config, Hidden};
use crate::{
    http::{causes, retry_after},
    tls::{Stamp, Tls, stamp},
};

/// How often files of certificates are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How much of an answer is read.
const ANSWER: usize = 64 * 1024;
/// How much of it is shown.
const SHOWN: usize = 200;

/// What a server said.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    /// How long it wants to be left alone.
    pub retry_after: Option<Duration>,
    /// The first line of its body, shortened.
    pub text: String,
}

/// The way to all servers of one output.
pub struct Client {
    config: Arc<Config>,
    pool: ArcSwap<Pool<HttpsConnector<HttpConnector>, Full<Bytes>>>,
    tls: Tls,
    certificates: Mutex<(Instant, Vec<(PathBuf, Stamp)>)>,
    headers: HeaderMap,
    token: Option<TokenFile>,
}

impl Client {
    /// Reads certificates and tokens; the error is a sentence for the operator.
    pub fn new(config: Arc<Config>) -> Result<Self, String> {
        let token = match &config.auth {
            Auth::BearerFile(path) => Some(TokenFile::open(path.clone())?),
            _ => None,
        };
        let tls = tls(&config);
        Ok(Self {
            // Before the files are read: a change from here on is seen.
            certificates: Mutex::new((Instant::now(), tls.stamps())),
            pool: ArcSwap::from_pointee(pool(&config, &tls)?),
            tls,
            headers: headers(&config)?,
            token,
            config,
        })
    }

    /// Looks whether files of certificates or the token changed since. May block on the file system.
    pub fn refresh(&self) {
        if let Some(token) = &self.token {
            token.refresh();
        }
        let before = {
            let mut certificates = self.certificates.lock().unwrap_or_else(PoisonError::into_inner);
            if certificates.0.elapsed() < LOOK_EVERY || certificates.1.is_empty() {
                return;
            }
            certificates.0 = Instant::now();
            certificates.1.clone()
        };
        let stamps = self.tls.stamps();
        if stamps == before {
            return;
        }
        match pool(&self.config, &self.tls) {
            Ok(pool) => {
                info!("TLS files have changed and were read again");
                self.pool.store(Arc::new(pool));
                self.certificates.lock().unwrap_or_else(PoisonError::into_inner).1 = stamps;
            }
            Err(why) => warn!("TLS files have changed but can't be used, the former ones stay: {why}"),
        }
    }

    /// Posts a packed body and waits for the answer; the error says what went wrong on the way.
    pub async fn post(&self, uri: &Uri, body: Bytes) -> Result<Answer, String> {
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = uri.clone();
        *request.headers_mut() = self.headers.clone();
        if let Some(token) = &self.token {
            request.headers_mut().insert(AUTHORIZATION, token.header());
        }
        let limit = self.config.limits.request;
        let pool = self.pool.load_full();
        let exchange = async {
            let response = pool.request(request).await.map_err(|error| causes(&error))?;
            answer(response).await
        };
        match tokio::time::timeout(limit, exchange).await {
            Ok(answered) => answered,
            Err(_) => Err(format!("no answer within {} s (option timeout)", limit.as_secs_f64())),
        }
    }
}

async fn answer(response: Response<Incoming>) -> Result<Answer, String> {
    let (head, body) = response.into_parts();
    let retry_after = retry_after(&head.headers);
    let text = match Limited::new(body, ANSWER).collect().await {
        Ok(body) => first_line(&body.to_bytes()),
        // A success counts when it is whole; what an error says does not matter as much.
        Err(error) if head.status.is_success() => return Err(format!("the answer broke off: {error}")),
        Err(_) => String::new(),
    };
    Ok(Answer { status: head.status, retry_after, text })
}

fn first_line(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(body.get(..SHOWN).unwrap_or(body));
    text.trim().lines().next().unwrap_or_default().to_owned()
}

fn tls(config: &Config) -> Tls {
    let tls = config.tls.clone();
    Tls {
        prefix: "tls_",
        ca_file: tls.ca_file,
        ca_path: tls.ca_path,
        crt_file: tls.crt_file,
        key_file: tls.key_file,
        verify: tls.verify,
        verify_hostname: true,
    }
}

fn pool(config: &Config, tls: &Tls) -> Result<Pool<HttpsConnector<HttpConnector>, Full<Bytes>>, String> {
    let used = config.addresses.iter().any(super::endpoint::Address::is_secure);
    let mut http = HttpConnector::new();
    http.enforce_http(false);
    http.set_nodelay(true);
    http.set_connect_timeout(Some(config.limits.connect));
    let mut https = HttpsConnectorBuilder::new().with_tls_config(tls.load(used)?).https_or_http();
    if let Some(vhost) = &config.tls.vhost {
        let name = ServerName::try_from(vhost.clone())
            .map_err(|_| format!("tls_vhost: '{vhost}' is not a host's name"))?;
        https = https.with_server_name_resolver(FixedServerNameResolver::new(name));
    }
    Ok(Pool::builder(TokioExecutor::new())
        .pool_timer(TokioTimer::new())
        .pool_idle_timeout(config.limits.idle)
        .build(https.enable_http1().wrap_connector(http)))
}

fn headers(config: &Config) -> Result<HeaderMap, String> {
    let mut headers = HeaderMap::new();
    let protocol = config.mapping.protocol;
    headers.insert(USER_AGENT, HeaderValue::from_static(concat!("flb-kube/", env!("CARGO_PKG_VERSION"))));
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(protocol.content_type()));
    headers.insert(CONTENT_ENCODING, HeaderValue::from_static(config.compression.encoding()));
    headers.insert(HeaderName::from_static("accountid"), config.tenant.account.into());
    headers.insert(HeaderName::from_static("projectid"), config.tenant.project.into());
    match &config.auth {
        Auth::Basic(user, Hidden(password)) => {
            let pair = base64(format!("{user}:{password}").as_bytes());
            headers.insert(AUTHORIZATION, secret(&format!("Basic {pair}"), "http_user and http_passwd")?);
        }
        Auth::Bearer(Hidden(token)) => {
            headers.insert(AUTHORIZATION, secret(&format!("Bearer {token}"), "bearer_token")?);
        }
        Auth::BearerFile(_) | Auth::None => {}
    }
    for (name, Hidden(value)) in &config.headers {
        let bad = |_| format!("header: '{name}' is not a header's name");
        headers.insert(HeaderName::from_bytes(name.as_bytes()).map_err(bad)?, secret(value, "header")?);
    }
    Ok(headers)
}

fn secret(value: &str, option: &str) -> Result<HeaderValue, String> {
    let mut value = HeaderValue::from_str(value)
        .map_err(|_| format!("{option}: the value holds characters that a header can't carry"))?;
    value.set_sensitive(true);
    Ok(value)
}

/// Base 64 with padding, as basic authentication writes it.
fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for three in bytes.chunks(3) {
        let bits =
            three.iter().enumerate().fold(0u32, |bits, (at, &byte)| bits | u32::from(byte) << (16 - 8 * at));
        for digit in 0..4 {
            text.push(match digit <= three.len() {
                true => DIGITS[(bits >> (18 - 6 * digit) & 0x3f) as usize].into(),
                false => '=',
            });
        }
    }
    text
}

/// A token in a file that others replace.
struct TokenFile {
    path: PathBuf,
    held: Mutex<(Stamp, HeaderValue)>,
}

impl TokenFile {
    fn open(path: PathBuf) -> Result<Self, String> {
        let (stamp, header) = Self::read(&path)?;
        Ok(Self { path, held: Mutex::new((stamp, header)) })
    }

    fn read(path: &PathBuf) -> Result<(Stamp, HeaderValue), String> {
        let stamp = stamp(path);
        let token = fs::read_to_string(path)
            .map_err(|error| format!("bearer_token_file: '{}' can't be read: {error}", path.display()))?;
        match token.trim() {
            "" => Err(format!("bearer_token_file: '{}' is empty", path.display())),
            token => Ok((stamp, secret(&format!("Bearer {token}"), "bearer_token_file")?)),
        }
    }

    fn header(&self) -> HeaderValue {
        self.held.lock().unwrap_or_else(PoisonError::into_inner).1.clone()
    }

    fn refresh(&self) {
        let stamp = stamp(&self.path);
        if self.held.lock().unwrap_or_else(PoisonError::into_inner).0 == stamp {
            return;
        }
        match Self::read(&self.path) {
            Ok(read) => *self.held.lock().unwrap_or_else(PoisonError::into_inner) = read,
            Err(why) => warn!("{why}; the former token stays in use"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_pads_as_the_standard_says() {
        for (plain, coded) in [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("Aladdin:open sesame", "QWxhZGRpbjpvcGVuIHNlc2FtZQ=="),
        ] {
            assert_eq!(base64(plain.as_bytes()), coded);
        }
        assert_eq!(base64(&[0xff, 0xfe, 0xfd]), "//79");
    }

    #[test]
    fn a_replaced_token_is_taken_up_and_a_vanished_one_stays() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        fs::write(&path, "one\n").unwrap();
        let token = TokenFile::open(path.clone()).unwrap();
        assert_eq!(token.header(), "Bearer one");
        fs::write(&path, "second").unwrap();
        token.refresh();
        assert_eq!(token.header(), "Bearer second");
        fs::remove_file(&path).unwrap();
        token.refresh();
        assert_eq!(token.header(), "Bearer second");
    }
}
