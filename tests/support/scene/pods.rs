//! Pods, what their containers log, and how each line must come out.

use std::{collections::BTreeMap, ops::Range};

use serde_json::{Value, json};

use super::Scene;

/// How many lines each container logs.
pub(super) const LINES: usize = 400;

/// A container that logs.
pub(super) struct Container {
    pod: Value,
    name: String,
    id: String,
    late: bool,
}

/// The pods that are there when the host starts: one with two containers, one of a stateful set.
pub(super) fn early(scene: &Scene) -> Vec<Container> {
    let web = create(scene, "web-7d9c5b8f6d-x2k4p", "ReplicaSet", &["nginx", "metrics"]);
    let database = create(scene, "postgres-0", "StatefulSet", &["postgres"]);
    let containers = |pod: &Value, names: &[&str]| -> Vec<Container> {
        names.iter().map(|name| Container::of(pod, name, false)).collect()
    };
    let mut all = containers(&web, &["nginx", "metrics"]);
    all.extend(containers(&database, &["postgres"]));
    all
}

/// A pod that is created when the host runs already.
pub(super) fn late(scene: &Scene) -> Vec<Container> {
    let job = create(scene, "sales-29381250-t9c6h", "Job", &["report"]);
    vec![Container::of(&job, "report", true)]
}

fn create(scene: &Scene, name: &str, owner: &str, containers: &[&str]) -> Value {
    let image = |container: &str| format!("registry.example/{container}:1.4");
    let specs: Vec<_> = containers.iter().map(|name| json!({ "name": name, "image": image(name) })).collect();
    let statuses = containers.iter().map(|container| {
        json!({
            "name": container, "image": image(container), "ready": true, "restartCount": 0,
            "imageID": format!("registry.example/{container}@sha256:{}", "5".repeat(64)),
            "containerID": format!("containerd://{}", id(name, container)),
        })
    });
    let statuses: Vec<_> = statuses.collect();
    let controller = json!({ "apiVersion": "apps/v1", "kind": owner, "name": name.rsplit_once('-').expect("a dash").0,
        "uid": "0a1b2c3d-0000-4000-8000-000000000001", "controller": true });
    let pod = json!({
        "kind": "Pod",
        "apiVersion": "v1",
        "metadata": {
            "name": name, "namespace": scene.name, "ownerReferences": [controller],
            "labels": { "app": name.split('-').next(), "app.kubernetes.io/part-of": "shop" },
            "annotations": { "shop.example/on-call": "team \"storefront\", Zürich" },
        },
        "spec": { "nodeName": scene.name, "containers": specs },
        "status": { "phase": "Running", "podIP": "10.42.0.11", "podIPs": [{ "ip": "10.42.0.11" }],
            "containerStatuses": statuses },
    });
    scene.cluster.create(&pod);
    scene.cluster.api().get(&format!("/api/v1/namespaces/{}/pods/{name}", scene.name))
}

/// The id that a runtime would have given.
fn id(pod: &str, container: &str) -> String {
    let seed: u64 =
        format!("{pod}/{container}").bytes().fold(7, |sum, byte| sum * 31 % 0xffff_fffb + u64::from(byte));
    format!("{seed:016x}").repeat(4)
}

impl Container {
    fn of(pod: &Value, name: &str, late: bool) -> Self {
        let id = id(text(&pod["metadata"]["name"]), name);
        Self { pod: pod.clone(), name: name.to_owned(), id, late }
    }

    /// Whether its pod was created after the host's start.
    pub(super) fn is_late(&self) -> bool {
        self.late
    }

    fn pod(&self) -> &str {
        text(&self.pod["metadata"]["name"])
    }

    /// Writes lines to its log file on the node.
    pub(super) fn log(&self, scene: &Scene, numbers: Range<usize>) {
        let lines: Vec<_> = numbers.flat_map(|number| in_cri_form(number, &message(number))).collect();
        scene.node.append(self.pod(), &scene.name, &self.name, &self.id, &lines);
    }

    /// Every line is among `rows` once, in order within its stream, with this container's metadata.
    pub(super) fn check(&self, rows: &[Value]) {
        let pod = self.pod();
        let own = rows.iter().filter(|row| {
            row["kubernetes.pod_name"] == pod && row["kubernetes.container_name"] == *self.name
        });
        let metadata = self.metadata();
        let mut streams: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
        for row in own {
            let number = number_in(text(&row["_msg"]));
            assert_eq!(row["_msg"], message(number), "{pod}: line {number} as the container wrote it");
            assert_eq!(row["_time"], time(number), "{pod}: the time of line {number}");
            for (field, value) in &metadata {
                assert_eq!(row[field], *value, "{pod}: {field} of line {number}");
            }
            let owners: Value = serde_json::from_str(text(&row["kubernetes.ownerReferences"])).expect("JSON");
            assert_eq!(owners, self.pod["metadata"]["ownerReferences"], "{pod}: the owners in line {number}");
            streams.entry(text(&row["_stream"])).or_default().push(number);
        }
        for (stream, numbers) in &streams {
            assert!(numbers.is_sorted(), "{pod}: the order within {stream}: {numbers:?}");
        }
        let mut all: Vec<usize> = streams.into_values().flatten().collect();
        all.sort_unstable();
        assert_eq!(all, (0..LINES).collect::<Vec<_>>(), "{pod}/{}: each line once", self.name);
    }

    /// Every line is among `rows`, with what its file's name tells and no more.
    pub(super) fn check_what_the_tag_says(&self, rows: &[Value]) {
        let own: Vec<_> = rows.iter().filter(|row| row["kubernetes.docker_id"] == *self.id).collect();
        assert_eq!(own.len(), LINES);
        for row in own {
            assert_eq!(row["kubernetes.pod_name"], self.pod());
            assert_eq!(row["kubernetes.container_name"], *self.name);
            assert_eq!(row.get("kubernetes.pod_id"), None);
        }
    }

    /// The fields of every row, as the API gives them now.
    fn metadata(&self) -> BTreeMap<String, String> {
        let (meta, status) = (&self.pod["metadata"], &self.pod["status"]);
        let statuses = status["containerStatuses"].as_array().expect("statuses");
        let own = statuses.iter().find(|status| status["name"] == *self.name).expect("a status");
        let mut fields = BTreeMap::from(
            [
                ("pod_name", &meta["name"]),
                ("namespace_name", &meta["namespace"]),
                ("pod_id", &meta["uid"]),
                ("host", &self.pod["spec"]["nodeName"]),
                ("pod_ip", &status["podIP"]),
                ("container_name", &own["name"]),
                ("container_image", &own["image"]),
                ("container_hash", &own["imageID"]),
            ]
            .map(|(field, value)| (format!("kubernetes.{field}"), text(value).to_owned())),
        );
        fields.insert("kubernetes.docker_id".to_owned(), self.id.clone());
        for kind in ["labels", "annotations"] {
            for (key, value) in meta[kind].as_object().expect("a map") {
                fields.insert(format!("kubernetes.{kind}.{key}"), text(value).to_owned());
            }
        }
        fields
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("{value} is no text"))
}

/// What a container prints as its line of this number.
fn message(number: usize) -> String {
    match number % 5 {
        0 => format!("GET /p/teapot?n={number} HTTP/1.1 200 line={number}"),
        1 => format!(
            "{{\"level\":\"info\",\"msg\":\"order placed\",\"total\":49.90,\"line\":\"line={number}\"}}"
        ),
        2 => format!("größer als erwartet: „Teekanne“ ☕ \\n \"quoted\" line={number}"),
        3 => format!("\tat shop.orders.Stock.reserve(Stock.java:{number}) line={number}"),
        _ => format!("long: {} line={number}", "0123456789abcdef".repeat(200)),
    }
}

fn number_in(message: &str) -> usize {
    let digits = message.rsplit("line=").next().expect("a last part").trim_end_matches(['"', '}']);
    digits.parse().unwrap_or_else(|_| panic!("no line of ours: {message}"))
}

/// Ten lines a second, each at a nanosecond of its own.
fn time(number: usize) -> String {
    let (seconds, nanoseconds) = (number / 10, number % 10 * 100_000_000 + 1);
    format!("2026-11-20T09:{:02}:{:02}.{nanoseconds:09}Z", seconds / 60, seconds % 60)
}

/// As a runtime writes a line: a long one in parts.
fn in_cri_form(number: usize, message: &str) -> Vec<String> {
    let stream = if number.is_multiple_of(3) { "stderr" } else { "stdout" };
    let time = time(number);
    let (parts, last) = match message.len() {
        ..1000 => (vec![], message),
        length => (vec![&message[..1000], &message[1000..length - 500]], &message[length - 500..]),
    };
    let parts = parts.into_iter().map(|part| format!("{time} {stream} P {part}"));
    parts.chain([format!("{time} {stream} F {last}")]).collect()
}
