//! The filter `kube`: records of containers gain what is known of their pod.
//!
//! Serves the host. Invariant: a call never waits and never loses a record: what can't be enriched passes as it is.

mod aws;
mod layout;
mod line_options;
mod lines;
mod lookup_keys;
mod observe;
mod obsolete;
mod options;
mod own_pod;
mod source;
mod stats;

use std::sync::Arc;

use tracing::warn;

use self::lines::RawLines;
pub use self::options::KubeOptions;
use self::stats::{Look, Stats, View};
use crate::{
    kube::{
        enrich::{
            Resolver, TagForm,
            by_record::ByRecord,
            policy::{AnnotationPolicy, FindParser},
        },
        metadata,
        origin::{
            container_ref::{ContainerRef, TagParser},
            record_fields::RecordForm,
        },
        store::LookupFor,
        watch::PodWatch,
    },
    pace::{SharedPace, more},
    plugin::{Chunk, Emit, Filter, Filtered, Host, Parser, Refusal},
    record::{
        fields::object::Object,
        msgpack::reader::{Map, Time, text},
        splice::{
            Lines, Outcome,
            choose::Always,
            splice,
            treatment::{LineParser, Treatment},
        },
    },
    runtime::Tasks,
};

impl KubeOptions {
    fn lines(&self, host: &dyn Host) -> Lines {
        let line = &self.line;
        let parser = line.merge_parser.as_ref().filter(|_| line.merge_log).and_then(|name| {
            let parser = self.find_parser(host)(name);
            if parser.is_none() {
                warn!(
                    "option 'merge_parser': '{name}' is no parser of the host's parsers file; lines are read as if it \
                     were not set"
                );
            }
            parser
        });
        Lines {
            raw: line.raw_keys(),
            merge: line.merge(parser, self.record.parser),
            severity: line.severity(),
            most_added: usize::try_from(self.fields.metadata_max_growth.0).unwrap_or(usize::MAX),
        }
    }

    fn annotation_policy(&self, host: &dyn Host) -> AnnotationPolicy {
        AnnotationPolicy::new(self.record.exclude, self.record.parser.then(|| self.find_parser(host)))
    }

    /// Finds parsers of the host's for lines.
    fn find_parser(&self, host: &dyn Host) -> FindParser {
        let (parsers, trim) = (host.parsers(), self.line.merge_log_trim);
        Box::new(move |name| Some(Arc::new(HostParser { parser: parsers.get(name)?, trim })))
    }

    fn tag_form(&self, host: &dyn Host) -> Result<TagForm, Refusal> {
        let prefix = &self.record.tag_prefix;
        let Some(name) = &self.record.regex_parser else {
            return Ok(TagForm::Kubelet(prefix.clone()));
        };
        let parser = host.parsers().get(name).ok_or_else(|| {
            Refusal::new(format!("option 'regex_parser': '{name}' is no parser of the host's parsers file"))
        })?;
        Ok(TagForm::Custom(prefix.len(), Box::new(HostParser { parser, trim: false })))
    }
}

/// A parser of the host's, as one of tags and of lines.
struct HostParser {
    parser: Arc<dyn Parser>,
    /// Whether texts lose line ends at their end.
    trim: bool,
}

impl TagParser for HostParser {
    fn parse(&self, tag: &[u8]) -> Option<ContainerRef> {
        let fields = self.parser.parse(tag)?.fields;
        let groups = Map::of(&fields)?
            .pairs()
            .filter_map(|pair| Some((std::str::from_utf8(text(pair.key)?).ok()?, text(pair.value)?)));
        Some(ContainerRef::from_groups(groups))
    }
}

impl LineParser for HostParser {
    fn parse(&self, text: &[u8], fields: &mut Object) -> Option<Option<Time>> {
        let parsed = self.parser.parse(text)?;
        let found = Map::of(&parsed.fields)?;
        if self.trim {
            fields.copy_trimmed(found)
        } else {
            fields.copy(found)
        }
        Some(parsed.time.map(|(seconds, nanos)| Time { seconds, nanos }))
    }
}

/// An instance.
pub struct KubeFilter {
    lookup: Lookup,
    lines: Lines,
    /// The parts of lines, where lines come as runtimes write them.
    raw: Option<RawLines>,
    stats: Arc<Stats>,
    /// The agent's own pod.
    own_pod: Option<ContainerRef>,
    /// Of chunks that end in no events.
    unread: SharedPace,
    _shown: observe::Shown,
    /// Runs for as long as the instance does.
    watch: Option<Arc<PodWatch>>,
}

/// How a record leads to its container.
enum Lookup {
    ByTag(Box<Resolver>),
    ByRecord(Box<Resolver>, RecordForm),
    Dummy,
}

impl Filter for KubeFilter {
    const NAME: &'static str = "kube";
    const DESCRIPTION: &'static str = "Kubernetes metadata for container logs, from a watch";
    type Options = KubeOptions;

    fn start(options: KubeOptions, tasks: Tasks, host: &dyn Host) -> Result<Self, Refusal> {
        options.obsolete.tell();
        let raw = options.raw_lines(host)?;
        let (lookup, watch) = Lookup::start(&options, &tasks, host)?;
        let stats = Arc::<Stats>::default();
        let left_out = lookup.resolver().map(|resolver| resolver.layout().omitted.clone());
        let view = View::new(Arc::clone(&stats), watch.as_deref(), left_out);
        let _shown = observe::show(&options, view, &tasks, host)?;
        let lines = options.lines(host);
        let own_pod = own_pod::find(&options.api);
        Ok(Self { lookup, lines, raw, stats, own_pod, unread: SharedPace::default(), _shown, watch })
    }

    fn filter(&self, chunk: Chunk<'_>, out: &mut Vec<u8>) -> Filtered {
        let of_own_log = self.lookup.resolver().filter(|_| own_pod::is_own_log(chunk.input));
        let (treatment, raw) = match (of_own_log, &self.lookup) {
            (Some(resolver), _) => {
                let own = resolver.resolve_key(own_pod::KEY, || self.own_pod.clone());
                (own.filter(|own| own.is_known), None)
            }
            (None, Lookup::ByRecord(resolver, form)) => {
                let outcome = splice(chunk.data, &self.lines, &mut ByRecord::new(resolver, form), out);
                return self.finish(chunk, outcome, out);
            }
            (None, _) => (self.treatment(chunk.tag), self.raw.as_ref()),
        };
        // A runtime's lines are read whatever their tag says.
        let treatment = match treatment {
            None if raw.is_none() => return Filtered::Unchanged,
            treatment => treatment.unwrap_or_else(|| Arc::new(metadata::unknown())),
        };
        if treatment.drops_all() {
            self.stats.dropped(chunk.data.len());
            return Filtered::Changed;
        }
        let chooser = &mut Always(&treatment);
        let outcome = match raw {
            Some(raw) => raw.splice(chunk, &self.lines, chooser, out),
            None => splice(chunk.data, &self.lines, chooser, out),
        };
        self.finish(chunk, outcome, out)
    }

    fn overdue(&self, is_last: bool, engine: &mut dyn Emit) {
        if let Some(raw) = &self.raw {
            raw.emit(&self.lines, is_last, |tag| self.treatment(tag), &self.stats, engine);
        }
    }
}

impl KubeFilter {
    /// What to answer for a chunk of which this was made.
    fn finish(&self, chunk: Chunk<'_>, outcome: Outcome, out: &mut Vec<u8>) -> Filtered {
        self.stats.spliced(&outcome);
        if outcome.unread > 0
            && let Some(held_back) = self.unread.admit()
        {
            let (tag, more) = (String::from_utf8_lossy(chunk.tag), more(held_back, "such chunks"));
            warn!(
                "tag '{tag}': {} bytes at the end of a chunk are no events, passed as they are{more}",
                outcome.unread
            );
        }
        if outcome.is_unchanged() {
            out.clear();
            return Filtered::Unchanged;
        }
        Filtered::Changed
    }

    fn treatment(&self, tag: &[u8]) -> Option<Arc<Treatment>> {
        let Some(resolver) = self.lookup.resolver() else { return Some(Arc::new(metadata::dummy())) };
        let treatment = resolver.resolve(tag);
        // Where nobody is asked, there is nothing to find or to miss.
        if self.watch.is_some() {
            self.stats.looked_up(match &treatment {
                None => Look::UnreadableTag,
                Some(treatment) if treatment.is_known => Look::Hit,
                Some(_) if !resolver.is_synced() => Look::NotSynced,
                Some(_) => Look::UnknownPod,
            });
        }
        treatment
    }
}

impl Lookup {
    fn resolver(&self) -> Option<&Resolver> {
        match self {
            Self::ByTag(resolver) | Self::ByRecord(resolver, _) => Some(resolver),
            Self::Dummy => None,
        }
    }

    fn start(
        options: &KubeOptions,
        tasks: &Tasks,
        host: &dyn Host,
    ) -> Result<(Self, Option<Arc<PodWatch>>), Refusal> {
        if options.fields.dummy_meta {
            return Ok((Self::Dummy, None));
        }
        let layout = options.fields.layout();
        let record_form = options.record.form()?;
        let tag_form = options.tag_form(host)?;
        let preload = source::preload(&options.source)?;
        let watch = match layout.tag_only {
            true => None,
            false => Some(source::start(options, &layout, tasks)?),
        };
        let store = watch.as_ref().map(|watch| watch.store().clone());
        let services = match layout.tag_only {
            true => None,
            false => options.aws.services(&options.api, tasks)?,
        };
        let named_by = if record_form.is_some() { LookupFor::Records } else { LookupFor::Files };
        let resolver = Resolver::new(tag_form, layout, preload, store)
            .named_by(named_by)
            .with_annotation_policy(options.annotation_policy(host))
            .with_services(services);
        let resolver = Box::new(resolver);
        let lookup = match record_form {
            Some(form) => Self::ByRecord(resolver, form),
            None => Self::ByTag(resolver),
        };
        Ok((lookup, watch))
    }
}
