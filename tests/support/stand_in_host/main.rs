//! The stand-in host: a small program that loads Fluent Bit plugins as any release from 2.0.0 to 5.1.1 does, where no
//! real `fluent-bit` is at hand or a release is wanted that nobody has installed.
//!
//! Serves the tests and the demo, and says so. Invariant: it is stricter than the real host wherever that shows a
//! fault of a plugin: guard pages behind blocks and stacks, unreadable arguments, poisoned words.
#![expect(unsafe_code, reason = "it is the other side of a C interface")]

mod arguments;
mod clock;
mod config;
mod config_map;
mod engine;
mod event;
mod filter;
mod input;
mod instance;
mod library;
mod lines;
mod log;
mod memory;
mod metrics;
mod output;
mod parser;
mod pattern;
mod pipeline;
mod plugin;
mod poll;
mod process;
mod properties;
mod proxy;
mod readers;
mod release;
mod shim;
mod state;
#[path = "../../../src/abi/sys.rs"]
#[allow(
    dead_code,
    missing_docs,
    non_camel_case_types,
    unreachable_pub,
    clippy::allow_attributes_without_reason,
    reason = "generated, and used in part"
)]
mod sys;
mod tail;
mod tasks;
mod yaml;

use std::{
    io::{self, Write},
    process::ExitCode,
    sync::Arc,
};

use arguments::{Arguments, HELP};
use config::Config;
use engine::Engine;
use log::Level;
use pipeline::Pipeline;
use plugin::Plugin;
use process::{Signal, Signals};
use release::{Release, Version};

fn main() -> ExitCode {
    let outcome = Arguments::parse(std::env::args().skip(1)).and_then(run);
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            log::error(why);
            ExitCode::FAILURE
        }
    }
}

fn show(text: &str) {
    // Who closed the pipe does not want the rest.
    let _ = io::stdout().write_all(text.as_bytes());
}

fn run(arguments: Arguments) -> Result<(), String> {
    let release = Release::new(arguments.version.unwrap_or(Version(5, 1, 1)));
    if arguments.show_version {
        show(&format!("Fluent Bit v{}\nThis is a stand-in for tests and demo.\n", release.version));
        return Ok(());
    }
    if arguments.help && arguments.named.is_none() {
        show(HELP);
        return Ok(());
    }
    if arguments.quiet {
        log::set_level(Level::Error);
    }
    let log_print = shim::load(&release, &arguments.faults)?;
    Host { release, arguments, log_print }.run()
}

struct Host {
    release: Release,
    arguments: Arguments,
    log_print: usize,
}

/// One life: from a configuration to its end or the next one.
struct Life {
    config: Config,
    plugins: Vec<Arc<Plugin>>,
    pipeline: Pipeline,
}

impl Host {
    fn run(&self) -> Result<(), String> {
        let life = self.prepare(false)?;
        if let Some((kind, name)) = self.arguments.named.as_ref().filter(|_| self.arguments.help) {
            let same =
                |plugin: &&Arc<Plugin>| plugin.kind() == *kind && plugin.name.eq_ignore_ascii_case(name);
            let plugin =
                life.plugins.iter().find(same).ok_or(format!("no {} plugin '{name}'", kind.word()))?;
            show(&config_map::help(&plugin.name, kind.word(), &plugin.description, plugin.rows.as_deref()));
            return Ok(());
        }
        if self.arguments.dry_run {
            show("configuration test is successful\n");
            return Ok(());
        }
        let signals = Signals::block()?;
        if self.arguments.daemon || life.config.service.is_on("daemon") {
            process::become_daemon()?;
        }
        self.live(life, signals)
    }

    fn prepare(&self, reloading: bool) -> Result<Life, String> {
        let config = match &self.arguments.config {
            Some(path) => Config::read(path)?,
            None => Config::default(),
        };
        if !self.arguments.quiet {
            let level = config.service.get("log_level").unwrap_or("info");
            log::set_level(Level::from_word(level).ok_or(format!("log_level: '{level}' is no level"))?);
        }
        let file = self.arguments.log_file.clone().or(config.service.get("log_file").map(Into::into));
        if let Some(file) = file {
            log::set_file(&file).map_err(|error| format!("log_file {}: {error}", file.display()))?;
        }
        if !reloading {
            let version = self.release.version;
            log::info(format_args!("[stand-in host] a stand-in for tests and demo, as Fluent Bit {version}"));
        }
        let plugins = pipeline::load_plugins(
            &self.arguments.plugins,
            &config,
            &self.release,
            self.log_print,
            reloading,
        )?;
        let pipeline = Pipeline::build(&config, &plugins, &self.release).inspect_err(|_| {
            if reloading {
                pipeline::discard(&config, &plugins)
            }
        })?;
        Ok(Life { config, plugins, pipeline })
    }

    fn live(&self, life: Life, signals: Signals) -> Result<(), String> {
        let mut plugins = life.plugins;
        let mut service = life.config.service;
        let mut engine = Engine::start(life.pipeline, &service, signals.on_end())?;
        loop {
            match signals.wait() {
                Signal::Hangup if self.arguments.hot_reload || service.is_on("hot_reload") => {
                    log::info("[reload] reloading instance");
                    let next = match self.prepare(true) {
                        Ok(next) => next,
                        Err(why) => {
                            log::error(format_args!("[reload] the new configuration is not taken: {why}"));
                            continue;
                        }
                    };
                    engine.stop(true);
                    unload(std::mem::replace(&mut plugins, next.plugins));
                    service = next.config.service;
                    engine = Engine::start(next.pipeline, &service, signals.on_end())?;
                    log::info("[reload] reloaded");
                }
                Signal::Hangup => log::info("[reload] hot reload is off"),
                Signal::Stop => {
                    engine.stop(false);
                    unload(plugins);
                    return Ok(());
                }
            }
        }
    }
}

/// Unloads plugins whose instances have ended.
fn unload(plugins: Vec<Arc<Plugin>>) {
    for plugin in plugins {
        if let Some(plugin) = Arc::into_inner(plugin) {
            plugin.unload();
        } else {
            log::error("[host] a plugin is still in use");
        }
    }
}
