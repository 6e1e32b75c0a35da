//! The filter `kube`: records of containers gain what is known of their pod.
//!
//! Serves the host. Invariant: a call never waits and never loses a record: what can't be enriched passes as it is.

mod lines;
mod options;

use std::{path::Path, sync::Arc, time::Duration};

use tracing::warn;

use self::lines::RawLines;
pub use self::options::KubeOptions;
use crate::{
    kube::{
        client::ClientConfig,
        encode::{self, Layout},
        preload::Preload,
        resolve::{Resolver, TagForm},
        store,
        tag::{TagParser, TagParts},
        watch::{Node, PodWatch, WatchConfig},
    },
    plugin::{Chunk, Emit, Filter, Filtered, Host, Parser, Refusal},
    record::{
        json::Object,
        merge::Merge,
        reader::{Map, Time, text},
        splice::{Lines, splice},
        treatment::{Always, LineParser, Treatment},
    },
    runtime::Tasks,
};

impl KubeOptions {
    fn layout(&self) -> Layout {
        let fields = &self.fields;
        Layout {
            labels: fields.labels,
            annotations: fields.annotations,
            owner_references: fields.owner_references,
            namespace_labels: fields.namespace_labels,
            namespace_annotations: fields.namespace_annotations,
            tag_only: fields.use_tag_for_meta,
        }
    }

    fn lines(&self, host: &dyn Host) -> Lines {
        let line = &self.line;
        let parser = line.merge_parser.as_ref().and_then(|name| host.parsers().get(name));
        let merge = line.merge_log.then(|| Merge {
            key: line.merge_log_key.clone(),
            trim: line.merge_log_trim,
            keep: line.keep_log,
            parser: parser.map(|parser| Arc::new(HostParser(parser)) as Arc<dyn LineParser>),
        });
        Lines { raw: line.raw_key(), merge }
    }

    fn tag_form(&self, host: &dyn Host) -> Result<TagForm, Refusal> {
        let prefix = &self.record.tag_prefix;
        let Some(name) = &self.record.regex_parser else {
            return Ok(TagForm::Kubelet(prefix.clone()));
        };
        let parser = host.parsers().get(name).ok_or_else(|| {
            Refusal::new(format!("option 'regex_parser': '{name}' is no parser of the host's parsers file"))
        })?;
        Ok(TagForm::Custom(prefix.len(), Box::new(HostParser(parser))))
    }

    fn preload(&self) -> Result<Preload, Refusal> {
        let Some(folder) = &self.source.preload_dir else { return Ok(Preload::default()) };
        Preload::read(Path::new(folder)).map_err(|why| {
            Refusal::new(format!("option 'kube_meta_preload_cache_dir': '{folder}' can't be read: {why}"))
        })
    }

    fn watch(&self, layout: &Layout) -> WatchConfig {
        let path = |text: &Option<String>| text.as_ref().map(Into::into);
        let (api, source) = (&self.api, &self.source);
        let client = ClientConfig {
            url: api.url.clone(),
            ca_file: path(&api.ca_file),
            ca_path: path(&api.ca_path),
            token_file: path(&api.token_file),
            token_ttl: api.token_ttl,
            tls_verify: api.tls_verify,
            tls_verify_hostname: api.tls_verify_hostname,
            tls_vhost: api.tls_vhost.clone(),
            ..ClientConfig::default()
        };
        let node = Node::find(source.node_name.as_deref(), path(&api.namespace_file));
        let delete_grace = source.linger.unwrap_or(source.delete_grace);
        let store = store::Config { delete_grace, namespaces: layout.namespaces() };
        WatchConfig::new(client, node, store)
    }
}

/// A parser of the host's, as one of tags and of lines.
struct HostParser(Arc<dyn Parser>);

impl TagParser for HostParser {
    fn parse(&self, tag: &[u8]) -> Option<TagParts> {
        let fields = self.0.parse(tag)?.fields;
        let groups = Map::of(&fields)?
            .pairs()
            .filter_map(|pair| Some((std::str::from_utf8(text(pair.key)?).ok()?, text(pair.value)?)));
        Some(TagParts::from_groups(groups))
    }
}

impl LineParser for HostParser {
    fn parse(&self, text: &[u8], fields: &mut Object) -> Option<Option<Time>> {
        let parsed = self.0.parse(text)?;
        fields.copy(Map::of(&parsed.fields)?);
        Some(parsed.time.map(|(seconds, nanos)| Time { seconds, nanos }))
    }
}

/// An instance.
pub struct KubeFilter {
    source: Source,
    lines: Lines,
    /// The parts of lines, where lines come as runtimes write them.
    raw: Option<RawLines>,
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
        let lines = options.lines(host);
        let raw = options.line.raw_lines(host)?;
        if options.fields.dummy_meta {
            return Ok(Self { source: Source::Dummy, lines, raw, _watch: None });
        }
        if options.source.use_kubelet {
            warn!("option 'use_kubelet': the kubelet is not asked, pods come from the API server's watch");
        }
        let layout = options.layout();
        let form = options.tag_form(host)?;
        let preload = options.preload()?;
        let mut watch = None;
        if !layout.tag_only {
            let started = PodWatch::shared(&options.watch(&layout), tasks.owner()).map_err(Refusal::new)?;
            // With files there is something to begin with.
            if options.source.preload_dir.is_none() {
                wait_for_sync(&tasks, started.store(), options.source.wait_for_sync);
            }
            watch = Some(started);
        }
        let store = watch.as_ref().map(|watch| watch.store().clone());
        let resolver = Resolver::new(form, layout, preload, store);
        Ok(Self { source: Source::Tags(Box::new(resolver)), lines, raw, _watch: watch })
    }

    fn filter(&self, chunk: Chunk<'_>, out: &mut Vec<u8>) -> Filtered {
        let Some(treatment) = self.treatment(chunk.tag) else { return Filtered::Unchanged };
        if treatment.drops_all() {
            return Filtered::Changed;
        }
        let chooser = &mut Always(&treatment);
        let outcome = match &self.raw {
            Some(raw) => raw.splice(chunk, &self.lines, chooser, out),
            None => splice(chunk.data, &self.lines, chooser, out),
        };
        if outcome.unread > 0 {
            let tag = String::from_utf8_lossy(chunk.tag);
            warn!(
                "tag '{tag}': {} bytes at the end of a chunk are no events, passed as they are",
                outcome.unread
            );
        }
        if outcome.is_unchanged() {
            out.clear();
            return Filtered::Unchanged;
        }
        Filtered::Changed
    }

    fn overdue(&self, is_last: bool, engine: &mut dyn Emit) {
        if let Some(raw) = &self.raw {
            raw.emit(&self.lines, is_last, |tag| self.treatment(tag), engine);
        }
    }
}

impl KubeFilter {
    /// What is to be done with the records of `tag`; `None` if it names no pod.
    fn treatment(&self, tag: &[u8]) -> Option<Arc<Treatment>> {
        match &self.source {
            Source::Dummy => Some(Arc::new(encode::dummy())),
            Source::Tags(resolver) => resolver.resolve(tag),
        }
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
