//! Options: one row each, from which come the typed field, the parser, the default, the host's config map and the
//! reference in `docs/options.md`.
//!
//! Serves every plugin (which declares rows), `abi/` (which gives them to the host) and `make docs`. Invariant: an
//! option exists nowhere but in its row.

mod value;

use std::fmt;

pub use value::{Names, Pairs, SecretLines, Size, Value, none_of};

pub use crate::secret::Secret;

/// The type of an option, in the host's terms.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Free text.
    Text,
    /// A whole number.
    Integer,
    /// on/off, true/false, yes/no.
    Bool,
    /// A duration: `10`, `10s`, `5m`, `1h`, `2d`, `500ms`.
    Time,
    /// A size in bytes: `100`, `32K`, `5M`, `1G`; K is 1000, as the host counts.
    Size,
    /// Words separated by commas, or by blanks where none can have any, in one row or several.
    List,
    /// Texts that stand in a row each.
    Lines,
}

impl Kind {
    /// The word that help and reference show.
    pub const fn word(self) -> &'static str {
        match self {
            Kind::Text => "text",
            Kind::Integer => "integer",
            Kind::Bool => "bool",
            Kind::Time => "time",
            Kind::Size => "size",
            Kind::List | Kind::Lines => "list",
        }
    }

    /// What joins the rows of an option that may have several; none for those that are written once.
    pub const fn separator(self) -> Option<&'static str> {
        match self {
            Kind::List => Some(","),
            Kind::Lines => Some("\n"),
            Kind::Text | Kind::Integer | Kind::Bool | Kind::Time | Kind::Size => None,
        }
    }
}

/// A row as data: what the host's config map and the reference are made of.
#[derive(Debug, Clone, Copy)]
pub struct OptionSpec {
    /// The key as operators write it, lower case.
    pub key: &'static str,
    /// The type.
    pub kind: Kind,
    /// The words that it can be; any text if there are none.
    pub words: &'static [&'static str],
    /// The default as text; empty for none.
    pub default: &'static str,
    /// What it does.
    pub doc: &'static str,
}

impl OptionSpec {
    /// A row of nothing: the end of a config map.
    pub const NONE: Self = Self { key: "", kind: Kind::Text, words: &[], default: "", doc: "" };
}

/// A set of options: what `options!` makes.
pub trait Options: Sized {
    /// The rows in the order of declaration.
    const SPECS: &'static [OptionSpec];

    /// Reads every option through `get`, which gives the text that the operator wrote, if any.
    fn load(get: &dyn Fn(&str) -> Option<String>) -> Result<Self, BadOption>;
}

/// A value that an option can't take. Never shows a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadOption {
    key: &'static str,
    value: String,
    reason: String,
}

impl BadOption {
    /// Says what is wrong with the value of `key`.
    pub fn new(key: &'static str, value: impl Into<String>, reason: impl Into<String>) -> Self {
        Self { key, value: value.into(), reason: reason.into() }
    }
}

impl fmt::Display for BadOption {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "option '{}': '{}' {}", self.key, self.value, self.reason)
    }
}

impl std::error::Error for BadOption {}

/// Reads one option: what `options!` calls for each row.
pub fn read<T: Value>(spec: &OptionSpec, get: &dyn Fn(&str) -> Option<String>) -> Result<T, BadOption> {
    let written = get(spec.key);
    let text = written.as_deref().unwrap_or(spec.default).trim();
    T::parse(text).map_err(|reason| BadOption::new(spec.key, if T::SECRET { "***" } else { text }, reason))
}

/// Declares a struct of options: `/// doc`, `"key" => field: Type = "default",` per row.
///
/// The doc comment of a row is the help text of the host and the row of the reference.
#[macro_export]
macro_rules! options {
    (
        $(#[doc = $struct_doc:literal])*
        $vis:vis struct $name:ident {
            $( $(#[doc = $doc:literal])+ $key:literal => $field:ident: $type:ty = $default:literal, )*
        }
    ) => {
        $(#[doc = $struct_doc])*
        #[derive(Debug, Clone)]
        $vis struct $name {
            $( $(#[doc = $doc])+ pub $field: $type, )*
        }

        impl $crate::options::Options for $name {
            const SPECS: &'static [$crate::options::OptionSpec] = &[
                $( $crate::options::OptionSpec {
                    key: $key,
                    kind: <$type as $crate::options::Value>::KIND,
                    words: <$type as $crate::options::Value>::WORDS,
                    default: $default,
                    doc: concat!($($doc,)+),
                }, )*
            ];

            fn load(
                get: &dyn Fn(&str) -> Option<String>,
            ) -> Result<Self, $crate::options::BadOption> {
                let mut specs = <Self as $crate::options::Options>::SPECS.iter();
                $( let $field = $crate::options::read::<$type>(
                    specs.next().expect("a row for each field"), get)?; )*
                Ok(Self { $( $field, )* })
            }
        }
    };
}

/// Declares options made of groups, each a struct of `options!`: `pub struct All { /// doc pub api: ApiOptions, }`.
#[macro_export]
macro_rules! option_groups {
    (
        $(#[doc = $struct_doc:literal])*
        $vis:vis struct $name:ident {
            $( $(#[doc = $doc:literal])+ $field:ident: $group:ty, )*
        }
    ) => {
        $(#[doc = $struct_doc])*
        #[derive(Debug, Clone)]
        $vis struct $name {
            $( $(#[doc = $doc])+ pub $field: $group, )*
        }

        impl $crate::options::Options for $name {
            const SPECS: &'static [$crate::options::OptionSpec] = &$crate::options::joined::<{
                0 $( + <$group as $crate::options::Options>::SPECS.len() )*
            }>(&[$( <$group as $crate::options::Options>::SPECS, )*]);

            fn load(
                get: &dyn Fn(&str) -> Option<String>,
            ) -> Result<Self, $crate::options::BadOption> {
                Ok(Self { $( $field: <$group as $crate::options::Options>::load(get)?, )* })
            }
        }
    };
}

/// The rows of all groups, in order; `N` is their number.
pub const fn joined<const N: usize>(groups: &[&[OptionSpec]]) -> [OptionSpec; N] {
    let mut all = [OptionSpec::NONE; N];
    let (mut at, mut group) = (0, 0);
    while group < groups.len() {
        let mut row = 0;
        while row < groups[group].len() {
            all[at] = groups[group][row];
            at += 1;
            row += 1;
        }
        group += 1;
    }
    all
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    options! {
        /// Of a test.
        struct Sample {
            /// Where the server is.
            "url" => url: String = "http://localhost",
            /// How long to wait,
            /// at most.
            "wait" => wait: Duration = "5m",
            /// A password.
            "password" => password: Option<Secret> = "",
            /// Names.
            "names" => names: Vec<String> = "a, b",
            /// How much.
            "size" => size: Size = "32K",
        }
    }

    fn load(pairs: &[(&str, &str)]) -> Result<Sample, BadOption> {
        let pairs: Vec<(String, String)> =
            pairs.iter().map(|(k, v)| (k.to_string(), v.to_string())).collect();
        Sample::load(&|key| pairs.iter().find(|(k, _)| k == key).map(|(_, v)| v.clone()))
    }

    #[test]
    fn defaults_hold_where_the_operator_says_nothing() {
        let sample = load(&[]).unwrap();
        assert_eq!(sample.url, "http://localhost");
        assert_eq!(sample.wait, Duration::from_secs(300));
        assert_eq!(sample.password, None);
        assert_eq!(sample.names, ["a", "b"]);
        assert_eq!(sample.size, Size(32_000));
    }

    #[test]
    fn a_bad_value_is_named_with_its_key_and_the_reason() {
        let bad = load(&[("wait", "soon")]).unwrap_err().to_string();
        assert_eq!(bad, "option 'wait': 'soon' is not a time such as 10, 500ms, 30s, 5m, 1h or 2d");
    }

    #[test]
    fn a_secret_is_not_shown() {
        let sample = load(&[("password", "hunter2")]).unwrap();
        assert!(!format!("{sample:?}").contains("hunter2"));
        assert_eq!(sample.password.unwrap().reveal(), "hunter2");
    }

    #[test]
    fn the_lines_of_a_doc_comment_become_one_text() {
        assert_eq!(Sample::SPECS[1].doc.trim(), "How long to wait, at most.");
    }
}
