//! How grave a record is, in one word: trace, debug, info, notice, warning, error, critical, alert, emergency or fatal.
//!
//! Serves `splice`. These are syslog's words, with trace and fatal as loggers have them. Read are words and letters in any
//! case, bracketed or coloured too, numbers of pino and bunyan from 10 to 69, those of OpenTelemetry, and in a record of
//! the journal those of syslog: elsewhere a small number is no severity. Invariant: what is none of these makes no field,
//! and a field that has the name of the new one already gives way to it.

use crate::record::msgpack::{
    reader::{Map, text},
    walk::{Value, Walk},
    write,
};

/// The fields that may tell it, best first; in any case, and with `.` for a map within: `log.level`. Those of few letters
/// or other writings are monolog's `level_name`, hclog's `@level`, CLEF's `@l`, OpenTelemetry's and MongoDB's.
const KEYS: [&[u8]; 14] = [
    b"severity",
    b"level",
    b"lvl",
    b"loglevel",
    b"log_level",
    b"log.level",
    b"levelname",
    b"level_name",
    b"@level",
    b"@l",
    b"severity_text",
    OTEL,
    PRIORITY,
    MONGO,
];

/// OpenTelemetry's numbers, 1 to 24.
const OTEL: &[u8] = b"severity_number";
/// Syslog's numbers, in a record of the journal.
const PRIORITY: &[u8] = b"priority";
/// One letter, where the map has a `c` too, as MongoDB writes it.
const MONGO: &[u8] = b"s";

/// No key is longer, nor is any word.
const LONGEST: usize = 15;

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
        merged.and_then(|map| severity_of_fields(map, false)).or_else(|| severity_of_fields(body, true))
    }

    /// Appends the field.
    pub fn write(&self, word: &str, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.key);
        write::str(out, word);
    }
}

/// What the best of the fields says that has a word for it; of equally good ones the last. `is_record` tells that the map
/// is a record's own, which may be the journal's.
fn severity_of_fields(map: Map<'_>, is_record: bool) -> Option<&'static str> {
    let mut best = KEYS.len() - 1;
    let mut found = None;
    for pair in map.pairs() {
        // The first letter rules most keys out.
        let Some(name @ [b's' | b'S' | b'l' | b'L' | b'p' | b'P' | b'@', ..]) = text(pair.key) else {
            continue;
        };
        let mut lower = [0; LONGEST];
        let Some(key) = lowered(name, &mut lower) else { continue };
        let (key, value) = match Map::of(pair.value) {
            Some(inner) if key == b"log" => match inner.get(b"level") {
                Some(value) => (&b"log.level"[..], value),
                None => continue,
            },
            _ => (key, pair.value),
        };
        let rank = KEYS[..=best].iter().position(|name| *name == key);
        if let Some(rank) = rank
            && let Some(word) = word(value, scale(key, name, map, is_record))
        {
            (best, found) = (rank, Some(word));
        }
    }
    found
}

/// What numbers and letters mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Scale {
    /// Those of pino and bunyan, in steps of 10 from 10.
    Pino,
    /// Those of syslog, 0 to 7, too.
    Syslog,
    /// Those of OpenTelemetry, 1 to 24.
    OpenTelemetry,
    /// MongoDB's letters, and nothing else.
    Mongo,
    /// Nothing at all.
    None,
}

/// What the field `key`, written `name` in `map`, is counted in.
fn scale(key: &[u8], name: &[u8], map: Map<'_>, is_record: bool) -> Scale {
    match key {
        OTEL => Scale::OpenTelemetry,
        // The journal's own spelling; systemd's input may have it in small letters.
        PRIORITY if is_record && (name == b"PRIORITY" || is_of_journal(map)) => Scale::Syslog,
        MONGO if map.get(b"c").is_some() => Scale::Mongo,
        MONGO => Scale::None,
        _ => Scale::Pino,
    }
}

/// Whether a record is one of the journal, all of which tell the boot.
fn is_of_journal(map: Map<'_>) -> bool {
    let is_boot = |name: &[u8]| name.strip_prefix(b"_").unwrap_or(name).eq_ignore_ascii_case(b"BOOT_ID");
    map.pairs().any(|pair| text(pair.key).is_some_and(is_boot))
}

/// The word for what a field holds.
fn word(value: &[u8], scale: Scale) -> Option<&'static str> {
    match Walk::new(value).next().ok()? {
        Value::Str(text) if scale == Scale::Mongo => match text {
            [b'D', b'1'..=b'5'] => Some("debug"),
            [b'I' | b'W' | b'E' | b'F' | b'D'] => named(&[text[0].to_ascii_lowercase()]),
            _ => None,
        },
        Value::Str(text) if scale != Scale::None => {
            let mut lower = [0; LONGEST];
            let text = lowered(undecorated(text), &mut lower)?;
            match text {
                [b'0'..=b'9', ..] => number(std::str::from_utf8(text).ok()?.parse().ok()?, scale),
                _ => named(without_offset(text)),
            }
        }
        Value::Unsigned(level) => number(level, scale),
        // JSON of some libraries has floats only.
        Value::Float(level) if level.fract() == 0.0 && (0.0..100.0).contains(&level) => {
            number(level as u64, scale)
        }
        _ => None,
    }
}

/// A word without the spaces, brackets and colours around it, and without the colon behind it.
fn undecorated(text: &[u8]) -> &[u8] {
    let mut text = text;
    loop {
        text = match text.trim_ascii() {
            [0x1b, b'[', rest @ ..] => match rest.iter().position(|byte| *byte == b'm') {
                Some(end) => &rest[end + 1..],
                None => return text,
            },
            [rest @ .., b'm'] if colour_at(rest) < rest.len() => &rest[..colour_at(rest)],
            [b'[', rest @ .., b']'] | [b'<', rest @ .., b'>'] | [b'(', rest @ .., b')'] => rest,
            [rest @ .., b':'] => rest,
            rest => return rest,
        };
    }
}

/// Where a colour begins whose `m` follows `text`; at its end if none does.
fn colour_at(text: &[u8]) -> usize {
    let end = text.iter().rposition(|byte| !matches!(byte, b'0'..=b'9' | b';')).unwrap_or(0);
    match text[..text.len().min(end + 1)] {
        [.., 0x1b, b'['] => end - 1,
        _ => text.len(),
    }
}

/// A level that lies between two, as slog writes it, without its distance: `warn+2`.
fn without_offset(word: &[u8]) -> &[u8] {
    match word.iter().position(|byte| matches!(byte, b'+' | b'-')) {
        Some(at) if at > 0 && word[at + 1..].iter().all(u8::is_ascii_digit) => &word[..at],
        _ => word,
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

fn number(level: u64, scale: Scale) -> Option<&'static str> {
    Some(match (scale, level) {
        (Scale::Mongo | Scale::None, _) => return None,
        (Scale::OpenTelemetry, _) => match level {
            1..=4 => "trace",
            5..=8 => "debug",
            9..=12 => "info",
            13..=16 => "warning",
            17..=20 => "error",
            21..=24 => "fatal",
            _ => return None,
        },
        (Scale::Syslog, 0) => "emergency",
        (Scale::Syslog, 1) => "alert",
        (Scale::Syslog, 2) => "critical",
        (Scale::Syslog, 3) => "error",
        (Scale::Syslog, 4) => "warning",
        (Scale::Syslog, 5) => "notice",
        (Scale::Syslog, 6) => "info",
        (Scale::Syslog, 7) => "debug",
        (_, 10..=19) => "trace",
        (_, 20..=29) => "debug",
        (_, 30..=39) => "info",
        (_, 40..=49) => "warning",
        (_, 50..=59) => "error",
        (_, 60..=69) => "fatal",
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
            ("\"WARN+2\"", "warning"),
            ("\"DEBUG-4\"", "debug"),
            ("\"[warn]\"", "warning"),
            ("\"<ERROR>\"", "error"),
            ("\"INFO:\"", "info"),
            ("\"\\u001b[33mWARN\\u001b[0m\"", "warning"),
            ("\"\\u001b[1;31m[ERROR]\\u001b[m\"", "error"),
        ] {
            assert_eq!(of(&format!("{{\"level\":{value}}}")), Some(word), "{value}");
        }
        for value in [
            "\"\"",
            "\"warned\"",
            "\"+2\"",
            "\"info-x\"",
            "\"\\u001b[33\"",
            "\"0\"",
            "0",
            "3",
            "7",
            "\"3\"",
            "\"[]\"",
            "\"m\"",
            "\"very very very severe\"",
            "8",
            "-1",
            "70",
            "\"99999999999999999999\"",
        ]
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
            .chain(["severity_text", "PRIORITY", "priority", "level_name", "@level", "@l"])
        {
            assert_eq!(of(&format!("{{\"a\":1,\"{name}\":\"err\"}}")), Some("error"), "{name}");
        }
        assert_eq!(of("{\"log\":{\"logger\":\"a\",\"level\":\"WARN\"}}"), Some("warning"));
        assert_eq!(of("{\"log\":{\"logger\":\"a\"},\"log.levels\":\"WARN\"}"), None);
    }

    #[test]
    fn numbers_and_letters_mean_what_their_writer_means() {
        for (json, word) in [
            (r#"{"PRIORITY":"0"}"#, Some("emergency")),
            (r#"{"PRIORITY":7}"#, Some("debug")),
            (r#"{"priority":"3","_BOOT_ID":"b"}"#, Some("error")),
            (r#"{"priority":3}"#, None),
            (r#"{"severity_number":1}"#, Some("trace")),
            (r#"{"severity_number":"9"}"#, Some("info")),
            (r#"{"severity_number":24}"#, Some("fatal")),
            (r#"{"severity_number":25}"#, None),
            (r#"{"s":"W","c":"NETWORK","msg":"m"}"#, Some("warning")),
            (r#"{"s":"D2","c":"NETWORK"}"#, Some("debug")),
            (r#"{"s":"W"}"#, None),
            (r#"{"s":"warn","c":"x"}"#, None),
            (r#"{"level":"info","level":"error"}"#, Some("error")),
            (r#"{"level":"info","LEVEL":"error"}"#, Some("error")),
        ] {
            assert_eq!(of(json), word, "{json}");
        }
        let twice = Map { len: 2, entries: b"\xd9\x05level\xa4info\xa5level\xa5error" };
        assert_eq!(Severity::new("s").find(twice, None), Some("error"));
        let merged = Map { len: 1, entries: b"\xa8PRIORITY\x01" };
        assert_eq!(Severity::new("s").find(Map { len: 0, entries: b"" }, Some(merged)), None);
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
