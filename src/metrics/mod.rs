//! Numbers for those who watch the agent: how they are called, and how they read as text.
//!
//! Serves the plugins, which declare and feed them, the host's boundary, which shows them at the host's own endpoint,
//! and the listener of our own. Invariant: what can be shown is known at the start: updates add no name and no label.

mod listen;

use std::fmt::Write as _;

pub use listen::Listener;

/// What all names begin with, as the host's own do.
pub const PREFIX: &str = "fluentbit";

/// How a number moves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// It only grows.
    Counter,
    /// It goes up and down.
    Gauge,
}

/// A number, or several told apart by a label.
#[derive(Debug, Clone, Copy)]
pub struct Metric {
    /// How it moves.
    pub kind: Kind,
    /// What counts: `filter_kube`.
    pub subsystem: &'static str,
    /// The name behind that, with its unit.
    pub name: &'static str,
    /// What it is, in one sentence.
    pub help: &'static str,
    /// The key of the label; empty for a single number.
    pub label: &'static str,
    /// The label's values, one number each; one empty value for a single number.
    pub values: &'static [&'static str],
}

/// Shows the numbers of one instance somewhere.
pub trait Gauges: Send {
    /// Shows these, in the order of the metrics and of their labels' values. Never waits for I/O.
    fn set(&self, numbers: &[f64]);
}

/// Numbers that can be read at any time.
pub struct Source {
    /// What they are.
    pub metrics: &'static [Metric],
    /// Whose they are: the label `name`.
    pub instance: String,
    /// Reads them, in the order of the metrics and of their labels' values.
    pub read: Box<dyn Fn() -> Vec<f64> + Send + Sync>,
}

/// The numbers of one instance, after its name.
type Numbers<'a> = (&'a str, Vec<f64>);

/// The numbers of all sources in Prometheus' text format. Sources of the same metrics stand together.
pub fn exposition<'a>(sources: impl IntoIterator<Item = &'a Source>) -> String {
    let mut groups: Vec<(&'static [Metric], Vec<Numbers<'a>>)> = Vec::new();
    for source in sources {
        let one = (source.instance.as_str(), (source.read)());
        match groups.iter_mut().find(|(metrics, _)| std::ptr::eq(*metrics, source.metrics)) {
            Some((_, same)) => same.push(one),
            None => groups.push((source.metrics, vec![one])),
        }
    }
    let mut text = String::new();
    for (metrics, instances) in &groups {
        let mut at = 0;
        for metric in *metrics {
            metric.write(instances, at, &mut text);
            at += metric.values.len();
        }
    }
    text
}

impl Metric {
    /// The whole name.
    pub fn full_name(&self) -> String {
        format!("{PREFIX}_{}_{}", self.subsystem, self.name)
    }

    fn write(&self, instances: &[Numbers<'_>], at: usize, text: &mut String) {
        let name = self.full_name();
        let kind = match self.kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
        };
        let _ = writeln!(text, "# HELP {name} {}\n# TYPE {name} {kind}", self.help);
        for (instance, numbers) in instances {
            for (value, number) in self.values.iter().zip(&numbers[at..]) {
                let _ = write!(text, "{name}{{name=\"{}\"", escaped(instance));
                if !self.label.is_empty() {
                    let _ = write!(text, ",{}=\"{}\"", self.label, escaped(value));
                }
                let _ = writeln!(text, "}} {number}");
            }
        }
    }
}

fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

/// The numbers in one line, for a log.
pub fn line(metrics: &[Metric], numbers: &[f64]) -> String {
    let mut line = String::new();
    let mut numbers = numbers.iter();
    for metric in metrics {
        let comma = if line.is_empty() { "" } else { ", " };
        let _ = write!(line, "{comma}{}", metric.name);
        for (value, number) in metric.values.iter().zip(numbers.by_ref()) {
            let equals = if value.is_empty() { "" } else { "=" };
            let _ = write!(line, " {value}{equals}{number}");
        }
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    const TWO: &[Metric] = &[
        Metric {
            kind: Kind::Counter,
            subsystem: "filter_kube",
            name: "records_total",
            help: "Records.",
            label: "result",
            values: &["enriched", "passed"],
        },
        Metric {
            kind: Kind::Gauge,
            subsystem: "filter_kube",
            name: "cached_pods",
            help: "Pods.",
            label: "",
            values: &[""],
        },
    ];

    fn source(instance: &str, numbers: &[f64]) -> Source {
        let numbers = numbers.to_vec();
        Source { metrics: TWO, instance: instance.into(), read: Box::new(move || numbers.clone()) }
    }

    #[test]
    fn a_name_is_explained_once_and_its_instances_stand_together() {
        let sources = [source("kube.0", &[1.0, 2.0, 3.5]), source("a \"b\"", &[0.0, 0.0, 0.0])];
        let expected = "\
            # HELP fluentbit_filter_kube_records_total Records.\n\
            # TYPE fluentbit_filter_kube_records_total counter\n\
            fluentbit_filter_kube_records_total{name=\"kube.0\",result=\"enriched\"} 1\n\
            fluentbit_filter_kube_records_total{name=\"kube.0\",result=\"passed\"} 2\n\
            fluentbit_filter_kube_records_total{name=\"a \\\"b\\\"\",result=\"enriched\"} 0\n\
            fluentbit_filter_kube_records_total{name=\"a \\\"b\\\"\",result=\"passed\"} 0\n\
            # HELP fluentbit_filter_kube_cached_pods Pods.\n\
            # TYPE fluentbit_filter_kube_cached_pods gauge\n\
            fluentbit_filter_kube_cached_pods{name=\"kube.0\"} 3.5\n\
            fluentbit_filter_kube_cached_pods{name=\"a \\\"b\\\"\"} 0\n";
        assert_eq!(exposition(&sources), expected);
    }

    #[test]
    fn a_line_of_the_log_has_every_number() {
        assert_eq!(line(TWO, &[1.0, 2.0, 3.0]), "records_total enriched=1 passed=2, cached_pods 3");
    }
}
