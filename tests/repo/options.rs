//! What holds for every option row of every plugin.

#![allow(clippy::unwrap_used, clippy::panic, reason = "that is how a test fails")]

use std::collections::BTreeSet;

use flb_kube::{
    options::{OptionSpec, Options},
    plugin::{Filter, Input, Output},
    plugins::{filter_kube::KubeFilter, in_kube_events::KubeEvents, out_victorialogs::VictoriaLogs},
};

/// Keys that hosts take for themselves before a plugin sees them.
const OF_THE_HOST: [&str; 8] =
    ["name", "alias", "match", "match_regex", "tag", "log_level", "workers", "retry_limit"];

fn all() -> Vec<(&'static str, &'static [OptionSpec])> {
    vec![
        (KubeFilter::NAME, <<KubeFilter as Filter>::Options>::SPECS),
        (KubeEvents::NAME, <<KubeEvents as Input>::Options>::SPECS),
        (VictoriaLogs::NAME, <<VictoriaLogs as Output>::Options>::SPECS),
    ]
}

#[test]
fn keys_are_unique_and_plain_lower_case() {
    for (plugin, specs) in all() {
        let keys: BTreeSet<&str> = specs.iter().map(|spec| spec.key).collect();
        assert_eq!(keys.len(), specs.len(), "{plugin}: a key has two rows");
        for key in keys {
            let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "_.-".contains(c);
            assert!(
                key.starts_with(|c: char| c.is_ascii_lowercase()) && key.chars().all(plain),
                "{plugin}: {key}"
            );
        }
    }
}

#[test]
fn no_key_is_one_that_hosts_take_for_themselves() {
    for (plugin, specs) in all() {
        let taken: Vec<_> =
            specs.iter().map(|spec| spec.key).filter(|key| OF_THE_HOST.contains(key)).collect();
        assert!(taken.is_empty(), "{plugin}: {taken:?}");
    }
    for spec in <<VictoriaLogs as Output>::Options>::SPECS {
        let taken = ["host", "port", "tls", "proxy"].contains(&spec.key)
            || ["tls.", "net."].iter().any(|prefix| spec.key.starts_with(prefix));
        assert!(!taken, "an output can't read {}", spec.key);
    }
}

#[test]
fn every_row_is_documented_in_whole_sentences() {
    for (plugin, specs) in all() {
        for spec in specs {
            let text = spec.doc.trim();
            assert!(text.starts_with(|c: char| c.is_uppercase()), "{plugin}: {}: '{text}'", spec.key);
            assert!(
                (text.ends_with('.') || text.ends_with(".)")) && !text.contains('\n'),
                "{plugin}: {}: '{text}'",
                spec.key
            );
        }
    }
}

#[test]
fn all_defaults_can_be_read() {
    fn defaults<O: Options>(plugin: &str) {
        if let Err(bad) = O::load(&|_| None) {
            panic!("{plugin}: {bad}");
        }
    }
    defaults::<<KubeFilter as Filter>::Options>(KubeFilter::NAME);
    defaults::<<KubeEvents as Input>::Options>(KubeEvents::NAME);
    defaults::<<VictoriaLogs as Output>::Options>(VictoriaLogs::NAME);
}

#[test]
fn a_value_that_no_option_can_take_is_named_with_its_key_unless_it_is_secret() {
    // Whatever the type, one of these is wrong for it; what takes all of them is text.
    fn refusals<O: Options>(plugin: &str) {
        for spec in O::SPECS {
            for value in ["\u{1}", "-1", "nonsense"] {
                let get = |key: &str| (key == spec.key).then(|| value.to_owned());
                let Err(bad) = O::load(&get) else { continue };
                let bad = bad.to_string();
                assert!(bad.starts_with(&format!("option '{}': ", spec.key)), "{plugin}: {bad}");
                assert!(bad.contains(value) || bad.contains("***"), "{plugin}: {bad}");
            }
        }
    }
    refusals::<<KubeFilter as Filter>::Options>(KubeFilter::NAME);
    refusals::<<KubeEvents as Input>::Options>(KubeEvents::NAME);
    refusals::<<VictoriaLogs as Output>::Options>(VictoriaLogs::NAME);
}
