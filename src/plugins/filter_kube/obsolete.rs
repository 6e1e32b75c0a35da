//! Options of the built-in filter that have no meaning here.
//!
//! Serves the filter. Invariant: they are accepted; for those that are not at their default there is one warning, with the reasons.

use tracing::warn;

use super::options::ObsoleteOptions;
use crate::options::Options;

impl ObsoleteOptions {
    /// Tells which of them were set, and why that changes nothing.
    pub(super) fn tell(&self) {
        let idle = self.idle();
        if !idle.is_empty() {
            warn!("options that were set and have no effect: {}", idle.join("; "));
        }
    }

    /// Those that are not at their default, each with the reason.
    fn idle(&self) -> Vec<String> {
        let Ok(default) = Self::load(&|_| None) else { return Vec::new() };
        let is_set = [
            self.buffer_size != default.buffer_size,
            self.meta_cache_ttl != default.meta_cache_ttl,
            self.meta_namespace_cache_ttl != default.meta_namespace_cache_ttl,
            self.cache_use_docker_id != default.cache_use_docker_id,
            self.dns_retries != default.dns_retries,
            self.dns_wait_time != default.dns_wait_time,
            self.tls_debug != default.tls_debug,
            self.aws_tls_debug != default.aws_tls_debug,
            self.set_platform != default.set_platform,
        ];
        let set = Self::SPECS.iter().zip(is_set).filter(|(_, is_set)| *is_set);
        set.map(|(spec, _)| {
            let why = spec.doc.trim().trim_start_matches("No effect").trim_start_matches([':', ',', ' ']);
            format!("'{}' ({})", spec.key, why.trim_end_matches('.'))
        })
        .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn idle(pairs: &[(&str, &str)]) -> Vec<String> {
        let written = |key: &str| pairs.iter().find(|(k, _)| *k == key).map(|(_, v)| (*v).to_owned());
        ObsoleteOptions::load(&written).unwrap().idle()
    }

    #[test]
    fn each_is_told_of_with_its_reason_unless_it_is_at_its_default() {
        assert_eq!(idle(&[("buffer_size", "32000"), ("dns_retries", "6")]), [""; 0]);
        let other = |key| match key {
            "set_platform" => "eks",
            "cache_use_docker_id" => "on",
            _ => "7",
        };
        for spec in ObsoleteOptions::SPECS {
            let told = idle(&[(spec.key, other(spec.key))]);
            assert_eq!(told.len(), 1, "{}", spec.key);
            assert!(told[0].starts_with(&format!("'{}' (", spec.key)) && told[0].len() > spec.key.len() + 20);
        }
        let cache = idle(&[("kube_meta_cache_ttl", "1h")]);
        assert_eq!(cache, ["'kube_meta_cache_ttl' (what is watched never goes stale)"]);
    }
}
