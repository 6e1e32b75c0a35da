//! The command line: the part of fluent-bit's that tests and demo use, and the stand-in's own.

use std::path::PathBuf;

use crate::{instance::Kind, release::Version, shim::Faults};

pub(crate) const HELP: &str = "\
stand-in-host: a stand-in for Fluent Bit, for the tests and the demo of flb-kube only. It loads plugins through the
same C structs, in the layouts of any release from 2.0.0 to 5.1.1. It is no log processor to be deployed.

Usage: stand-in-host [OPTION]

As fluent-bit has them:
  -c, --config=FILE       the configuration, classic or YAML
  -e, --plugin=FILE       load a plugin
  -i|-F|-o NAME           with -h: the help of an input, a filter or an output that was loaded
  -l, --log_file=FILE     write the log to a file
  -D, --dry-run           check the configuration and end
  -d, --daemon            run in the background
  -Y, --enable-hot-reload reload on SIGHUP
  -q, --quiet             log errors only
  -V, --version           show the version
  -h, --help              print this help

Of its own:
  --epoch VERSION         be that release (5.1.1)
  --without SYMBOL        lack a symbol
  --swap-fields           have built-in structs whose fields changed places
  --struct-size KIND=N    have a built-in struct of N bytes: filter, input, output, custom, processor
";

#[derive(Debug, Default)]
pub(crate) struct Arguments {
    pub(crate) version: Option<Version>,
    pub(crate) faults: Faults,
    pub(crate) plugins: Vec<PathBuf>,
    pub(crate) config: Option<PathBuf>,
    pub(crate) log_file: Option<PathBuf>,
    pub(crate) named: Option<(Kind, String)>,
    pub(crate) dry_run: bool,
    pub(crate) daemon: bool,
    pub(crate) hot_reload: bool,
    pub(crate) quiet: bool,
    pub(crate) show_version: bool,
    pub(crate) help: bool,
}

impl Arguments {
    pub(crate) fn parse(words: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut arguments = Self::default();
        // `--config=FILE` is `--config FILE`.
        let mut words = words.flat_map(|word| match word.split_once('=') {
            Some((option, value)) if word.starts_with("--") => vec![option.to_owned(), value.to_owned()],
            _ => vec![word],
        });
        while let Some(word) = words.next() {
            let mut value = || words.next().ok_or(format!("{word} needs a value"));
            match word.as_str() {
                "--epoch" => arguments.version = Some(value()?.parse()?),
                "--without" => arguments.faults.without.push(value()?),
                "--swap-fields" => arguments.faults.swapped = true,
                "--struct-size" => {
                    let kind = value()?;
                    let (kind, size) = match kind.split_once('=') {
                        Some((kind, size)) => (kind.to_owned(), size.to_owned()),
                        None => (kind, value()?),
                    };
                    let size = size.parse().map_err(|_| format!("--struct-size: '{size}' is no number"))?;
                    arguments.faults.sizes.push((kind, size));
                }
                "-e" | "--plugin" => arguments.plugins.push(value()?.into()),
                "-c" | "--config" => arguments.config = Some(value()?.into()),
                "-l" | "--log_file" => arguments.log_file = Some(value()?.into()),
                "-i" | "--input" => arguments.named = Some((Kind::Input, value()?)),
                "-F" | "--filter" => arguments.named = Some((Kind::Filter, value()?)),
                "-o" | "--output" => arguments.named = Some((Kind::Output, value()?)),
                "-D" | "--dry-run" => arguments.dry_run = true,
                "-d" | "--daemon" => arguments.daemon = true,
                "-Y" | "--enable-hot-reload" => arguments.hot_reload = true,
                "-q" | "--quiet" => arguments.quiet = true,
                "-V" | "--version" => arguments.show_version = true,
                "-h" | "--help" => arguments.help = true,
                _ => return Err(format!("no option '{word}' here; see --help")),
            }
        }
        Ok(arguments)
    }
}
