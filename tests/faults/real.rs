//! Troubles of the real kube-apiserver.

use flb_kube_testing::servers::{
    kubernetes::{Kubernetes, Programs},
    roster,
};
use serde_json::json;

use crate::{
    beats::{Heart, POD, host, pod, trouble},
    proxy::Proxy,
};

const NAMESPACE: &str = "faults";

/// Its own server: others must not share the trouble.
fn server(case: &str) -> Option<Kubernetes> {
    let Some(programs) = Programs::find() else {
        roster::skipped(case, "no etcd and kube-apiserver: make servers builds them, with Go");
        return None;
    };
    let kubernetes = Kubernetes::start(&programs);
    kubernetes.api().create("/api/v1/namespaces", &json!({ "metadata": { "name": NAMESPACE } }));
    kubernetes.api().create(&pods(), &pod(NAMESPACE, "blue"));
    Some(kubernetes)
}

fn pods() -> String {
    format!("/api/v1/namespaces/{NAMESPACE}/pods")
}

fn relabel(kubernetes: &Kubernetes, team: &str) {
    kubernetes
        .api()
        .patch(&format!("{}/{POD}", pods()), &json!({ "metadata": { "labels": { "team": team } } }));
}

#[test]
fn line_21_a_real_server_that_is_killed_then_has_its_certificate_and_tokens_rotated_then_falls_silent_changes_nothing()
 {
    let Some(mut kubernetes) = server("troubles of the real kube-apiserver") else { return };
    let proxy = Proxy::start(kubernetes.address());
    let api = format!(
        "    Kube_URL https://127.0.0.1:{}\n    Kube_CA_File {}\n    Kube_Token_File {}\n",
        proxy.port(),
        kubernetes.ca_file().display(),
        kubernetes.reader_token_file().display()
    );
    let mut heart = Heart::start("real kube-apiserver", &host(), NAMESPACE, &api);
    heart.wait_for(Some("blue"));
    let before = heart.pulse(Some("blue"), trouble());

    kubernetes.kill();
    let away = heart.pulse(Some("blue"), trouble());
    kubernetes.start_again();
    relabel(&kubernetes, "green");
    heart.wait_for(Some("green"));

    kubernetes.rotate();
    relabel(&kubernetes, "red");
    heart.wait_for(Some("red"));

    proxy.set_silent(true);
    relabel(&kubernetes, "grey");
    let silent = heart.pulse(Some("red"), trouble());
    proxy.set_silent(false);
    heart.wait_for(Some("grey"));
    proxy.set_silent(true);
    println!("real kube-apiserver, killed: {away:?}");
    heart.ends(before, silent);
}
