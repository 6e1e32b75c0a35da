//! Posting a body: HTTP/1.1 over kept connections, with TLS and credentials as configured.
//!
//! Serves `deliver`, which judges the answers. Invariant: every request ends within its time limit, and nothing
//! secret shows in an error.

use std::{
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
use rustls::pki_types::ServerName;
use tracing::{info, warn};

use super::config::{Auth, Config, Hidden};
use crate::{
    http::{self, causes, retry_after},
    stamp::Stamp,
    tls::Tls,
    token::Token,
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
    pool: ArcSwap<http::Client<Full<Bytes>>>,
    tls: Tls,
    certificates: Mutex<(Instant, Vec<(PathBuf, Stamp)>)>,
    headers: HeaderMap,
    token: Option<Token>,
}

impl Client {
    /// Reads certificates and tokens; the error is a sentence for the operator.
    pub fn new(config: Arc<Config>) -> Result<Self, String> {
        let token = match &config.auth {
            Auth::BearerFile(path) => Some(
                Token::open(path.clone(), Duration::MAX)
                    .map_err(|why| format!("bearer_token_file: '{}' can't be read: {why}", path.display()))?,
            ),
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

    /// Looks whether files of certificates changed since. May block on the file system.
    pub fn refresh(&self) {
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
        if let Some(token) = self.token.as_ref().and_then(Token::header) {
            request.headers_mut().insert(AUTHORIZATION, token);
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

fn pool(config: &Config, tls: &Tls) -> Result<http::Client<Full<Bytes>>, String> {
    let used = config.addresses.iter().any(super::endpoint::Address::is_secure);
    let vhost = |name: &String| {
        ServerName::try_from(name.clone()).map_err(|_| format!("tls_vhost: '{name}' is not a host's name"))
    };
    let vhost = config.tls.vhost.as_ref().map(vhost).transpose()?;
    let limits = &config.limits;
    Ok(http::client(http::tcp(limits.connect), tls.load(used)?, vhost.as_ref(), limits.idle))
}

fn headers(config: &Config) -> Result<HeaderMap, String> {
    let mut headers = HeaderMap::new();
    let protocol = config.mapping.protocol;
    headers.insert(USER_AGENT, http::USER_AGENT);
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
}
