//! Whether a token is sent in a way that others could read or take it.
//!
//! Serves the connection, which warns of it once. Invariant: what stays on the machine is no risk.

use std::net::IpAddr;

use hyper::Uri;

use super::client_config::ClientConfig;

/// How a token is sent to `server` that others could get; none where no token is sent.
pub(super) fn token_risk(config: &ClientConfig, server: &Uri) -> Option<&'static str> {
    let has_token =
        config.token_command.is_some() || config.token_file.as_ref().is_some_and(|file| file.exists());
    if !has_token || server.host().is_some_and(is_loopback) {
        return None;
    }
    match server.scheme_str() {
        Some("http") => Some("unencrypted: whoever is on the way can read it; use https"),
        _ if config.tls_verify => None,
        _ => Some("without checking the server's certificate: whoever is on the way can take it; check it"),
    }
}

/// Whether what is sent to this host stays on the machine.
pub fn is_loopback(host: &str) -> bool {
    let host = host.trim_matches(['[', ']']);
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_that_others_could_take_is_told_of() {
        let token = tempfile::NamedTempFile::new().unwrap();
        let risk = |url: &str, tls_verify: bool, has_token: bool| {
            let token_file = has_token.then(|| token.path().to_owned());
            let config = ClientConfig { tls_verify, token_file, ..ClientConfig::default() };
            let risk = token_risk(&config, &url.parse().unwrap());
            risk.map(|risk| risk.split([' ', ':']).next().unwrap())
        };
        assert_eq!(risk("http://10.0.0.1", true, true), Some("unencrypted"));
        assert_eq!(risk("https://10.0.0.1", false, true), Some("without"));
        assert_eq!(risk("https://10.0.0.1", true, true), None);
        assert_eq!(risk("http://10.0.0.1", true, false), None);
        for here in ["http://127.0.0.1:8001", "http://[::1]:8001", "http://localhost:8001"] {
            assert_eq!(risk(here, true, true), None, "{here}");
        }
    }
}
