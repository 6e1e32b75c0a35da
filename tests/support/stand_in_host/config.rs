//! Configuration: the classic format, and through `yaml.rs` as much of the YAML one as pipelines with processors need.
//!
//! Invariant: keys keep the operator's spelling and order; values have `${VARIABLES}` put in.

use std::{fs, path::Path, time::Duration};

use crate::yaml::Node;

/// A section: `[SERVICE]`, `[INPUT]` and so on, or a processor.
#[derive(Debug, Clone, Default)]
pub(crate) struct Section {
    /// Lower case: `service`, `input`, `filter`, `output`, `parser`, `plugins`.
    pub(crate) kind: String,
    pub(crate) properties: Vec<(String, String)>,
    /// The log processors, each with its properties.
    pub(crate) processors: Vec<Section>,
}

impl Section {
    pub(crate) fn get(&self, key: &str) -> Option<&str> {
        self.properties.iter().find(|(k, _)| k.eq_ignore_ascii_case(key)).map(|(_, value)| value.as_str())
    }

    pub(crate) fn all<'a>(&'a self, key: &'a str) -> impl Iterator<Item = &'a str> {
        self.properties
            .iter()
            .filter(move |(k, _)| k.eq_ignore_ascii_case(key))
            .map(|(_, value)| value.as_str())
    }

    pub(crate) fn is_on(&self, key: &str) -> bool {
        self.get(key)
            .is_some_and(|value| matches!(value.to_ascii_lowercase().as_str(), "on" | "true" | "yes"))
    }

    pub(crate) fn seconds(&self, key: &str, default: f64) -> Duration {
        Duration::try_from_secs_f64(self.get(key).and_then(|text| text.parse().ok()).unwrap_or(default))
            .unwrap_or_default()
    }

    pub(crate) fn number(&self, key: &str, default: u64) -> u64 {
        self.get(key).and_then(|text| text.parse().ok()).unwrap_or(default)
    }

    pub(crate) fn name(&self) -> &str {
        self.get("name").unwrap_or_default()
    }
}

/// A configuration as read.
#[derive(Debug, Clone, Default)]
pub(crate) struct Config {
    pub(crate) service: Section,
    /// Files of plugins to load.
    pub(crate) plugins: Vec<String>,
    /// Inputs, filters and outputs in their order.
    pub(crate) sections: Vec<Section>,
}

impl Config {
    pub(crate) fn read(path: &Path) -> Result<Self, String> {
        let text = fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
        let yaml = path.extension().is_some_and(|ending| ending == "yaml" || ending == "yml");
        let sections = if yaml { from_yaml(&crate::yaml::parse(&text)?)? } else { classic(&text)? };
        let mut config = Self::default();
        for section in sections {
            match section.kind.as_str() {
                "service" => config.service = section,
                "plugins" => config.plugins.extend(section.all("path").map(str::to_owned)),
                "input" | "filter" | "output" => config.sections.push(section),
                other => return Err(format!("{}: no section [{other}] here", path.display())),
            }
        }
        if let Some(file) = config.service.get("plugins_file") {
            let text = fs::read_to_string(file).map_err(|error| format!("plugins_file {file}: {error}"))?;
            for section in classic(&text)? {
                config.plugins.extend(section.all("path").map(str::to_owned));
            }
        }
        Ok(config)
    }

    /// The sections of the parsers files.
    pub(crate) fn parsers(&self) -> Result<Vec<Section>, String> {
        let mut parsers = Vec::new();
        for file in self.service.all("parsers_file") {
            let text = fs::read_to_string(file).map_err(|error| format!("parsers_file {file}: {error}"))?;
            parsers.extend(classic(&text)?.into_iter().filter(|section| section.kind == "parser"));
        }
        Ok(parsers)
    }
}

fn classic(text: &str) -> Result<Vec<Section>, String> {
    let mut sections: Vec<Section> = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        if let Some(kind) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            sections.push(Section { kind: kind.to_ascii_lowercase(), ..Section::default() });
            continue;
        }
        let (key, value) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
        let section =
            sections.last_mut().ok_or(format!("line {}: '{key}' is outside a section", number + 1))?;
        section.properties.push((key.to_owned(), expand(value.trim())));
    }
    Ok(sections)
}

fn from_yaml(root: &Node) -> Result<Vec<Section>, String> {
    let mut sections = Vec::new();
    if let Some(service) = root.get("service") {
        sections.push(section("service", service)?);
    }
    for plugin in root.get("plugins").map(Node::items).unwrap_or_default() {
        let properties = vec![("path".into(), expand(plugin.text()?))];
        sections.push(Section { kind: "plugins".into(), properties, ..Section::default() });
    }
    let pipeline = root.get("pipeline");
    for kind in ["input", "filter", "output"] {
        let list = pipeline.and_then(|pipeline| pipeline.get(&format!("{kind}s")));
        for item in list.map(Node::items).unwrap_or_default() {
            sections.push(section(kind, item)?);
        }
    }
    Ok(sections)
}

fn section(kind: &str, node: &Node) -> Result<Section, String> {
    let mut section = Section { kind: kind.into(), ..Section::default() };
    for (key, value) in node.entries() {
        if key == "processors" {
            for processor in value.get("logs").map(Node::items).unwrap_or_default() {
                section.processors.push(self::section("processor", processor)?);
            }
        } else if let Node::List(items) = value {
            for item in items {
                section.properties.push((key.clone(), expand(item.text()?)));
            }
        } else {
            section.properties.push((key.clone(), expand(value.text()?)));
        }
    }
    Ok(section)
}

/// Puts environment variables in; an unset one is empty.
pub(crate) fn expand(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("${") {
        let Some((name, behind)) = after.split_once('}') else { break };
        out.push_str(before);
        out.push_str(&std::env::var(name).unwrap_or_default());
        rest = behind;
    }
    out + rest
}
