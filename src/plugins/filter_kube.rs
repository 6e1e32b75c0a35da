//! The filter `kube`: records of containers gain what is known of their pod.
//!
//! Serves the host. Invariant: a call never waits and never loses a record: what can't be enriched passes as it is.

use std::{path::Path, sync::Arc, time::Duration};

use tracing::warn;

use crate::{
    kube::{
        client::ClientConfig,
        encode::{Enrichment, Layout},
        preload::Preload,
        resolve::{Resolver, TagForm},
        store,
        tag::{TagParser, TagParts},
        watch::{Node, PodWatch, WatchConfig},
    },
    options,
    options::Size,
    plugin::{Chunk, Filter, Filtered, Host, Parser, Refusal},
    record::{
        merge::Merge,
        reader::{Map, text},
        splice::splice,
    },
    runtime::Tasks,
};

options! {
    /// Options of the filter.
    pub struct KubeOptions {
        /// URL of the API server.
        "kube_url" => url: String = "https://kubernetes.default.svc",
        /// File of the certificates that the API server's is checked against.
        "kube_ca_file" => ca_file: Option<String> = "/var/run/secrets/kubernetes.io/serviceaccount/ca.crt",
        /// Folder of such files.
        "kube_ca_path" => ca_path: Option<String> = "",
        /// File of the token for the API server.
        "kube_token_file" => token_file: Option<String> = "/var/run/secrets/kubernetes.io/serviceaccount/token",
        /// Reads the token again when it is older than this; also when its file changes and when it is refused.
        "kube_token_ttl" => token_ttl: Duration = "10m",
        /// File of the agent's own namespace, to find its node where nothing else names it.
        "kube_namespace_file" => namespace_file: Option<String> =
            "/var/run/secrets/kubernetes.io/serviceaccount/namespace",
        /// Node whose pods are watched; env NODE_NAME if unset, else the node of the agent's own pod.
        "kube_node_name" => node_name: Option<String> = "",
        /// Checks the API server's certificate.
        "tls.verify" => tls_verify: bool = "on",
        /// Checks that the certificate is for the API server's name.
        "tls.verify_hostname" => tls_verify_hostname: bool = "off",
        /// Name that the certificate is for, if it is not the URL's host.
        "tls.vhost" => tls_vhost: Option<String> = "",
        /// What tags begin with; both /var/log/containers and /var/log/pods are found behind any prefix.
        "kube_tag_prefix" => tag_prefix: String = "kube.var.log.containers.",
        /// Regex parser of the host's parsers file that reads tags of another form, the prefix cut off; its groups are
        /// pod_name, namespace_name, container_name, docker_id, container_hash.
        "regex_parser" => regex_parser: Option<String> = "",
        /// Folder of files to know pods from, before the API server: `<namespace>_<pod>.meta` and
        /// `<namespace>.namespace_meta`.
        "kube_meta_preload_cache_dir" => preload_dir: Option<String> = "",
        /// How long the start waits for the first list of pods, so that the first records are enriched too.
        "wait_for_sync" => wait_for_sync: Duration = "5s",
        /// How long a deleted pod stays known, for its last lines.
        "delete_grace" => delete_grace: Duration = "2m",
        /// Adds the pod's labels.
        "labels" => labels: bool = "on",
        /// Adds the pod's annotations.
        "annotations" => annotations: bool = "on",
        /// Adds the pod's owner references.
        "owner_references" => owner_references: bool = "off",
        /// Adds the namespace's labels, under kubernetes_namespace.
        "namespace_labels" => namespace_labels: bool = "off",
        /// Adds the namespace's annotations, under kubernetes_namespace.
        "namespace_annotations" => namespace_annotations: bool = "off",
        /// Adds only what the tag says, and asks no API server.
        "use_tag_for_meta" => use_tag_for_meta: bool = "off",
        /// Adds the time instead of metadata, for trying out.
        "dummy_meta" => dummy_meta: bool = "off",
        /// Merges the fields of a structured log line, JSON or a map under the key log, into its record.
        "merge_log" => merge_log: bool = "off",
        /// Puts merged fields under this key.
        "merge_log_key" => merge_log_key: Option<String> = "",
        /// Takes line ends off the end of merged texts.
        "merge_log_trim" => merge_log_trim: bool = "on",
        /// Keeps the key log when its line was merged.
        "keep_log" => keep_log: bool = "on",
        /// Accepted from configurations of the built-in filter; pods come from a watch, and answers have no limit.
        "buffer_size" => buffer_size: Size = "32K",
        /// Accepted from configurations of the built-in filter; pods come from the API server's watch.
        "use_kubelet" => use_kubelet: bool = "off",
        /// Accepted from configurations of the built-in filter; see use_kubelet.
        "kubelet_host" => kubelet_host: String = "127.0.0.1",
        /// Accepted from configurations of the built-in filter; see use_kubelet.
        "kubelet_port" => kubelet_port: u16 = "10250",
        /// Accepted from configurations of the built-in filter; what is watched never goes stale.
        "kube_meta_cache_ttl" => meta_cache_ttl: Duration = "0",
        /// Accepted from configurations of the built-in filter; what is watched never goes stale.
        "kube_meta_namespace_cache_ttl" => meta_namespace_cache_ttl: Duration = "15m",
        /// Accepted from configurations of the built-in filter; the container's id is always the one in the tag.
        "cache_use_docker_id" => cache_use_docker_id: bool = "off",
    }
}

impl KubeOptions {
    fn layout(&self) -> Layout {
        Layout {
            labels: self.labels,
            annotations: self.annotations,
            owner_references: self.owner_references,
            namespace_labels: self.namespace_labels,
            namespace_annotations: self.namespace_annotations,
            tag_only: self.use_tag_for_meta,
        }
    }

    fn merge(&self) -> Option<Merge> {
        self.merge_log.then(|| Merge {
            key: self.merge_log_key.clone(),
            trim: self.merge_log_trim,
            keep: self.keep_log,
        })
    }

    fn tag_form(&self, host: &dyn Host) -> Result<TagForm, Refusal> {
        let Some(name) = &self.regex_parser else {
            return Ok(TagForm::Kubelet(self.tag_prefix.clone()));
        };
        let parser = host.parser(name).ok_or_else(|| {
            Refusal::new(format!("option 'regex_parser': '{name}' is no parser of the host's parsers file"))
        })?;
        Ok(TagForm::Custom(self.tag_prefix.len(), Box::new(HostParser(parser))))
    }

    fn preload(&self) -> Result<Preload, Refusal> {
        let Some(folder) = &self.preload_dir else { return Ok(Preload::default()) };
        Preload::read(Path::new(folder)).map_err(|why| {
            Refusal::new(format!("option 'kube_meta_preload_cache_dir': '{folder}' can't be read: {why}"))
        })
    }

    fn watch(&self, layout: &Layout) -> WatchConfig {
        let path = |text: &Option<String>| text.as_ref().map(Into::into);
        let client = ClientConfig {
            url: self.url.clone(),
            ca_file: path(&self.ca_file),
            ca_path: path(&self.ca_path),
            token_file: path(&self.token_file),
            token_ttl: self.token_ttl,
            tls_verify: self.tls_verify,
            tls_verify_hostname: self.tls_verify_hostname,
            tls_vhost: self.tls_vhost.clone(),
            ..ClientConfig::default()
        };
        let node = Node::find(self.node_name.as_deref(), path(&self.namespace_file));
        let store = store::Config { delete_grace: self.delete_grace, namespaces: layout.namespaces() };
        WatchConfig::new(client, node, store)
    }
}

/// A parser of the host's, as one of tags.
struct HostParser(Box<dyn Parser>);

impl TagParser for HostParser {
    fn parse(&self, tag: &[u8]) -> Option<TagParts> {
        let fields = self.0.parse(tag)?;
        let groups = Map::of(&fields)?
            .pairs()
            .filter_map(|pair| Some((std::str::from_utf8(text(pair.key)?).ok()?, text(pair.value)?)));
        Some(TagParts::from_groups(groups))
    }
}

/// An instance.
pub struct KubeFilter {
    source: Source,
    merge: Option<Merge>,
    /// Runs for as long as the instance does.
    _watch: Option<Arc<PodWatch>>,
}

/// Where fields come from.
enum Source {
    Tags(Box<Resolver>),
    Dummy,
}

impl Filter for KubeFilter {
    const NAME: &'static str = "kube";
    const DESCRIPTION: &'static str = "Kubernetes metadata for container logs, from a watch";
    type Options = KubeOptions;

    fn start(options: KubeOptions, tasks: Tasks, host: &dyn Host) -> Result<Self, Refusal> {
        let merge = options.merge();
        if options.dummy_meta {
            return Ok(Self { source: Source::Dummy, merge, _watch: None });
        }
        if options.use_kubelet {
            warn!("option 'use_kubelet': the kubelet is not asked, pods come from the API server's watch");
        }
        let layout = options.layout();
        let form = options.tag_form(host)?;
        let preload = options.preload()?;
        let mut watch = None;
        if !layout.tag_only {
            let started = PodWatch::shared(&options.watch(&layout), tasks.owner()).map_err(Refusal::new)?;
            // With files there is something to begin with.
            if options.preload_dir.is_none() {
                wait_for_sync(&tasks, started.store(), options.wait_for_sync);
            }
            watch = Some(started);
        }
        let store = watch.as_ref().map(|watch| watch.store().clone());
        let resolver = Resolver::new(form, layout, preload, store);
        Ok(Self { source: Source::Tags(Box::new(resolver)), merge, _watch: watch })
    }

    fn filter(&self, chunk: Chunk<'_>, out: &mut Vec<u8>) -> Filtered {
        let fields = match &self.source {
            Source::Dummy => Some(Arc::new(Enrichment::dummy())),
            Source::Tags(resolver) => resolver.resolve(chunk.tag),
        };
        let Some(fields) = fields else { return Filtered::Unchanged };
        let outcome = splice(chunk.data, fields.addition(), self.merge.as_ref(), out);
        if outcome.unread > 0 {
            let tag = String::from_utf8_lossy(chunk.tag);
            warn!(
                "tag '{tag}': {} bytes at the end of a chunk are no events, passed as they are",
                outcome.unread
            );
        }
        if outcome.records == 0 {
            out.clear();
            return Filtered::Unchanged;
        }
        Filtered::Changed
    }
}

/// Waits for the first lists, for so long.
fn wait_for_sync(tasks: &Tasks, store: &store::Store, limit: Duration) {
    let synced = tasks.block_on(async { tokio::time::timeout(limit, store.synced()).await.is_ok() });
    if synced == Some(false) {
        warn!(
            "pods: no complete list within {}s; until there is one, records gain only what their tag says",
            limit.as_secs_f32()
        );
    }
}
