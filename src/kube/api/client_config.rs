//! How to reach an API server or a kubelet.
//!
//! Serves `connection` and those who start one. Invariant: the default is a pod's own way.

use std::{path::PathBuf, time::Duration};

use crate::secret::Secret;

/// The address of the API server inside a cluster.
pub const IN_CLUSTER_URL: &str = "https://kubernetes.default.svc";
/// Where a pod finds its service account's CA.
pub const IN_CLUSTER_CA: &str = "/var/run/secrets/kubernetes.io/serviceaccount/ca.crt";
/// Where a pod finds its service account's token.
pub const IN_CLUSTER_TOKEN: &str = "/var/run/secrets/kubernetes.io/serviceaccount/token";
/// Where a pod finds the name of its namespace.
pub const IN_CLUSTER_NAMESPACE: &str = "/var/run/secrets/kubernetes.io/serviceaccount/namespace";

/// How to reach the API server. The default is a pod's own way.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ClientConfig {
    /// `http://` or `https://`, a host (IPv6 in brackets), and if need be a port and a path.
    pub url: String,
    /// What stands before `ca_file` in the name of the operator's option, for errors to name it.
    pub option_prefix: &'static str,
    /// Trusted certificates in PEM form; the system's own if there is neither a file nor a folder.
    pub ca_file: Option<PathBuf>,
    /// A folder of such files.
    pub ca_path: Option<PathBuf>,
    /// Our own certificate chain, for servers that ask for one.
    pub crt_file: Option<PathBuf>,
    /// Its key.
    pub key_file: Option<PathBuf>,
    /// The file of the bearer token; no token is sent without it.
    pub token_file: Option<PathBuf>,
    /// A command that prints the token, instead of the file.
    pub token_command: Option<Secret>,
    /// The token is read again when it is older than this, or its file changed, or the server refused it.
    pub token_ttl: Duration,
    /// Whether the server's certificate is checked.
    pub tls_verify: bool,
    /// Whether the certificate must also be for the server's name.
    pub tls_verify_hostname: bool,
    /// The name to ask for and to check, if it is not the URL's host.
    pub tls_vhost: Option<String>,
    /// The limit for a TCP connection to be made.
    pub connect_timeout: Duration,
    /// The limit for an answer to begin, and for each pause within it.
    pub read_timeout: Duration,
}

impl Default for ClientConfig {
    fn default() -> Self {
        Self {
            url: IN_CLUSTER_URL.into(),
            option_prefix: "kube_",
            ca_file: Some(IN_CLUSTER_CA.into()),
            ca_path: None,
            crt_file: None,
            key_file: None,
            token_file: Some(IN_CLUSTER_TOKEN.into()),
            token_command: None,
            token_ttl: Duration::from_secs(600),
            tls_verify: true,
            tls_verify_hostname: true,
            tls_vhost: None,
            connect_timeout: Duration::from_secs(10),
            read_timeout: Duration::from_secs(30),
        }
    }
}
