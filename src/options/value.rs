//! The types that options can have, and how an operator's text is read as one.
//!
//! Serves the rows. Invariant: a text that is not of the type is refused with a reason that ends the sentence "option
//! 'key': 'text' …", and a secret is never shown.

use std::time::Duration;

use super::Kind;
use crate::secret::Secret;

/// A type that an option can have.
pub trait Value: Sized {
    /// How the host and the reference call it.
    const KIND: Kind;
    /// The words that it can be, in any case; any text if there are none.
    const WORDS: &'static [&'static str] = &[];
    /// Whether the text must not be shown.
    const SECRET: bool = false;

    /// Reads the operator's text; the error ends the sentence "option 'key': 'text' …".
    fn parse(text: &str) -> Result<Self, String>;
}

/// Makes a type an option that is one of some words: `choices! { Scope: "node" => Scope::Node, … }`.
#[macro_export]
macro_rules! choices {
    ($type:ty: $($word:literal => $value:expr),+ $(,)?) => {
        impl $crate::options::Value for $type {
            const KIND: $crate::options::Kind = $crate::options::Kind::Text;
            const WORDS: &'static [&'static str] = &[$($word),+];

            fn parse(text: &str) -> Result<Self, String> {
                $(if text.eq_ignore_ascii_case($word) {
                    return Ok($value);
                })+
                Err($crate::options::none_of(Self::WORDS))
            }
        }
    };
}

/// Says that a text is none of these words.
pub fn none_of(words: &[&str]) -> String {
    match words {
        [one, other] => format!("is neither {one} nor {other}"),
        [front @ .., last] => format!("is none of {} and {last}", front.join(", ")),
        [] => "is no word".into(),
    }
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

/// Words separated by commas or blanks, none empty.
impl Value for Vec<String> {
    const KIND: Kind = Kind::List;

    fn parse(text: &str) -> Result<Self, String> {
        let is_between = |c: char| c == ',' || c.is_whitespace();
        Ok(text.split(is_between).filter(|word| !word.is_empty()).map(str::to_owned).collect())
    }
}

/// Names that may have blanks, such as a record's fields: separated by commas.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Names(pub Vec<String>);

impl Value for Names {
    const KIND: Kind = Kind::List;

    fn parse(text: &str) -> Result<Self, String> {
        let names: Vec<&str> = text.split(',').map(str::trim).filter(|name| !name.is_empty()).collect();
        match names[..] {
            [one] if one.contains(char::is_whitespace) && !text.contains(',') => {
                Err("is one name with blanks or several: separate names by commas, and end one alone with a comma".into())
            }
            _ => Ok(Self(names.into_iter().map(str::to_owned).collect())),
        }
    }
}

/// Pairs `name=value`, separated by commas; a value may have blanks.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pairs(pub Vec<(String, String)>);

impl Value for Pairs {
    const KIND: Kind = Kind::List;

    fn parse(text: &str) -> Result<Self, String> {
        let wrong = || "is not of the form name=value, several separated by commas".to_owned();
        let pair = |pair: &str| {
            let (name, value) = pair.split_once('=').ok_or_else(wrong)?;
            let (name, value) = (name.trim(), value.trim());
            // A second pair behind a blank.
            let has_more = value.split_whitespace().skip(1).any(|word| word.contains('='));
            if name.is_empty() || value.is_empty() || has_more {
                return Err(wrong());
            }
            Ok((name.to_owned(), value.to_owned()))
        };
        let pairs = text.split(',').map(str::trim).filter(|pair| !pair.is_empty());
        pairs.map(pair).collect::<Result<_, _>>().map(Self)
    }
}

impl Value for Secret {
    const KIND: Kind = Kind::Text;
    const SECRET: bool = true;

    fn parse(text: &str) -> Result<Self, String> {
        Ok(Self::new(text))
    }
}

/// Secret texts, a line each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecretLines(Secret);

impl SecretLines {
    /// The texts, separated by line breaks: for the wire only.
    pub fn reveal(&self) -> &str {
        self.0.reveal()
    }
}

impl Value for SecretLines {
    const KIND: Kind = Kind::Lines;
    const SECRET: bool = true;

    fn parse(text: &str) -> Result<Self, String> {
        Secret::parse(text).map(Self)
    }
}

/// Unset is empty text.
impl<T: Value> Value for Option<T> {
    const KIND: Kind = T::KIND;
    const WORDS: &'static [&'static str] = T::WORDS;
    const SECRET: bool = T::SECRET;

    fn parse(text: &str) -> Result<Self, String> {
        if text.is_empty() { Ok(None) } else { T::parse(text).map(Some) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
    fn a_list_is_written_with_commas_or_blanks() {
        for text in ["app,tier", "app tier", " app , tier ,", "app\ttier"] {
            assert_eq!(Vec::<String>::parse(text).unwrap(), ["app", "tier"], "{text}");
        }
    }

    #[test]
    fn names_with_blanks_are_taken_where_commas_say_so() {
        let names = |text: &str| Names::parse(text).map(|names| names.0);
        assert_eq!(names("user name, app").unwrap(), ["user name", "app"]);
        assert_eq!(names("user name,").unwrap(), ["user name"]);
        assert_eq!(names("app").unwrap(), ["app"]);
        assert!(names("app tier").unwrap_err().contains("separate names by commas"));
    }

    #[test]
    fn pairs_may_have_blanks_in_a_value_but_not_between_them() {
        let pairs = |text: &str| Pairs::parse(text).map(|pairs| pairs.0);
        let one = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(
            pairs("site=Berlin Mitte, env = prod"),
            Ok(vec![one("site", "Berlin Mitte"), one("env", "prod")])
        );
        for text in ["a=1 b=2", "a", "=1", "a="] {
            assert!(pairs(text).is_err(), "{text}");
        }
    }
}
