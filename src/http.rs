//! What HTTP clients of any server need alike.
//!
//! Serves the clients of the API server and of VictoriaLogs. Invariant: what an operator reads of an error reaches
//! down to its root.

use std::{error::Error, fmt::Write as _, time::Duration};

use hyper::{
    body::Body,
    header::{HeaderMap, HeaderValue, RETRY_AFTER},
};
use hyper_rustls::{FixedServerNameResolver, HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{self, connect::HttpConnector},
    rt::{TokioExecutor, TokioTimer},
};
use rustls::{ClientConfig, pki_types::ServerName};

/// How we name ourselves to servers.
pub(crate) const USER_AGENT: HeaderValue =
    HeaderValue::from_static(concat!("flb-kube/", env!("CARGO_PKG_VERSION")));

/// A client that keeps its connections for the next requests.
pub(crate) type Client<B> = legacy::Client<HttpsConnector<HttpConnector>, B>;

/// How connections are made: within this time, for `https` as well, and without waiting to fill a packet.
pub(crate) fn tcp(connect_timeout: Duration) -> HttpConnector {
    let mut tcp = HttpConnector::new();
    tcp.enforce_http(false);
    tcp.set_nodelay(true);
    tcp.set_connect_timeout(Some(connect_timeout));
    tcp
}

/// A client over such connections, that asks for and checks the name `vhost` where it is not the address' own, and
/// closes connections that were idle for so long.
pub(crate) fn client<B: Body<Data: Send> + Send>(
    tcp: HttpConnector,
    tls: ClientConfig,
    vhost: Option<&ServerName<'static>>,
    idle: Duration,
) -> Client<B> {
    let https = HttpsConnectorBuilder::new().with_tls_config(tls).https_or_http();
    let https = match vhost {
        Some(name) => https.with_server_name_resolver(FixedServerNameResolver::new(name.clone())),
        None => https,
    };
    legacy::Client::builder(TokioExecutor::new())
        .pool_timer(TokioTimer::new())
        .pool_idle_timeout(idle)
        .build(https.enable_http1().wrap_connector(tcp))
}

/// How long a server wants to be left alone.
pub(crate) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds = headers.get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds))
}

/// The error and what lies under it, without what a cause repeats.
pub(crate) fn causes(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let under = error.to_string();
        if !text.contains(&under) {
            text = format!("{text}: {under}");
        }
        cause = error.source();
    }
    text
}

/// Appends a value as a query can carry it, whatever is in it.
pub(crate) fn percent_encode(query: &mut String, value: &str) {
    for byte in value.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => query.push(byte.into()),
            _ => _ = write!(query, "%{byte:02X}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_is_in_a_token_arrives() {
        let mut encoded = String::new();
        percent_encode(&mut encoded, "eyJ2IjoiA-b_c=&x=1 \u{e9}");
        assert_eq!(encoded, "eyJ2IjoiA-b_c%3D%26x%3D1%20%C3%A9");
    }
}
