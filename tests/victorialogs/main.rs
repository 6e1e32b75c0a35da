//! The output `victorialogs` through its contract: chunks go in, rows come out at the stand-in sink and, where its
//! binary is found, at a real VictoriaLogs.

#![allow(clippy::unwrap_used, clippy::panic, reason = "what can't be set up fails the test right there")]

/// Runs each case on the sink, and on the real server where there is one.
macro_rules! on_both {
    ($($case:ident)*) => {
        mod on_the_sink {
            $(#[test] fn $case() { super::$case(&crate::Sink::start()); })*
        }
        mod on_victorialogs {
            $(#[test] fn $case() {
                if let Some(server) = crate::RealServer::start(&[]) {
                    super::$case(&server);
                }
            })*
        }
    };
}

mod delivery;
mod limits;
mod log;
mod messages;
mod options;
mod real;
mod requests;
mod rows;
mod tls;

use std::{collections::BTreeMap, time::SystemTime};

use flb_kube::{
    options::Options as _,
    plugin::{Chunk, Flushed, Output as _},
    plugins::out_victorialogs::{VictoriaLogs, VictoriaLogsOptions},
    runtime::{Owner, Tasks},
    victorialogs::tally::Reason,
};
use flb_kube_testing::{
    sink::{Row, Sink},
    victorialogs::RealServer,
};
use rmpv::Value;

/// Where rows arrive: the sink or a real server.
trait Server {
    fn url(&self) -> String;
    /// All rows of a tenant, sorted by time.
    fn rows(&self, tenant: (u32, u32)) -> Vec<Row>;
}

impl Server for Sink {
    fn url(&self) -> String {
        self.url()
    }

    fn rows(&self, tenant: (u32, u32)) -> Vec<Row> {
        assert_eq!(self.dropped(), Vec::<String>::new(), "the server would have dropped these in silence");
        let mut rows: Vec<Row> = self.rows().into_iter().filter(|row| row.tenant == tenant).collect();
        rows.sort_by_key(|row| row.time);
        rows
    }
}

impl Server for RealServer {
    fn url(&self) -> String {
        self.url()
    }

    fn rows(&self, tenant: (u32, u32)) -> Vec<Row> {
        self.rows(tenant)
    }
}

/// A running output with its tasks.
struct Running {
    output: VictoriaLogs,
    tasks: Tasks,
}

impl Running {
    fn flush(&self, data: &[u8]) -> Flushed {
        self.output.flush(Chunk { tag: b"kube.shop", data })
    }

    fn count(&self, reason: Reason) -> u64 {
        self.output.tally().counts().of(reason)
    }
}

fn start(options: &[(&str, &str)]) -> Result<Running, String> {
    let load = |key: &str| options.iter().find(|(name, _)| *name == key).map(|(_, value)| value.to_string());
    let options = VictoriaLogsOptions::load(&load).map_err(|bad| bad.to_string())?;
    let tasks = Tasks::new(Owner { name: "output:victorialogs:test".into(), level: 4 }).unwrap();
    let output = VictoriaLogs::start(options, tasks.clone()).map_err(|refusal| refusal.to_string())?;
    Ok(Running { output, tasks })
}

fn output(url: &str, options: &[(&str, &str)]) -> Running {
    start(&[&[("url", url)], options].concat()).unwrap()
}

fn refusal(options: &[(&str, &str)]) -> String {
    start(options).err().expect("this should be refused")
}

/// Now, in nanoseconds: real servers drop what is old.
fn now() -> i64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_nanos() as i64
}

fn event_time(nanos: i64) -> Value {
    let seconds = (nanos / 1_000_000_000) as u32;
    let rest = (nanos % 1_000_000_000) as u32;
    Value::Ext(0, [seconds.to_be_bytes(), rest.to_be_bytes()].concat())
}

fn map(pairs: &[(&str, Value)]) -> Value {
    Value::Map(pairs.iter().map(|(key, value)| ((*key).into(), value.clone())).collect())
}

fn pack(value: &Value) -> Vec<u8> {
    let mut bytes = Vec::new();
    rmpv::encode::write_value(&mut bytes, value).unwrap();
    bytes
}

/// An event of today's form.
fn event(nanos: i64, body: Value) -> Vec<u8> {
    pack(&Value::Array(vec![Value::Array(vec![event_time(nanos), map(&[])]), body]))
}

fn line(nanos: i64, log: &str) -> Vec<u8> {
    event(nanos, map(&[("log", log.into())]))
}

fn pod(name: &str) -> Value {
    map(&[
        ("pod_name", name.into()),
        ("namespace_name", "shop".into()),
        ("labels", map(&[("app.kubernetes.io/name", "web".into()), ("odd name", "x=1, \"y\"".into())])),
        ("annotations", map(&[("note", "first\nsecond \\ \"quoted\"".into())])),
        ("container_name", "app".into()),
    ])
}

fn from_pod(nanos: i64, name: &str, log: &str) -> Vec<u8> {
    event(nanos, map(&[("log", log.into()), ("stream", "stdout".into()), ("kubernetes", pod(name))]))
}

fn fields(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect()
}

const PROTOCOLS: [&str; 2] = ["loki", "jsonline"];
