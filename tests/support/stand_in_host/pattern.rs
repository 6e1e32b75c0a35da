//! Which tags a filter or an output takes: `match` with stars, or `match_regex`.

use regex::Regex;

use crate::config::Section;

#[derive(Debug)]
pub(crate) enum Pattern {
    Stars(String),
    Regex(Regex),
}

impl Pattern {
    pub(crate) fn any() -> Self {
        Self::Stars("*".into())
    }

    pub(crate) fn of(section: &Section) -> Result<Self, String> {
        if let Some(regex) = section.get("match_regex") {
            return Regex::new(regex)
                .map(Self::Regex)
                .map_err(|error| format!("match_regex {regex}: {error}"));
        }
        let stars = section.get("match").ok_or(format!("[{}] {}: no match", section.kind, section.name()))?;
        Ok(Self::Stars(stars.into()))
    }

    pub(crate) fn matches(&self, tag: &str) -> bool {
        match self {
            Self::Stars(stars) => matches(stars, tag),
            Self::Regex(regex) => regex.is_match(tag),
        }
    }
}

/// Whether `text` is what `pattern` says, where a star stands for anything.
fn matches(pattern: &str, text: &str) -> bool {
    let Some((front, rest)) = pattern.split_once('*') else { return pattern == text };
    let Some(mut text) = text.strip_prefix(front) else { return false };
    let mut parts: Vec<&str> = rest.split('*').collect();
    let last = parts.pop().unwrap_or_default();
    for part in parts {
        let Some(at) = text.find(part) else { return false };
        text = &text[at + part.len()..];
    }
    text.ends_with(last)
}
