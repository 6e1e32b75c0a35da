//! The servers that an output may send to, and which of them to try now.
//!
//! Serves `config` and `deliver`. Invariant: a server that asked to be left alone is left alone; any other is tried
//! when no better one is left, since the host may give a chunk one try only.

use std::{
    hash::{BuildHasher, RandomState},
    str::FromStr,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use hyper::Uri;

const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
const LONGEST_WISH: Duration = Duration::from_secs(300);

/// Where a server is: scheme, host, port and the path that stands before its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    base: String,
    secure: bool,
}

impl Address {
    /// Whether it is spoken to by TLS.
    pub fn is_secure(&self) -> bool {
        self.secure
    }
}

impl std::fmt::Display for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.base)
    }
}

impl FromStr for Address {
    /// Why it is none; shows nothing of the text, which may hold a password.
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let uri: Uri = text.parse().map_err(|_| "is not an address such as http://host:9428")?;
        let secure = match uri.scheme_str() {
            Some("http") => false,
            Some("https") => true,
            _ => return Err("must begin with http:// or https://"),
        };
        let authority = uri.authority().ok_or("names no host")?;
        if authority.as_str().contains('@') {
            return Err("holds a user: give it as http_user and http_passwd");
        }
        let has_bad_port =
            authority.port_u16().is_none() && authority.as_str().len() > authority.host().len();
        if authority.host().is_empty() || has_bad_port {
            return Err("is not an address such as http://host:9428");
        }
        if uri.query().is_some() || text.contains('#') {
            return Err("must end with a path: use the options for what stands after '?'");
        }
        if uri.path().contains("/insert") {
            return Err(
                "names an endpoint: give the server's address alone and choose the endpoint with protocol",
            );
        }
        let scheme = if secure { "https" } else { "http" };
        Ok(Self { base: format!("{scheme}://{authority}{}", uri.path().trim_end_matches('/')), secure })
    }
}

/// One server, and how it did lately.
#[derive(Debug)]
pub struct Endpoint {
    /// How it is named in messages.
    pub address: Address,
    /// What is posted to.
    pub uri: Uri,
    health: Mutex<Health>,
}

#[derive(Debug, Default, Clone, Copy)]
struct Health {
    failures: u32,
    pause: Option<Pause>,
}

#[derive(Debug, Clone, Copy)]
struct Pause {
    until: Instant,
    /// The server asked for it.
    asked: bool,
}

impl Endpoint {
    /// A server that is thought to be well.
    pub fn new(address: Address, path_and_query: &str) -> Result<Self, hyper::http::uri::InvalidUri> {
        let uri = format!("{address}{path_and_query}").parse()?;
        Ok(Self { address, uri, health: Mutex::default() })
    }

    fn resting(&self, now: Instant) -> Option<Pause> {
        self.health.lock().unwrap_or_else(PoisonError::into_inner).pause.filter(|pause| pause.until > now)
    }

    /// It took a request.
    pub fn did_well(&self) {
        *self.health.lock().unwrap_or_else(PoisonError::into_inner) = Health::default();
    }

    /// It failed, and may have asked for a pause.
    pub fn failed(&self, wish: Option<Duration>, now: Instant) {
        let mut health = self.health.lock().unwrap_or_else(PoisonError::into_inner);
        health.failures = health.failures.saturating_add(1);
        let pause = match wish {
            Some(wish) => wish.min(LONGEST_WISH),
            None => pause(health.failures, RandomState::new().hash_one(health.failures)),
        };
        health.pause = Some(Pause { until: now + pause, asked: wish.is_some() });
    }
}

/// The pause after so many failures in a row: doubling, and up to a quarter shorter by chance.
fn pause(failures: u32, chance: u64) -> Duration {
    let full = FIRST_PAUSE.saturating_mul(1 << failures.saturating_sub(1).min(10)).min(LONGEST_PAUSE);
    full.mul_f64(1.0 - (chance % 1024) as f64 / 4096.0)
}

/// Whether one did not fail lately.
pub fn any_is_well(endpoints: &[Endpoint], now: Instant) -> bool {
    endpoints.iter().any(|endpoint| endpoint.resting(now).is_none())
}

/// Which to try, in this order: those that are well; if there is none, those that rest longest already.
pub fn order(endpoints: &[Endpoint], now: Instant) -> Vec<&Endpoint> {
    let well: Vec<_> = endpoints.iter().filter(|endpoint| endpoint.resting(now).is_none()).collect();
    if !well.is_empty() {
        return well;
    }
    let mut tired: Vec<_> = endpoints
        .iter()
        .filter_map(|endpoint| Some((endpoint.resting(now).filter(|pause| !pause.asked)?.until, endpoint)))
        .collect();
    tired.sort_by_key(|(until, _)| *until);
    tired.into_iter().map(|(_, endpoint)| endpoint).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn endpoints(n: u16) -> Vec<Endpoint> {
        (1..=n)
            .map(|n| {
                Endpoint::new(format!("http://10.0.0.{n}:9428").parse().unwrap(), "/insert/jsonline").unwrap()
            })
            .collect()
    }

    fn names(order: &[&Endpoint]) -> Vec<String> {
        order.iter().map(|endpoint| endpoint.address.to_string().replace("http://10.0.0.", "")).collect()
    }

    #[test]
    fn addresses_keep_port_path_and_ipv6() {
        for (text, base) in [
            ("http://vl:9428", "http://vl:9428"),
            ("https://vl/", "https://vl"),
            ("http://[::1]:9428/logs/", "http://[::1]:9428/logs"),
        ] {
            assert_eq!(text.parse::<Address>().unwrap().to_string(), base);
        }
    }

    #[test]
    fn what_is_no_address_is_refused_without_being_shown() {
        for text in [
            "",
            "vl:9428",
            "ftp://vl",
            "http://user:secret@vl",
            "http://vl/?a=b",
            "http://vl:9428/insert/jsonline",
            "http://",
            "http://vl:port",
        ] {
            let why = text.parse::<Address>().unwrap_err();
            assert!(!why.contains("secret"), "{text}");
        }
    }

    #[test]
    fn a_failed_server_comes_last_until_its_pause_is_over() {
        let (all, now) = (endpoints(3), Instant::now());
        assert_eq!(names(&order(&all, now)), ["1:9428", "2:9428", "3:9428"]);
        all[0].failed(None, now);
        assert_eq!(names(&order(&all, now)), ["2:9428", "3:9428"]);
        assert_eq!(names(&order(&all, now + LONGEST_PAUSE)), ["1:9428", "2:9428", "3:9428"]);
    }

    #[test]
    fn when_all_failed_all_are_tried_but_those_that_asked_for_a_pause() {
        let (all, now) = (endpoints(3), Instant::now());
        all[0].failed(None, now);
        all[0].failed(None, now);
        all[1].failed(Some(Duration::from_secs(30)), now);
        all[2].failed(None, now);
        assert_eq!(names(&order(&all, now)), ["3:9428", "1:9428"]);
        all[2].did_well();
        assert_eq!(names(&order(&all, now)), ["3:9428"]);
        assert_eq!(names(&order(&all, now + Duration::from_secs(31))), ["1:9428", "2:9428", "3:9428"]);
    }

    #[test]
    fn pauses_double_up_to_a_minute_and_differ_by_chance() {
        assert_eq!(pause(1, 0), Duration::from_secs(1));
        assert_eq!(pause(3, 0), Duration::from_secs(4));
        assert_eq!(pause(50, 0), LONGEST_PAUSE);
        assert!(
            pause(3, 1023) < pause(3, 1)
                && pause(3, 1023) > Duration::from_secs(3) - Duration::from_millis(1)
        );
    }
}
