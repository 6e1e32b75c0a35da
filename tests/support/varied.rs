//! Log lines that vary as those of real programs do, the same on every run, and the pods that write them.
//!
//! Serves the benches: a line repeated a million times compresses to nothing and keeps every branch predicted.
//! Invariant: equal seeds give equal lines; JSON lines in their CRI frame have 235 bytes on average.

/// The seed of all benches.
pub const SEED: u64 = 20_261_120;

const MESSAGES: [&str; 12] = [
    "request served",
    "cart restored from the session store",
    "payment authorised",
    "stock is low, reordering",
    "retrying the upstream call",
    "order accepted",
    "session expired",
    "slow query",
    "cache miss",
    "order shipped to the customer's address",
    "connection reset by peer",
    "mail queued",
];
const ROUTES: [&str; 8] = [
    "/v1/carts/",
    "/v1/orders/",
    "/v1/items/",
    "/checkout/",
    "/v2/search/",
    "/img/",
    "/v1/users/",
    "/health/",
];
const STATUS: [u64; 8] = [200, 200, 200, 200, 201, 304, 404, 503];

/// One thing that a program has to say.
#[derive(Debug, Clone)]
pub struct Line {
    /// When, in nanoseconds since 10 o'clock.
    nanos: u64,
    level: &'static str,
    message: &'static str,
    status: u64,
    /// Microseconds.
    took: u64,
    route: &'static str,
    item: u64,
    user: u64,
    trace: [u64; 2],
    bytes: u64,
}

/// Endless lines.
#[derive(Debug, Clone)]
pub struct Lines {
    state: u64,
    nanos: u64,
}

impl Lines {
    /// Those of a seed.
    pub fn new(seed: u64) -> Self {
        Self { state: seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1, nanos: 0 }
    }

    /// Xorshift, 64 bits.
    fn random(&mut self) -> u64 {
        self.state ^= self.state >> 12;
        self.state ^= self.state << 25;
        self.state ^= self.state >> 27;
        self.state.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn below(&mut self, limit: u64) -> u64 {
        ((self.random() >> 32) * limit) >> 32
    }

    fn one_of<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len() as u64) as usize]
    }
}

impl Iterator for Lines {
    type Item = Line;

    fn next(&mut self) -> Option<Line> {
        self.nanos += self.below(2_000_000);
        let status = self.one_of(&STATUS);
        let level =
            if status >= 500 { "error" } else { self.one_of(&["info", "info", "info", "debug", "warn"]) };
        // As many digits are rare as small numbers are: most numbers of logs are small.
        let magnitude = self.below(7) as u32;
        Some(Line {
            nanos: self.nanos,
            level,
            message: self.one_of(&MESSAGES),
            status,
            took: self.below(10_u64.pow(magnitude)),
            route: self.one_of(&ROUTES),
            item: self.below(100_000),
            user: self.below(1 << 24),
            trace: [self.random(), self.random()],
            bytes: self.below(100_000),
        })
    }
}

impl Line {
    /// `10:00:00.123456789`.
    fn clock(&self) -> String {
        let seconds = self.nanos / 1_000_000_000;
        let (hour, minute, second) = (10 + seconds / 3600, seconds / 60 % 60, seconds % 60);
        format!("{hour:02}:{minute:02}:{second:02}.{:09}", self.nanos % 1_000_000_000)
    }

    /// Milliseconds.
    fn took(&self) -> String {
        format!("{}.{:03}", self.took / 1000, self.took % 1000)
    }

    fn trace(&self) -> String {
        format!("{:016x}{:016x}", self.trace[0], self.trace[1])
    }

    /// As a logger of structured logs writes it: eight fields.
    pub fn json(&self) -> String {
        format!(
            r#"{{"time":"2026-11-20T{}Z","level":"{}","msg":"{}","status":{},"took":{},"path":"{}{}","user":"u-{:06x}","trace":"{}"}}"#,
            &self.clock()[..15],
            self.level,
            self.message,
            self.status,
            self.took(),
            self.route,
            self.item,
            self.user,
            self.trace()
        )
    }

    /// The same as logfmt.
    pub fn logfmt(&self) -> String {
        format!(
            r#"time=2026-11-20T{}Z level={} msg="{}" status={} took={}ms path={}{} user=u-{:06x} trace={}"#,
            &self.clock()[..15],
            self.level,
            self.message,
            self.status,
            self.took(),
            self.route,
            self.item,
            self.user,
            self.trace()
        )
    }

    /// As the components of Kubernetes write it.
    pub fn klog(&self) -> String {
        format!(
            r#"{}1120 {} {:7} httplog.go:{}] "{}" verb="GET" URI="{}{}" latency="{}ms" user="u-{:06x}" audit-ID="{}" resp={}"#,
            if self.level == "error" { 'E' } else { 'I' },
            &self.clock()[..15],
            self.user % 1000,
            self.bytes % 1000,
            self.message,
            self.route,
            self.item,
            self.took(),
            self.user,
            self.trace(),
            self.status
        )
    }

    /// An access log's line.
    pub fn text(&self) -> String {
        format!(
            r#"10.{}.{}.{} - u-{:06x} [20/Nov/2026:{} +0000] "GET {}{} HTTP/1.1" {} {} "-" "client/{}.{}" {}ms"#,
            self.user >> 8 & 0xff,
            self.user >> 16 & 0xff,
            self.user & 0xff,
            self.user,
            &self.clock()[..8],
            self.route,
            self.item,
            self.status,
            self.bytes,
            self.trace[0] % 10,
            self.trace[0] % 17,
            self.took()
        )
    }

    /// `text` as containerd writes it to a container's file, without the line's end.
    pub fn cri(&self, text: &str) -> String {
        let stream = if self.level == "error" { "stderr" } else { "stdout" };
        format!("2026-11-20T{}Z {stream} F {text}", self.clock())
    }
}

/// The name of a pod's file in `/var/log/containers`, without its ending.
pub fn container_file(pod: usize) -> String {
    format!("web-{pod}_shop_nginx-{}", container_id(pod))
}

fn container_id(pod: usize) -> String {
    format!("{:064x}", pod + 1)
}

/// A pod as the API server sends it, with 10 labels, 5 annotations and one container.
pub fn pod_json(number: usize, node: &str) -> String {
    let pairs = |count: usize, name: &str, value: &str| {
        let pairs = (0..count).map(|i| format!(r#""{name}-{i}.example.com/of-a-label":"{value}-{i}""#));
        pairs.collect::<Vec<_>>().join(",")
    };
    let id = container_id(number);
    format!(
        r#"{{"apiVersion":"v1","kind":"Pod","metadata":{{"name":"web-{number}","namespace":"shop",
            "uid":"7b9c9a62-33dd-4a2a-9d6b-{number:012}","labels":{{{}}},"annotations":{{{}}}}},
            "spec":{{"nodeName":"{node}","containers":[{{"name":"nginx","image":"nginx:1.29"}}]}},
            "status":{{"podIP":"10.1.2.3","containerStatuses":[{{"name":"nginx","restartCount":0,
                "containerID":"containerd://{id}","image":"docker.io/library/nginx:1.29",
                "imageID":"docker.io/library/nginx@sha256:{id}"}}]}}}}"#,
        pairs(10, "label", "value-of-the-usual-length"),
        pairs(5, "annotation", "a longer value, as annotations have: a line of text"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_lines_have_235_bytes_in_their_frame_and_eight_fields() {
        let lines: Vec<String> =
            Lines::new(SEED).take(20_000).map(|line| line.cri(&line.json()) + "\n").collect();
        let average = lines.iter().map(String::len).sum::<usize>() as f64 / lines.len() as f64;
        assert!((average - 235.0).abs() < 1.0, "{average}");
        for line in &lines[..1000] {
            let json: serde_json::Value = serde_json::from_str(&line[40..]).unwrap();
            assert_eq!(json.as_object().unwrap().len(), 8, "{line}");
        }
    }

    #[test]
    fn equal_seeds_give_equal_lines_and_no_two_are_the_same() {
        let lines = |seed| Lines::new(seed).take(1000).map(|line| line.json()).collect::<Vec<_>>();
        assert_eq!(lines(1), lines(1));
        assert_ne!(lines(1), lines(2));
        let mut distinct = lines(1);
        distinct.sort_unstable();
        distinct.dedup();
        assert_eq!(distinct.len(), 1000);
    }
}
