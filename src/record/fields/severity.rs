//! How grave a record is, in one word: trace, debug, info, notice, warning, error, critical, alert, emergency or fatal.
//!
//! Serves `splice`. These are syslog's words, with trace and fatal as loggers have them. Read are words and letters in any
//! case, syslog's numbers 0 to 7, and those of pino and bunyan from 10 to 69. Invariant: what is none of these makes no
//! field, and a field that has the name of the new one already gives way to it.

use crate::record::msgpack::{
    reader::{Map, text},
    walk::{Value, Walk},
    write,
};

/// The fields that may tell it, best first; in any case, and with `.` for a map within: `log.level`.
const KEYS: [&[u8]; 9] = [
    b"severity",
    b"level",
    b"lvl",
    b"loglevel",
    b"log_level",
    b"log.level",
    b"levelname",
    b"severity_text",
    b"priority",
];

/// No key is longer, nor is any word.
const LONGEST: usize = 13;

/// Adds the severity of records.
#[derive(Debug, Clone)]
pub struct Severity {
    key: Vec<u8>,
}

impl Severity {
    /// Puts it under `key`.
    pub fn new(key: &str) -> Self {
        let mut bytes = Vec::new();
        write::str(&mut bytes, key);
        Self { key: bytes }
    }

    /// The key that it is put under, as msgpack.
    #[inline]
    pub fn key(&self) -> &[u8] {
        &self.key
    }

    /// The severity that the merged fields tell, if there are any, else the record's own.
    pub fn find(&self, body: Map<'_>, merged: Option<Map<'_>>) -> Option<&'static str> {
        merged.and_then(told).or_else(|| told(body))
    }

    /// Appends the field.
    pub fn write(&self, word: &str, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.key);
        write::str(out, word);
    }
}

/// What the best of the fields says that has a word for it.
fn told(map: Map<'_>) -> Option<&'static str> {
    let mut best = KEYS.len();
    let mut found = None;
    for pair in map.pairs() {
        // What most keys are not is told by their first letter.
        let Some(key @ [b's' | b'S' | b'l' | b'L' | b'p' | b'P', ..]) = text(pair.key) else { continue };
        let mut lower = [0; LONGEST];
        let Some(key) = lowered(key, &mut lower) else { continue };
        let (key, value) = match Map::of(pair.value) {
            Some(inner) if key == b"log" => match inner.get(b"level") {
                Some(value) => (&b"log.level"[..], value),
                None => continue,
            },
            _ => (key, pair.value),
        };
        let rank = KEYS[..best].iter().position(|name| *name == key);
        if let Some(rank) = rank
            && let Some(word) = word(value)
        {
            (best, found) = (rank, Some(word));
        }
    }
    found
}

/// The word for what a field holds.
fn word(value: &[u8]) -> Option<&'static str> {
    match Walk::new(value).next().ok()? {
        Value::Str(text) => {
            let mut lower = [0; LONGEST];
            let text = lowered(text.trim_ascii(), &mut lower)?;
            match text {
                [b'0'..=b'9', ..] => number(std::str::from_utf8(text).ok()?.parse().ok()?),
                _ => named(text),
            }
        }
        Value::Unsigned(level) => number(level),
        // JSON of some libraries has floats only.
        Value::Float(level) if level.fract() == 0.0 && (0.0..100.0).contains(&level) => number(level as u64),
        _ => None,
    }
}

fn named(word: &[u8]) -> Option<&'static str> {
    Some(match word {
        b"trace" | b"trc" | b"t" | b"verbose" | b"finest" | b"finer" | b"silly" => "trace",
        b"debug" | b"dbug" | b"dbg" | b"d" | b"fine" => "debug",
        b"info" | b"inf" | b"i" | b"information" | b"informational" | b"log" => "info",
        b"notice" | b"note" | b"n" => "notice",
        b"warning" | b"warn" | b"wrn" | b"w" => "warning",
        b"error" | b"err" | b"eror" | b"e" | b"severe" | b"fail" => "error",
        b"critical" | b"crit" | b"crt" | b"c" | b"dpanic" => "critical",
        b"alert" | b"a" => "alert",
        b"emergency" | b"emerg" => "emergency",
        b"fatal" | b"ftl" | b"f" | b"panic" => "fatal",
        _ => return None,
    })
}

fn number(level: u64) -> Option<&'static str> {
    Some(match level {
        0 => "emergency",
        1 => "alert",
        2 => "critical",
        3 => "error",
        4 => "warning",
        5 => "notice",
        6 => "info",
        7 => "debug",
        10..=19 => "trace",
        20..=29 => "debug",
        30..=39 => "info",
        40..=49 => "warning",
        50..=59 => "error",
        60..=69 => "fatal",
        _ => return None,
    })
}

/// `text` in lower case; `None` if it is empty or longer than what is looked for.
#[inline]
fn lowered<'a>(text: &[u8], room: &'a mut [u8; LONGEST]) -> Option<&'a [u8]> {
    let lower = room.get_mut(..text.len()).filter(|lower| !lower.is_empty())?;
    lower.copy_from_slice(text);
    lower.make_ascii_lowercase();
    Some(lower)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::fields::json;

    /// What is found in a record of these fields, as JSON.
    fn of(json: &str) -> Option<&'static str> {
        let mut fields = crate::record::fields::object::Object::default();
        assert!(json::read(json.as_bytes(), false, &mut fields), "{json}");
        Severity::new("s").find(fields.map(), None)
    }

    #[test]
    fn words_letters_and_numbers_become_one_word() {
        for (value, word) in [
            ("\"WARN\"", "warning"),
            ("\"Warning\"", "warning"),
            ("\"W\"", "warning"),
            ("\"ERR\"", "error"),
            ("\" e \"", "error"),
            ("\"3\"", "error"),
            ("3", "error"),
            ("0", "emergency"),
            ("7", "debug"),
            ("10", "trace"),
            ("30", "info"),
            ("35", "info"),
            ("60.0", "fatal"),
            ("\"Information\"", "info"),
            ("\"informational\"", "info"),
            ("\"NOTICE\"", "notice"),
            ("\"panic\"", "fatal"),
            ("\"CRITICAL\"", "critical"),
            ("\"Alert\"", "alert"),
            ("\"emerg\"", "emergency"),
            ("\"Verbose\"", "trace"),
        ] {
            assert_eq!(of(&format!("{{\"level\":{value}}}")), Some(word), "{value}");
        }
        for value in
            ["\"\"", "\"warned\"", "\"very very very severe\"", "8", "-1", "70", "\"99999999999999999999\""]
                .into_iter()
                .chain(["null", "true", "{}", "[3]", "3.5", "1e30"])
        {
            assert_eq!(of(&format!("{{\"level\":{value}}}")), None, "{value}");
        }
    }

    #[test]
    fn every_usual_name_of_the_field_is_read_in_any_case() {
        for name in ["level", "LEVEL", "Severity", "lvl", "logLevel", "log_level", "log.level", "levelname"]
            .into_iter()
            .chain(["severity_text", "PRIORITY", "priority"])
        {
            assert_eq!(of(&format!("{{\"a\":1,\"{name}\":\"err\"}}")), Some("error"), "{name}");
        }
        assert_eq!(of("{\"log\":{\"logger\":\"a\",\"level\":\"WARN\"}}"), Some("warning"));
        assert_eq!(of("{\"log\":{\"logger\":\"a\"},\"log.levels\":\"WARN\"}"), None);
    }

    #[test]
    fn the_best_field_that_has_a_word_wins() {
        assert_eq!(of("{\"PRIORITY\":\"6\",\"level\":\"error\"}"), Some("error"));
        assert_eq!(of("{\"level\":\"error\",\"PRIORITY\":\"6\"}"), Some("error"));
        assert_eq!(of("{\"PRIORITY\":\"6\",\"level\":\"hundred\"}"), Some("info"));
        assert_eq!(of("{}"), None);
    }

    #[test]
    fn merged_fields_go_before_the_records_own() {
        let object = |json: &str| {
            let mut fields = crate::record::fields::object::Object::default();
            assert!(json::read(json.as_bytes(), false, &mut fields));
            fields
        };
        let severity = Severity::new("severity");
        let (body, merged) = (object("{\"PRIORITY\":\"6\"}"), object("{\"lvl\":\"eror\"}"));
        assert_eq!(severity.find(body.map(), Some(merged.map())), Some("error"));
        assert_eq!(severity.find(body.map(), Some(object("{\"a\":1}").map())), Some("info"));
    }
}
