//! Where pods come from, by the operator's options: files, the API server's watch, a kubelet, and what is known from
//! before.
//!
//! Serves the filter's start. Invariant: an option that can't be meant refuses the start; servers and disks that are
//! away don't, they hold it for `wait_for_sync` at most.

use std::{path::Path, sync::Arc, time::Duration};

use tracing::warn;

use super::{
    observe,
    options::{ApiOptions, KubeOptions, Scope, SourceOptions},
};
use crate::{
    kube::{
        api::{client_config::ClientConfig, risk::is_loopback},
        metadata::Layout,
        store::{self, disk::keeper, preload::Preload},
        watch::{Node, PodWatch, WatchConfig, kubelet},
    },
    options::BadOption,
    plugin::Refusal,
    runtime::Tasks,
};

impl KubeOptions {
    /// Whether records show anything of pods, or pods' annotations are obeyed.
    pub(super) fn wants_pods(&self) -> bool {
        !self.fields.namespace_metadata_only || self.record.exclude || self.record.parser
    }
}

/// What files say of pods and namespaces.
pub(super) fn preload(options: &SourceOptions) -> Result<Preload, Refusal> {
    let Some(folder) = &options.preload_dir else { return Ok(Preload::default()) };
    Preload::read(Path::new(folder)).map_err(|why| {
        let reason = format!("can't be read: {why}");
        Refusal::new(BadOption::new("kube_meta_preload_cache_dir", folder, reason))
    })
}

/// Starts the watch, or finds the one that runs, and waits for what it knows at first.
pub(super) fn start(options: &KubeOptions, layout: &Layout, tasks: &Tasks) -> Result<Arc<PodWatch>, Refusal> {
    let watch = PodWatch::shared(&config(options, layout)?, tasks.owner()).map_err(Refusal::new)?;
    observe::check_access(options, watch.connection(), tasks);
    // With files there is something to begin with.
    let has_files = options.source.preload_dir.is_some();
    wait_for_sync(tasks, &watch, !has_files, options.source.wait_for_sync);
    Ok(watch)
}

fn config(options: &KubeOptions, layout: &Layout) -> Result<WatchConfig, Refusal> {
    let (api, source) = (&options.api, &options.source);
    let node = match source.scope {
        Scope::Node => Node::find(source.node_name.as_deref(), api.namespace_file.as_ref().map(Into::into)),
        Scope::Cluster => Node::All,
    };
    let delete_grace = source.linger.unwrap_or(source.delete_grace);
    let store =
        store::Config { delete_grace, namespaces: layout.namespaces(), unshown: unshown(options, layout) };
    let mut config = WatchConfig::new(client(api), node, store);
    config.nodes = layout.nodes();
    config.pods = options.wants_pods();
    config.kubelet = source.use_kubelet.then(|| kubelet(api, source)).transpose().map_err(Refusal::new)?;
    config.snapshot = snapshot(source).map_err(Refusal::new)?;
    Ok(config)
}

fn client(api: &ApiOptions) -> ClientConfig {
    let path = |text: &Option<String>| text.as_ref().map(Into::into);
    ClientConfig {
        url: api.url.clone(),
        ca_file: path(&api.ca_file),
        ca_path: path(&api.ca_path),
        token_file: path(&api.token_file),
        token_command: api.token_command.clone(),
        token_ttl: api.token_ttl,
        tls_verify: api.tls_verify,
        tls_verify_hostname: api.tls_verify_hostname,
        tls_vhost: api.tls_vhost.clone(),
        ..ClientConfig::default()
    }
}

/// The kubelet is reached as the API server is, but for what has an option of its own; never without TLS.
fn kubelet(api: &ApiOptions, source: &SourceOptions) -> Result<kubelet::Config, BadOption> {
    if source.scope == Scope::Cluster {
        let reason = "does not go with kube_scope cluster: a kubelet knows the pods of its node only";
        return Err(BadOption::new("use_kubelet", "on", reason));
    }
    if source.kubelet_poll_interval.is_zero() {
        let reason = "is no time between two requests; write one such as 10s";
        return Err(BadOption::new("kubelet_poll_interval", "0", reason));
    }
    let host = source.kubelet_host.trim_matches(['[', ']']);
    if host.is_empty() || !host.chars().all(|c| c.is_ascii_alphanumeric() || "-._:".contains(c)) {
        let reason = "is no host; write a name or an address, without scheme and port";
        return Err(BadOption::new("kubelet_host", &source.kubelet_host, reason));
    }
    let port = source.kubelet_port;
    let mut client = client(api);
    client.url = match host.contains(':') {
        true => format!("https://[{host}]:{port}"),
        false => format!("https://{host}:{port}"),
    };
    if let Some(file) = &source.kubelet_ca_file {
        client.option_prefix = "kubelet_";
        client.ca_file = Some(file.into());
        client.ca_path = None;
    }
    client.tls_verify_hostname = api.tls_verify_hostname && !is_loopback(host);
    client.tls_verify = source.kubelet_tls_verify.unwrap_or(api.tls_verify);
    Ok(kubelet::Config { client, poll_interval: source.kubelet_poll_interval })
}

/// What need not be kept of pods. A file is for others too, whose options may show more.
fn unshown(options: &KubeOptions, layout: &Layout) -> store::Unshown {
    if options.source.db.is_some() {
        return store::Unshown::default();
    }
    let workload = (layout.extra.workload || options.aws.is_on()) && !layout.namespace_only;
    store::Unshown {
        labels: (layout.labels.is_none() || layout.namespace_only) && !workload,
        annotations: layout.annotations.is_none() || layout.namespace_only,
        owner_references: (!layout.owner_references || layout.namespace_only) && !workload,
    }
}

fn snapshot(source: &SourceOptions) -> Result<Option<keeper::Settings>, BadOption> {
    let Some(path) = &source.db else { return Ok(None) };
    if source.db_max_pods == 0 {
        let reason = "leaves nothing to keep; write a number above 0, or leave db out";
        return Err(BadOption::new("db_max_pods", "0", reason));
    }
    Ok(Some(keeper::Settings { path: path.into(), max_pods: source.db_max_pods }))
}

/// Waits for what is known from before and, if so asked, for the first lists; for so long.
fn wait_for_sync(tasks: &Tasks, watch: &PodWatch, for_lists: bool, limit: Duration) {
    let first = async {
        watch.loaded().await;
        if for_lists {
            watch.store().synced().await;
        }
    };
    let synced = tasks.block_on(async { tokio::time::timeout(limit, first).await.is_ok() });
    if synced == Some(false) {
        warn!(
            "pods: {} within {}s; until then, records gain only what their tag says and what is known from before",
            if for_lists { "no complete list" } else { "what is known from before was not read" },
            limit.as_secs_f32()
        );
    }
}
