//! The shop of the demo: what runs in its cluster, what its containers logged, and how its rows read in a table.

use std::{
    fs,
    path::{Path, PathBuf},
};

use flb_kube_testing::rig::{cluster::Cluster, logs::Logs, node::Node};
use k8s_openapi::jiff::Timestamp;
use serde_json::{Value, json};

/// What the demo runs on.
pub(crate) struct Shop {
    objects: Vec<Value>,
    files: Vec<PathBuf>,
    lines: usize,
}

impl Shop {
    /// Reads the objects and the log files beside this program's source.
    pub(crate) fn read() -> Result<Self, String> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/demo");
        let unreadable = |error: std::io::Error| format!("{}: {error}", folder.display());
        let list = fs::read_to_string(folder.join("cluster.json")).map_err(unreadable)?;
        let list: Value = serde_json::from_str(&list).map_err(|error| format!("cluster.json: {error}"))?;
        let objects = list["items"].as_array().cloned().unwrap_or_default();
        let entries = fs::read_dir(folder.join("containers")).map_err(unreadable)?;
        let mut files: Vec<_> = entries.flatten().map(|entry| entry.path()).collect();
        files.sort();
        let mut lines = 0;
        for file in &files {
            let text = fs::read_to_string(file).map_err(unreadable)?;
            lines += text.lines().filter(|line| ends_a_line(line)).count();
        }
        Ok(Self { objects, files, lines })
    }

    /// How many lines its containers logged; a long one that the runtime cut is one.
    pub(crate) fn lines(&self) -> usize {
        self.lines
    }

    /// In how many files.
    pub(crate) fn files(&self) -> usize {
        self.files.len()
    }

    /// How many events happened.
    pub(crate) fn events(&self) -> usize {
        self.objects.iter().filter(|object| object["kind"] == "Event").count()
    }

    /// The node that all pods run on.
    pub(crate) fn node(&self) -> &str {
        self.objects.iter().find_map(|object| object["spec"]["nodeName"].as_str()).unwrap_or_default()
    }

    /// Creates the objects, and puts the log files where a runtime would.
    pub(crate) fn open(&self, cluster: &Cluster, node: &Node) {
        let now = Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
        for object in &self.objects {
            let mut object = object.clone();
            if object["kind"] == "Event" {
                // The input passes over what happened long ago.
                object["firstTimestamp"] = json!(now);
                object["lastTimestamp"] = json!(now);
            }
            cluster.create(&object);
        }
        for file in &self.files {
            node.adopt(file);
        }
    }

    /// The rows whose `field` is one of the shop's namespaces.
    pub(crate) fn rows(&self, logs: &Logs, field: &str) -> Vec<Value> {
        let namespaces = self.objects.iter().filter(|object| object["kind"] == "Namespace");
        let mut rows: Vec<Value> = namespaces
            .filter_map(|namespace| namespace["metadata"]["name"].as_str())
            .flat_map(|namespace| logs.rows(field, namespace))
            .collect();
        let key = |row: &Value| {
            ["kubernetes.pod_name", "kubernetes.container_name", "_time"]
                .map(|field| text(row, field).to_owned())
        };
        rows.sort_by_key(|row| (text(row, field).to_owned(), key(row)));
        rows
    }

    /// Namespace, pod, container, workload, labels, message.
    pub(crate) fn cells_of_a_line(&self, row: &Value) -> Vec<String> {
        let of = |field: &str| text(row, &format!("kubernetes.{field}")).to_owned();
        vec![
            of("namespace_name"),
            of("pod_name"),
            of("container_name"),
            workload(row),
            labels(row),
            text(row, "_msg").to_owned(),
        ]
    }

    /// Namespace, object, type, reason, count, message.
    pub(crate) fn cells_of_an_event(&self, row: &Value) -> Vec<String> {
        let of = |field: &str| text(row, field).to_owned();
        let object = format!("{}/{}", of("involvedObject.kind"), of("involvedObject.name"));
        let message = row.get("message").map_or_else(|| of("_msg"), |_| of("message"));
        vec![of("metadata.namespace"), object, of("type"), of("reason"), of("count"), message]
    }
}

/// Whether a line of a CRI log ends the container's line: `time stream F text`.
fn ends_a_line(line: &str) -> bool {
    line.split(' ').nth(2) == Some("F")
}

fn text<'a>(row: &'a Value, field: &str) -> &'a str {
    row[field].as_str().unwrap_or_default()
}

/// What runs the pod.
fn workload(row: &Value) -> String {
    let [kind, name] = ["kind", "name"].map(|part| text(row, &format!("kubernetes.workload_{part}")));
    if kind.is_empty() { String::new() } else { format!("{kind}/{name}") }
}

fn labels(row: &Value) -> String {
    let fields = row.as_object().into_iter().flatten();
    let labels = fields.filter_map(|(field, value)| {
        let label = field.strip_prefix("kubernetes.labels.")?;
        Some(format!("{label}={}", value.as_str().unwrap_or_default()))
    });
    labels.collect::<Vec<_>>().join(",")
}
