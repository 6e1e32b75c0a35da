//! A configuration made into instances, each checked against its plugin's config map as the host does before it
//! starts.

use std::{
    collections::HashMap,
    path::PathBuf,
    sync::{Arc, Mutex},
};

use crate::{
    config::{Config, Section},
    config_map,
    engine::Message,
    filter::Filter,
    input::{Feed, Input, Source},
    instance::{Instance, Kind},
    output::{Output, Sink},
    parser::Parser,
    plugin::{Body, Plugin},
    poll::Mailbox,
    readers,
    release::Release,
    state::State,
    sys,
};

/// The instances of one life of the host.
pub(crate) struct Pipeline {
    pub(crate) state: Arc<State>,
    pub(crate) mailbox: Arc<Mailbox<Message>>,
    pub(crate) inputs: Vec<Arc<Input>>,
    pub(crate) filters: Vec<Arc<Filter>>,
    pub(crate) outputs: Vec<Arc<Output>>,
}

/// Loads the plugins that the command line and the configuration name.
pub(crate) fn load_plugins(
    files: &[PathBuf],
    config: &Config,
    release: &Release,
    log_print: usize,
    reloading: bool,
) -> Result<Vec<Arc<Plugin>>, String> {
    let named = config.plugins.iter().map(PathBuf::from);
    let load = |path: PathBuf| Plugin::load(&path, release, log_print, reloading).map(Arc::new);
    files.iter().cloned().chain(named).map(load).collect()
}

/// Makes instances while counting them, as names need it: `kube.0`, `kube.1`.
struct Builder<'a> {
    plugins: &'a [Arc<Plugin>],
    state: Arc<State>,
    mailbox: Arc<Mailbox<Message>>,
    service: &'a Section,
    counts: HashMap<Kind, usize>,
}

impl Pipeline {
    pub(crate) fn build(config: &Config, plugins: &[Arc<Plugin>], release: &Release) -> Result<Self, String> {
        let parsers = config.parsers()?.iter().map(Parser::from_section).collect::<Result<_, _>>()?;
        let state = State::new(*release, parsers);
        let mailbox = Arc::new(Mailbox::new().map_err(|error| error.to_string())?);
        let service = &config.service;
        let mut builder = Builder {
            plugins,
            state: Arc::clone(&state),
            mailbox: Arc::clone(&mailbox),
            service,
            counts: HashMap::new(),
        };
        let (mut inputs, mut filters, mut outputs) = (Vec::new(), Vec::new(), Vec::new());
        for section in &config.sections {
            match Kind::from_word(&section.kind) {
                Some(Kind::Input) => inputs.push(builder.input(section, inputs.len())?),
                Some(Kind::Filter) => filters.push(builder.filter(section, false)?),
                Some(Kind::Output) => outputs.push(builder.output(section)?),
                None => {}
            }
        }
        Ok(Self { state, mailbox, inputs, filters, outputs })
    }
}

/// What the real host does with the configuration of a reload that it refuses: it ends every proxied output in it, though
/// none was started.
pub(crate) fn discard(config: &Config, plugins: &[Arc<Plugin>]) {
    for section in config.sections.iter().filter(|section| section.kind == Kind::Output.word()) {
        let named = plugins.iter().find(|plugin| plugin.name.eq_ignore_ascii_case(section.name()));
        if let Some(Body::Output(proxy)) = named.map(|plugin| &plugin.body) {
            proxy.exit_unstarted();
        }
    }
}

impl Builder<'_> {
    fn number(&mut self, kind: Kind) -> usize {
        let count = self.counts.entry(kind).or_default();
        *count += 1;
        *count - 1
    }

    fn plugin(&self, kind: Kind, name: &str) -> Result<Arc<Plugin>, String> {
        let same = |plugin: &&Arc<Plugin>| plugin.kind() == kind && plugin.name.eq_ignore_ascii_case(name);
        self.plugins
            .iter()
            .find(same)
            .cloned()
            .ok_or_else(|| format!("[config] there is no {} plugin '{name}'", kind.word()))
    }

    fn check(&self, plugin: &Plugin, instance: &Instance) -> Result<(), String> {
        match &plugin.rows {
            Some(rows) => config_map::check(&plugin.name, rows, instance.plugin_keys())
                .map_err(|why| format!("[config] {why}\n[ help] try -h with the plugin's name")),
            None => Ok(()),
        }
    }

    fn input(&mut self, section: &Section, number: usize) -> Result<Arc<Input>, String> {
        let threaded_by_choice = section.is_on("threaded");
        let built_in = readers::built_in(section, self.state.release.event_form(), &self.state.parsers)?;
        let (source, threaded, plugin) = match built_in {
            Some(reader) => (Source::BuiltIn(Mutex::new(Some(reader))), threaded_by_choice, None),
            None => {
                let plugin = self.plugin(Kind::Input, section.name())?;
                let Body::Input(table) = plugin.body else { return Err("not an input".into()) };
                let threaded = threaded_by_choice || table.flags & sys::FLB_INPUT_THREADED != 0;
                (Source::Native(table), threaded, Some(plugin))
            }
        };
        let instance_number = self.number(Kind::Input);
        let tag =
            section.get("tag").map_or_else(|| format!("{}.{instance_number}", section.name()), str::to_owned);
        let refusals = self.service.number("stand_in_refuse_appends", 0);
        let feed = Feed::new(tag, threaded, number, &self.mailbox, refusals);
        let instance = Instance::new(Kind::Input, section.clone(), instance_number, Some(feed), &self.state);
        if let Some(plugin) = plugin {
            self.check(&plugin, &instance)?;
        }
        let processors =
            section.processors.iter().map(|unit| self.filter(unit, true)).collect::<Result<_, _>>()?;
        if let Some(feed) = &instance.feed {
            feed.processors.get_or_init(|| processors);
        }
        let limit = section.get("mem_buf_limit").map(size).transpose()?;
        Input::new(instance, source, limit)
    }

    fn filter(&mut self, section: &Section, is_processor: bool) -> Result<Arc<Filter>, String> {
        let plugin = self.plugin(Kind::Filter, section.name())?;
        let Body::Filter(table) = plugin.body else { return Err("not a filter".into()) };
        let number = self.number(Kind::Filter);
        let instance = Instance::new(Kind::Filter, section.clone(), number, None, &self.state);
        self.check(&plugin, &instance)?;
        Filter::new(instance, table, is_processor)
    }

    fn output(&mut self, section: &Section) -> Result<Arc<Output>, String> {
        let number = self.number(Kind::Output);
        let instance = Instance::new(Kind::Output, section.clone(), number, None, &self.state);
        let sink = match Sink::built_in(section) {
            Some(sink) => sink,
            None => {
                let plugin = self.plugin(Kind::Output, section.name())?;
                self.check(&plugin, &instance)?;
                Sink::Proxied(plugin, std::sync::OnceLock::new())
            }
        };
        let processors =
            section.processors.iter().map(|unit| self.filter(unit, true)).collect::<Result<_, _>>()?;
        Output::new(instance, sink, processors, &self.mailbox)
    }
}

/// A size as operators write it: `32K`, `5M`.
fn size(text: &str) -> Result<u64, String> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let factor = match text[digits..].to_ascii_lowercase().trim_end_matches('b') {
        "" => 1,
        "k" => 1_000,
        "m" => 1_000_000,
        "g" => 1_000_000_000,
        _ => return Err(format!("'{text}' is not a size")),
    };
    text[..digits].parse::<u64>().map(|number| number * factor).map_err(|_| format!("'{text}' is not a size"))
}
