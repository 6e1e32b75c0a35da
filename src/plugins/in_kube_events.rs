//! The input `kube_events`: its options, and the events behind them.
//!
//! Serves operators. Invariant: nothing is decided here but what an option means.

use std::{path::PathBuf, time::Duration};

use crate::{
    choices,
    events::{Config, DbSettings, Events, Journal, Synchronous},
    kube::api::{client_config::ClientConfig, connection::Connection},
    options,
    options::BadOption,
    plugin::{Engine, Input, Refusal, Wake},
    runtime::Tasks,
};

options! {
    /// Options of the input `kube_events`.
    pub struct KubeEventsOptions {
        /// Address of the API server: http:// or https://, a host, and if need be a port and a path.
        "kube_url" => url: String = "https://kubernetes.default.svc",
        /// Certificates that the API server's own is checked with, in PEM form.
        "kube_ca_file" => ca_file: Option<String> = "/var/run/secrets/kubernetes.io/serviceaccount/ca.crt",
        /// A folder of such files.
        "kube_ca_path" => ca_path: Option<String> = "",
        /// The file of the bearer token; none is sent if empty.
        "kube_token_file" => token_file: Option<String> = "/var/run/secrets/kubernetes.io/serviceaccount/token",
        /// The token is read again when it is older than this; and at once when its file changed, or when the server
        /// refused it.
        "kube_token_ttl" => token_ttl: Duration = "10m",
        /// Whether the API server's certificate is checked. (The host keeps the keys tls.* of inputs to itself.)
        "kube_tls_verify" => tls_verify: bool = "on",
        /// Whether the certificate must also be for the API server's name.
        "kube_tls_verify_hostname" => tls_verify_hostname: bool = "on",
        /// The name that the certificate must be for, if it is not the host of kube_url.
        "kube_tls_vhost" => tls_vhost: Option<String> = "",
        /// The namespace whose events are taken; all if empty.
        "kube_namespace" => namespace: Option<String> = "",
        /// Events per page when they are listed; 0 for all in one.
        "kube_request_limit" => request_limit: u32 = "500",
        /// How long an event is remembered after it was last seen, and how old one may be at the first start.
        "kube_retention_time" => retention: Duration = "1h",
        /// How long a watch lasts before it is opened anew where it ended; 0 leaves it to the server.
        "kube_watch_timeout" => watch_timeout: Duration = "10m",
        /// Seconds of the first pause after a failure; pauses double, with jitter, up to 30 seconds.
        "interval_sec" => interval_sec: u32 = "0",
        /// Nanoseconds of the same pause.
        "interval_nsec" => interval_nsec: u32 = "500000000",
        /// The SQLite file that keeps the cursor; without it a restart sends again what is in the cluster and within
        /// kube_retention_time.
        "db" => db: Option<String> = "",
        /// How hard SQLite tries that a commit survives a power cut: extra, full, normal or off.
        "db.sync" => db_sync: Synchronous = "normal",
        /// Whether other processes are locked out of the file.
        "db.locking" => db_locking: bool = "off",
        /// SQLite's journal: DELETE, TRUNCATE, PERSIST, MEMORY, WAL or OFF.
        "db.journal_mode" => db_journal: Journal = "WAL",
    }
}

choices! {
    Synchronous: "extra" => Self::Extra, "full" => Self::Full, "normal" => Self::Normal, "off" => Self::Off
}

choices! {
    Journal:
    "DELETE" => Self::Delete,
    "TRUNCATE" => Self::Truncate,
    "PERSIST" => Self::Persist,
    "MEMORY" => Self::Memory,
    "WAL" => Self::Wal,
    "OFF" => Self::Off,
}

/// The input.
#[derive(Debug)]
pub struct KubeEvents(Events);

impl Input for KubeEvents {
    const NAME: &'static str = "kube_events";
    const DESCRIPTION: &'static str = "Kubernetes Events, each version once, also across restarts";
    type Options = KubeEventsOptions;

    fn start(options: KubeEventsOptions, tasks: Tasks, wake: Wake) -> Result<Self, Refusal> {
        let connection = Connection::new(&client(&options)).map_err(Refusal::new)?;
        let url = options.url.clone();
        let events = Events::start(config(options)?, connection, &url, &tasks, move || wake.wake());
        events.map(Self).map_err(|error| {
            Refusal::new(format_args!("no thread for the cursor's file can be started: {error}"))
        })
    }

    fn collect(&self, engine: &mut dyn Engine) {
        self.0.deliver(|records, data| engine.append(records, data).is_ok());
    }

    fn pause(&self) {
        self.0.pause();
    }

    fn resume(&self) {
        self.0.resume();
    }
}

fn client(options: &KubeEventsOptions) -> ClientConfig {
    ClientConfig {
        url: options.url.clone(),
        ca_file: options.ca_file.clone().map(PathBuf::from),
        ca_path: options.ca_path.clone().map(PathBuf::from),
        token_file: options.token_file.clone().map(PathBuf::from),
        token_ttl: options.token_ttl,
        tls_verify: options.tls_verify,
        tls_verify_hostname: options.tls_verify_hostname,
        tls_vhost: options.tls_vhost.clone(),
        ..ClientConfig::default()
    }
}

fn config(options: KubeEventsOptions) -> Result<Config, Refusal> {
    if let Some(namespace) = &options.namespace {
        let allowed = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-');
        if namespace.len() > 63 || !namespace.bytes().all(allowed) {
            let reason = "is no name of a namespace; write one, in lower case, or leave it out for all";
            return Err(Refusal::new(BadOption::new("kube_namespace", namespace, reason)));
        }
    }
    Ok(Config {
        namespace: options.namespace,
        page: options.request_limit,
        retention: options.retention,
        watch_timeout: Some(options.watch_timeout).filter(|timeout| !timeout.is_zero()),
        retry: Duration::from_secs(options.interval_sec.into())
            + Duration::from_nanos(options.interval_nsec.into()),
        db: options.db.map(|path| DbSettings {
            path: path.into(),
            synchronous: options.db_sync,
            journal: options.db_journal,
            exclusive: options.db_locking,
        }),
    })
}
