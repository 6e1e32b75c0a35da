//! The way to the API server: a `kube::Client` over a transport of our own.
//!
//! Serves the pod watch and the events input. Invariants: a request is answered, or fails within its limits, also on
//! a half-open connection; a refused token is read again at once and the request repeated once; a rotated CA is
//! taken up by the next connection.

use std::{
    env,
    path::PathBuf,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
    time::Duration,
};

use hyper::{
    Request, Response, StatusCode, Uri,
    header::{AUTHORIZATION, HeaderValue, USER_AGENT},
    http::uri::{PathAndQuery, Scheme},
};
use kube::client::Body;
use rustls::pki_types::ServerName;
use tracing::warn;

use crate::{
    http::{self, causes},
    kube::api::{
        client_config::{ClientConfig, IN_CLUSTER_URL},
        error::{BadConfig, NoAnswer},
        risk::token_risk,
        timeout_body::TimeoutBody,
    },
    stamp::Stamp,
    tls::Tls,
    token::Bearer,
};

/// The way to one API server; clones share its connections and its token.
#[derive(Debug, Clone)]
pub struct Connection(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    server: Uri,
    prefix: String,
    tls: Tls,
    vhost: Option<ServerName<'static>>,
    token: Option<Bearer>,
    connect_timeout: Duration,
    read_timeout: Duration,
    http: Mutex<Option<Http>>,
}

/// The HTTP client, and the state of the certificates that it was made with.
#[derive(Debug)]
struct Http {
    client: http::Client<Body>,
    certificates: Vec<(PathBuf, Stamp)>,
}

impl Connection {
    /// Checks the settings; nothing is sent and no file is read yet.
    pub fn new(config: &ClientConfig) -> Result<Self, BadConfig> {
        let server = server(&config.url)?;
        let tls = Tls {
            prefix: config.option_prefix,
            ca_file: config.ca_file.clone(),
            ca_path: config.ca_path.clone(),
            crt_file: config.crt_file.clone(),
            key_file: config.key_file.clone(),
            verify: config.tls_verify,
            verify_hostname: config.tls_verify_hostname,
        };
        let vhost =
            |name: &String| ServerName::try_from(name.clone()).map_err(|_| BadConfig::Vhost(name.clone()));
        let vhost = config.tls_vhost.as_ref().map(vhost).transpose()?;
        if let Some(risk) = token_risk(config, &server) {
            warn!("{server}: the token is sent {risk}");
        }
        Ok(Self(Arc::new(Inner {
            prefix: server.path().trim_end_matches('/').to_owned(),
            server,
            tls,
            vhost,
            token: Bearer::new(config.token_command.clone(), config.token_file.clone(), config.token_ttl),
            connect_timeout: config.connect_timeout,
            read_timeout: config.read_timeout,
            http: Mutex::default(),
        })))
    }

    /// kube's client over this connection. Has to be called on the runtime, where it keeps a task of its own for as
    /// long as it lives.
    pub fn client(&self) -> kube::Client {
        kube::Client::new(Transport(self.clone()), "default")
    }

    async fn answer(&self, request: Request<Body>) -> Result<Response<TimeoutBody>, NoAnswer> {
        let (parts, body) = request.into_parts();
        let again = body.try_clone();
        let token = self.0.token.as_ref();
        let sent = match token {
            Some(token) => token.header().await,
            None => None,
        };
        let limit = self.pause_limit(&parts.uri);
        let response = self.send(&parts, body, sent.clone(), limit).await?;
        if response.status() != StatusCode::UNAUTHORIZED {
            return Ok(response);
        }
        let fresh = match token {
            Some(token) => token.renewed(sent.as_ref()).await,
            None => None,
        };
        match again {
            Some(body) if fresh != sent => self.send(&parts, body, fresh, limit).await,
            _ => Ok(response),
        }
    }

    async fn send(
        &self,
        parts: &hyper::http::request::Parts,
        body: Body,
        token: Option<HeaderValue>,
        pause_limit: Option<Duration>,
    ) -> Result<Response<TimeoutBody>, NoAnswer> {
        let mut request = Request::new(body);
        *request.method_mut() = parts.method.clone();
        *request.uri_mut() = self.target(&parts.uri)?;
        *request.headers_mut() = parts.headers.clone();
        request.headers_mut().insert(USER_AGENT, http::USER_AGENT);
        if let Some(token) = token {
            request.headers_mut().insert(AUTHORIZATION, token);
        }
        let limit = self.0.connect_timeout + self.0.read_timeout;
        let answer = self.http()?.request(request);
        match tokio::time::timeout(limit, answer).await {
            Err(_) => Err(NoAnswer::Late { server: self.name(), limit }),
            Ok(Err(why)) => Err(NoAnswer::Unreachable { server: self.name(), cause: causes(&why) }),
            Ok(Ok(response)) => Ok(response.map(|body| TimeoutBody::new(body, pause_limit))),
        }
    }

    fn name(&self) -> String {
        self.0.server.to_string().trim_end_matches('/').to_owned()
    }

    fn target(&self, uri: &Uri) -> Result<Uri, NoAnswer> {
        let path = uri.path_and_query().map_or("/", PathAndQuery::as_str);
        let mut parts = self.0.server.clone().into_parts();
        let broken = |why: &dyn std::fmt::Display| NoAnswer::Unreachable {
            server: self.name(),
            cause: why.to_string(),
        };
        parts.path_and_query =
            Some(PathAndQuery::try_from(format!("{}{path}", self.0.prefix)).map_err(|why| broken(&why))?);
        Uri::from_parts(parts).map_err(|why| broken(&why))
    }

    /// A watch may be silent until the server ends it; any other answer must flow.
    fn pause_limit(&self, uri: &Uri) -> Option<Duration> {
        let query = uri.query().unwrap_or_default();
        let mut keys = query.split('&').filter_map(|pair| pair.split_once('='));
        if !keys.clone().any(|(key, value)| key == "watch" && matches!(value, "1" | "true")) {
            return Some(self.0.read_timeout);
        }
        let (_, seconds) = keys.find(|(key, _)| *key == "timeoutSeconds")?;
        Some(Duration::from_secs(seconds.parse().ok()?) + self.0.read_timeout)
    }

    /// The HTTP client, made anew when the certificates on disk changed.
    fn http(&self) -> Result<http::Client<Body>, NoAnswer> {
        let secure = self.0.server.scheme() == Some(&Scheme::HTTPS);
        let certificates = if secure { self.0.tls.stamps() } else { Vec::new() };
        {
            let http = self.0.http.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(http) = http.as_ref()
                && http.certificates == certificates
            {
                return Ok(http.client.clone());
            }
        }
        let client = self.build(secure)?;
        let mut http = self.0.http.lock().unwrap_or_else(PoisonError::into_inner);
        *http = Some(Http { client: client.clone(), certificates });
        Ok(client)
    }

    fn build(&self, secure: bool) -> Result<http::Client<Body>, NoAnswer> {
        let mut tcp = http::tcp(self.0.connect_timeout);
        // A peer that vanished is noticed by the kernel, also during a watch in which nothing has to come.
        tcp.set_keepalive(Some(Duration::from_secs(30)));
        tcp.set_keepalive_interval(Some(Duration::from_secs(10)));
        tcp.set_keepalive_retries(Some(3));
        tcp.set_tcp_user_timeout(Some(Duration::from_secs(60)));
        let tls = self.0.tls.load(secure).map_err(NoAnswer::Tls)?;
        Ok(http::client(tcp, tls, self.0.vhost.as_ref(), Duration::from_secs(60)))
    }
}

fn server(url: &str) -> Result<Uri, BadConfig> {
    let bad = |reason: &str| BadConfig::Url { url: url.to_owned(), reason: reason.to_owned() };
    if url.contains('@') {
        // What stands before it is a secret: it is not shown.
        let url = format!("…@{}", url.rsplit('@').next().unwrap_or_default());
        return Err(BadConfig::Url {
            url,
            reason: "credentials in it are not used, set kube_token_file".into(),
        });
    }
    let url = match (env::var("KUBERNETES_SERVICE_HOST"), env::var("KUBERNETES_SERVICE_PORT")) {
        (Ok(host), Ok(port)) if url == IN_CLUSTER_URL => in_cluster(&host, &port),
        _ => url.trim().to_owned(),
    };
    let uri: Uri = url.parse().map_err(|why: hyper::http::uri::InvalidUri| bad(&why.to_string()))?;
    if ![Some(&Scheme::HTTP), Some(&Scheme::HTTPS)].contains(&uri.scheme()) {
        return Err(bad("it begins with neither http:// nor https://"));
    }
    match uri.host() {
        None | Some("") => Err(bad("it names no host")),
        Some(_) if uri.query().is_some() => Err(bad("it has a query")),
        Some(_) => Ok(uri),
    }
}

/// The address that the kubelet gives to every container; an IPv6 one needs brackets.
fn in_cluster(host: &str, port: &str) -> String {
    match host.contains(':') {
        true => format!("https://[{host}]:{port}"),
        false => format!("https://{host}:{port}"),
    }
}

/// What kube drives: requests with a path only, answered by the server of the connection.
pub(crate) struct Transport(Connection);

impl tower_service::Service<Request<Body>> for Transport {
    type Response = Response<TimeoutBody>;
    type Error = NoAnswer;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let connection = self.0.clone();
        Box::pin(async move { connection.answer(request).await })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(url: &str, path: &str) -> String {
        let config = ClientConfig { url: url.into(), ..ClientConfig::default() };
        Connection::new(&config).unwrap().target(&path.parse().unwrap()).unwrap().to_string()
    }

    #[test]
    fn line_19_urls_keep_their_port_path_prefix_and_ipv6_host() {
        assert_eq!(
            target("http://127.0.0.1:8001", "/api/v1/pods?limit=5"),
            "http://127.0.0.1:8001/api/v1/pods?limit=5"
        );
        assert_eq!(target("https://[fd00::1]:6443/", "/api"), "https://[fd00::1]:6443/api");
        assert_eq!(target("https://host/k8s/clusters/c-1/", "/api"), "https://host/k8s/clusters/c-1/api");
    }

    #[test]
    fn a_bad_url_is_refused_with_a_sentence() {
        for url in ["kubernetes.default.svc", "ftp://host", "https://", "https://host?x=1", "http://[::1"] {
            let config = ClientConfig { url: url.into(), ..ClientConfig::default() };
            let said = Connection::new(&config).unwrap_err().to_string();
            assert!(said.contains(&format!("'{url}'")) && said.contains("http://"), "{said}");
        }
    }

    #[test]
    fn line_19_an_ipv6_service_address_gets_brackets() {
        assert_eq!(in_cluster("10.0.0.1", "443"), "https://10.0.0.1:443");
        assert_eq!(in_cluster("fd00::1", "443"), "https://[fd00::1]:443");
    }

    #[test]
    fn only_a_watch_may_be_silent_longer_than_the_read_limit() {
        let config = ClientConfig { read_timeout: Duration::from_secs(7), ..ClientConfig::default() };
        let connection = Connection::new(&config).unwrap();
        let limit = |path: &str| connection.pause_limit(&path.parse().unwrap());
        assert_eq!(limit("/api/v1/pods?limit=500"), Some(Duration::from_secs(7)));
        assert_eq!(limit("/api/v1/pods?watch=true&timeoutSeconds=290"), Some(Duration::from_secs(297)));
        assert_eq!(limit("/api/v1/pods?watch=true"), None);
    }
}
