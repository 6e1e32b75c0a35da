//! Options: one row each, from which come the typed field, the parser, the default, the host's config map and the
//! reference in `docs/options.md`.
//!
//! Serves every plugin (which declares rows), `abi/` (which gives them to the host) and `make docs`. Invariant: an
//! option exists nowhere but in its row.

use std::{fmt, time::Duration};

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
    /// Words separated by commas.
    List,
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
            Kind::List => "list",
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
    /// The default as text; empty for none.
    pub default: &'static str,
    /// What it does.
    pub doc: &'static str,
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

/// A type that an option can have.
pub trait Value: Sized {
    /// How the host and the reference call it.
    const KIND: Kind;
    /// Whether the text must not be shown.
    const SECRET: bool = false;

    /// Reads the operator's text; the error ends the sentence "option 'key': 'text' …".
    fn parse(text: &str) -> Result<Self, String>;
}

impl Value for String {
    const KIND: Kind = Kind::Text;

    fn parse(text: &str) -> Result<Self, String> {
        Ok(text.to_owned())
    }
}

impl Value for bool {
    const KIND: Kind = Kind::Bool;

    fn parse(text: &str) -> Result<Self, String> {
        match text.to_ascii_lowercase().as_str() {
            "on" | "true" | "yes" => Ok(true),
            "off" | "false" | "no" => Ok(false),
            _ => Err("is neither on nor off".into()),
        }
    }
}

macro_rules! integers {
    ($($int:ty),*) => {$(
        impl Value for $int {
            const KIND: Kind = Kind::Integer;

            fn parse(text: &str) -> Result<Self, String> {
                text.parse().map_err(|_| format!("is not a whole number from {} to {}", Self::MIN, Self::MAX))
            }
        }
    )*};
}
integers!(u16, u32, u64, usize, i32, i64);

/// A hundred years: clocks can add it to any time of theirs.
const LONGEST: Duration = Duration::from_secs(100 * 36525 * 864);

impl Value for Duration {
    const KIND: Kind = Kind::Time;

    fn parse(text: &str) -> Result<Self, String> {
        let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
        let (number, unit) = text.split_at(digits);
        let factor = match unit.trim().to_ascii_lowercase().as_str() {
            "" | "s" => 1.0,
            "ms" => 0.001,
            "m" => 60.0,
            "h" => 3600.0,
            "d" => 86400.0,
            _ => return Err("is not a time such as 10, 500ms, 30s, 5m, 1h or 2d".into()),
        };
        let number: f64 = number.parse().map_err(|_| "is not a time such as 10, 500ms, 30s, 5m, 1h or 2d")?;
        match Duration::try_from_secs_f64(number * factor) {
            Ok(time) if time <= LONGEST => Ok(time),
            _ => Err("is too long a time".into()),
        }
    }
}

/// A size in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Size(pub u64);

impl Value for Size {
    const KIND: Kind = Kind::Size;

    fn parse(text: &str) -> Result<Self, String> {
        let wrong = || "is not a size such as 100, 32K, 5M or 1G".to_string();
        if text.eq_ignore_ascii_case("false") {
            return Ok(Self(0)); // as the host reads it: buffer_size false
        }
        let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
        let (number, unit) = text.split_at(digits);
        let factor = match unit.trim().to_ascii_lowercase().as_str() {
            "" | "b" => 1,
            "k" | "kb" => 1_000,
            "m" | "mb" => 1_000_000,
            "g" | "gb" => 1_000_000_000,
            _ => return Err(wrong()),
        };
        let number: u64 = number.parse().map_err(|_| wrong())?;
        number.checked_mul(factor).map(Size).ok_or_else(|| "is too large".into())
    }
}

/// Words separated by commas, trimmed, none empty.
impl Value for Vec<String> {
    const KIND: Kind = Kind::List;

    fn parse(text: &str) -> Result<Self, String> {
        Ok(text.split(',').map(str::trim).filter(|w| !w.is_empty()).map(str::to_owned).collect())
    }
}

/// Text that never reaches a log.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// The text itself: for the wire only.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl Value for Secret {
    const KIND: Kind = Kind::Text;
    const SECRET: bool = true;

    fn parse(text: &str) -> Result<Self, String> {
        Ok(Self(text.to_owned()))
    }
}

/// Unset is empty text.
impl<T: Value> Value for Option<T> {
    const KIND: Kind = T::KIND;
    const SECRET: bool = T::SECRET;

    fn parse(text: &str) -> Result<Self, String> {
        if text.is_empty() { Ok(None) } else { T::parse(text).map(Some) }
    }
}

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
    let mut all = [OptionSpec { key: "", kind: Kind::Text, default: "", doc: "" }; N];
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
    fn times_are_read_up_to_what_a_clock_can_add() {
        for (text, seconds) in
            [("0", 0.0), ("1.5", 1.5), ("500ms", 0.5), ("5 m", 300.0), ("36500d", 36500.0 * 86400.0)]
        {
            assert_eq!(Duration::parse(text).map(|time| time.as_secs_f64()), Ok(seconds), "{text}");
        }
        for text in ["", ".", "1.2.3", "-5", "+5", "nan", "inf", "1e999", "5 weeks"] {
            assert!(Duration::parse(text).unwrap_err().starts_with("is not a time"), "{text}");
        }
        for text in ["10000000000000000000", "99999999999d", &"9".repeat(400)] {
            assert_eq!(Duration::parse(text), Err("is too long a time".into()), "{text}");
        }
    }

    #[test]
    fn sizes_are_read_as_the_host_counts() {
        for (text, bytes) in [
            ("0", 0),
            ("32k", 32_000),
            ("32KB", 32_000),
            ("5 M", 5_000_000),
            ("1G", 1_000_000_000),
            ("False", 0),
        ] {
            assert_eq!(Size::parse(text), Ok(Size(bytes)), "{text}");
        }
        for text in ["", "-1", "K", "1.5.2M", "5T", "99999999999999999999", "20000000000G"] {
            assert!(Size::parse(text).is_err(), "{text}");
        }
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
