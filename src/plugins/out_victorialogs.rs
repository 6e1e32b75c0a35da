//! The output `victorialogs`: its options, and what they mean for a delivery.
//!
//! Serves the host through `abi/`. Invariant: whatever the operator wrote is either honoured or refused in one
//! sentence; a secret is never part of one.

use std::time::Duration;

use tracing::info;

use crate::{
    choices, options,
    options::{Names, Pairs, Secret, SecretLines},
    plugin::{Chunk, Flushed, Output, Refusal},
    runtime::Tasks,
    victorialogs::{
        Config, Delivery, Outcome,
        config::{Auth, Compression, Hidden, Mapping, Protocol, Tenant, TimeLimits, Tls},
        endpoint::Address,
    },
};

choices! { Protocol: "loki" => Self::Loki, "jsonline" => Self::JsonLine }

options! {
    /// Options of the output.
    pub struct VictoriaLogsOptions {
        /// Where VictoriaLogs is, as http://host:9428 or https://host/prefix; several, separated by commas, stand in
        /// for each other in this order.
        "url" => url: Vec<String> = "",
        /// The way in: loki is strict about failures and sends what a stream's records share once; jsonline is for
        /// servers and proxies that take nothing else.
        "protocol" => protocol: Protocol = "loki",
        /// Fields that make up the stream, nested ones with dots.
        "stream_fields" => stream_fields: Names =
            "kubernetes.namespace_name,kubernetes.pod_name,kubernetes.container_name",
        /// Fields that may hold the message: the first that is not empty does. Without any, the record's fields as
        /// JSON are the message.
        "msg_field" => msg_field: Names = "_msg,log,message,msg,MESSAGE",
        /// Fields that may hold the time: the first that exists does, in seconds, milliseconds, microseconds or
        /// nanoseconds or as RFC 3339. Without any, it is the record's own time.
        "time_field" => time_field: Names = "",
        /// Fields that every record gains, as name=value; they stand above the record's own.
        "extra_fields" => extra_fields: Pairs = "",
        /// Fields that are left out, as names or as prefix*.
        "ignore_fields" => ignore_fields: Names = "",
        /// The tenant's AccountID.
        "account_id" => account_id: u32 = "0",
        /// The tenant's ProjectID.
        "project_id" => project_id: u32 = "0",
        /// User of basic authentication.
        "http_user" => http_user: Option<String> = "",
        /// Password of basic authentication.
        "http_passwd" => http_passwd: Option<Secret> = "",
        /// Token of bearer authentication.
        "bearer_token" => bearer_token: Option<Secret> = "",
        /// File that holds the token; read again when it changes.
        "bearer_token_file" => bearer_token_file: Option<String> = "",
        /// Further headers as Name: value, a row each or separated by semicolons.
        "header" => header: Option<SecretLines> = "",
        /// Whether the server's certificate is checked.
        "tls_verify" => tls_verify: bool = "on",
        /// File of certificates to trust instead of the system's; read again when it changes, as all of these.
        "tls_ca_file" => tls_ca_file: Option<String> = "",
        /// Folder of files of certificates to trust instead of the system's.
        "tls_ca_path" => tls_ca_path: Option<String> = "",
        /// File of our own certificate and its chain.
        "tls_crt_file" => tls_crt_file: Option<String> = "",
        /// File of its key.
        "tls_key_file" => tls_key_file: Option<String> = "",
        /// The name that the server's certificate must have, where it is not the host of the url.
        "tls_vhost" => tls_vhost: Option<String> = "",
        /// How bodies are compressed: zstd, gzip or none.
        "compress" => compress: String = "zstd",
        /// How hard: 1 to 22 for zstd, 1 to 9 for gzip; unset, 1 for zstd and 6 for gzip.
        "compress_level" => compress_level: Option<u32> = "",
        /// How long connecting may take.
        "connect_timeout" => connect_timeout: Duration = "10s",
        /// How long a request may take, to the end of its answer; keep it below the server's
        /// -insert.maxQueueDuration of one minute.
        "timeout" => timeout: Duration = "30s",
        /// How long an idle connection is kept; keep it below the server's one minute.
        "keepalive_idle_timeout" => keepalive_idle_timeout: Duration = "10s",
        /// How many chunks are delivered at once.
        "threads" => threads: usize = "2",
        /// Warn of records older than this, which a server with a shorter -retentionPeriod drops silently; 0 for
        /// never.
        "max_age" => max_age: Duration = "7d",
        /// Warn of records further in the future than this, which a server with a shorter -futureRetention drops
        /// silently; 0 for never.
        "max_future" => max_future: Duration = "2d",
    }
}

/// The output.
pub struct VictoriaLogs {
    delivery: Delivery,
    threads: usize,
}

impl VictoriaLogs {
    /// What was delivered, changed and dropped so far.
    pub fn tally(&self) -> &crate::victorialogs::tally::Tally {
        self.delivery.tally()
    }
}

impl Output for VictoriaLogs {
    const NAME: &'static str = "victorialogs";
    const DESCRIPTION: &'static str = "Ships records to VictoriaLogs";
    type Options = VictoriaLogsOptions;
    const FOREIGN_KEYS: &'static [&'static str] = &[
        // of http
        "uri",
        "format",
        "json_date_key",
        "json_date_format",
        "header_tag",
        "body_key",
        "allow_duplicated_headers",
        "log_response_payload",
        "success_header",
        "response_timeout",
        // of loki
        "labels",
        "label_keys",
        "label_map_path",
        "line_format",
        "tenant_id",
        "tenant_id_key",
        "structured_metadata",
        "structured_metadata_map_keys",
        "auto_kubernetes_labels",
        "remove_keys",
        "drop_single_key",
        // of es
        "index",
        "type",
        "path",
        "logstash_format",
        "logstash_prefix",
        "include_tag_key",
        "suppress_type_name",
        "time_key",
        "generate_id",
        "id_key",
        "write_operation",
        "trace_output",
        "trace_error",
        // of the server's own parameters
        "_stream_fields",
        "_msg_field",
        "_time_field",
        "endpoint",
        "endpoints",
    ];

    fn start(options: Self::Options, tasks: Tasks) -> Result<Self, Refusal> {
        if options.threads == 0 || options.threads > 64 {
            return Err(Refusal::new(format!("threads '{}' must be from 1 to 64", options.threads)));
        }
        let threads = options.threads;
        let config = config(options).map_err(Refusal::new)?;
        let servers: Vec<String> = config.addresses.iter().map(Address::to_string).collect();
        let delivery = Delivery::new(config, tasks).map_err(Refusal::new)?;
        info!("{}: records go there", servers.join(", "));
        Ok(Self { delivery, threads })
    }

    fn flush(&self, chunk: Chunk<'_>) -> Flushed {
        match self.delivery.deliver(chunk.data) {
            Outcome::Delivered => Flushed::Done,
            Outcome::Later => Flushed::Retry,
        }
    }

    fn concurrency(&self) -> usize {
        self.threads
    }
}

/// Options as a configuration; the error is a sentence.
pub fn config(options: VictoriaLogsOptions) -> Result<Config, String> {
    let limits = TimeLimits {
        connect: positive("connect_timeout", options.connect_timeout)?,
        request: positive("timeout", options.timeout)?,
        idle: positive("keepalive_idle_timeout", options.keepalive_idle_timeout)?,
    };
    let addresses = addresses(&options.url)?;
    let compression = compression(&options.compress, options.compress_level)?;
    let headers = options.header.as_ref().map_or(Ok(Vec::new()), |text| headers(text.reveal()))?;
    Ok(Config {
        addresses,
        compression,
        headers,
        limits,
        tenant: Tenant { account: options.account_id, project: options.project_id },
        max_age: Some(options.max_age).filter(|age| !age.is_zero()),
        max_future: Some(options.max_future).filter(|ahead| !ahead.is_zero()),
        tls: Tls {
            verify: options.tls_verify,
            ca_file: options.tls_ca_file.clone().map(Into::into),
            ca_path: options.tls_ca_path.clone().map(Into::into),
            crt_file: options.tls_crt_file.clone().map(Into::into),
            key_file: options.tls_key_file.clone().map(Into::into),
            vhost: options.tls_vhost.clone(),
        },
        auth: auth(&options)?,
        mapping: mapping(options)?,
    })
}

fn positive(key: &str, time: Duration) -> Result<Duration, String> {
    if time.is_zero() { Err(format!("{key} must be longer than 0")) } else { Ok(time) }
}

fn addresses(url: &[String]) -> Result<Vec<Address>, String> {
    if url.is_empty() {
        return Err("url must be set, as http://host:9428 (Host and Port are not read)".into());
    }
    url.iter()
        .enumerate()
        .map(|(at, text)| text.parse().map_err(|why| format!("url: address {} {why}", at + 1)))
        .collect()
}

fn mapping(options: VictoriaLogsOptions) -> Result<Mapping, String> {
    let Pairs(extra_fields) = options.extra_fields;
    for (name, _) in &extra_fields {
        if name.len() > 128 || matches!(name.as_str(), "_msg" | "_time" | "_stream" | "_stream_id") {
            return Err(format!(
                "extra_fields: '{name}' can't be set, the server reserves it or it is too long"
            ));
        }
    }
    Ok(Mapping {
        protocol: options.protocol,
        extra_fields,
        stream_fields: options.stream_fields.0,
        message_fields: options.msg_field.0,
        time_fields: options.time_field.0,
        ignore_fields: options.ignore_fields.0,
    })
}

fn auth(options: &VictoriaLogsOptions) -> Result<Auth, String> {
    let hidden = |secret: &Secret| Hidden(secret.reveal().to_owned());
    match (&options.http_user, &options.bearer_token, &options.bearer_token_file) {
        (None, None, None) if options.http_passwd.is_some() => {
            Err("http_passwd is set without http_user".into())
        }
        (None, None, None) => Ok(Auth::None),
        (Some(user), None, None) if user.contains(':') => Err("http_user can't hold a colon".into()),
        (Some(user), None, None) => {
            Ok(Auth::Basic(user.clone(), options.http_passwd.as_ref().map_or(Hidden(String::new()), hidden)))
        }
        (None, Some(token), None) => Ok(Auth::Bearer(hidden(token))),
        (None, None, Some(path)) => Ok(Auth::BearerFile(path.into())),
        _ => Err("only one of http_user, bearer_token and bearer_token_file can be set".into()),
    }
}

fn compression(compress: &str, level: Option<u32>) -> Result<Compression, String> {
    let within = |most: u32, default: u32| match level {
        None => Ok(default),
        Some(level) if (1..=most).contains(&level) => Ok(level),
        Some(level) => {
            Err(format!("compress_level '{level}' is not from 1 to {most}, which {compress} knows"))
        }
    };
    match compress.to_ascii_lowercase().as_str() {
        "zstd" => Ok(Compression::Zstd(within(22, 1)? as i32)),
        "gzip" => Ok(Compression::Gzip(within(9, 6)?)),
        "none" | "off" => Ok(Compression::None),
        _ => Err(format!("compress '{compress}' is none of zstd, gzip and none")),
    }
}

/// Headers of a request that operators may not set, since the output itself does.
const OUR_HEADERS: [&str; 7] = [
    "content-encoding",
    "content-type",
    "content-length",
    "host",
    "transfer-encoding",
    "accountid",
    "projectid",
];

fn headers(text: &str) -> Result<Vec<(String, Hidden)>, String> {
    let mut headers = Vec::new();
    for (at, line) in text.split([';', '\n']).map(str::trim).filter(|line| !line.is_empty()).enumerate() {
        let Some((name, value)) = line.split_once(':').filter(|(name, _)| !name.trim().is_empty()) else {
            return Err(format!("header: number {} is not of the form Name: value", at + 1));
        };
        let name = name.trim();
        if OUR_HEADERS.contains(&name.to_ascii_lowercase().as_str()) {
            return Err(format!("header: '{name}' is set by the output itself"));
        }
        headers.push((name.to_owned(), Hidden(value.trim().to_owned())));
    }
    Ok(headers)
}
