//! What operators see of an instance: metrics at the host's endpoint and at one of our own, a line a minute for
//! debugging, and which permissions are missing.
//!
//! Serves the filter. Invariant: all of it is off the pipeline, and ends with the instance.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use tracing::{debug, info};

use super::{
    KubeOptions,
    options::Scope,
    stats::{METRICS, View},
};
use crate::{
    kube::api::{
        access::{self, Need},
        connection::Connection,
    },
    metrics::{Listener, Source, line},
    options,
    plugin::{Host, Refusal},
    runtime::Tasks,
};

/// How often the host's numbers are set.
const SHOWN_EVERY: Duration = Duration::from_secs(1);
/// How often the log has them.
const TOLD_EVERY: Duration = Duration::from_secs(60);

impl options::Value for SocketAddr {
    const KIND: options::Kind = options::Kind::Text;

    fn parse(text: &str) -> Result<Self, String> {
        text.parse().map_err(|_| "is no address with a port, such as 127.0.0.1:2021 or [::]:2021".into())
    }
}

/// The numbers of an instance where operators find them.
pub(super) struct Shown {
    _source: Arc<Source>,
    _listener: Option<Arc<Listener>>,
}

/// Shows the numbers of `view`.
pub(super) fn show(
    options: &KubeOptions,
    view: View,
    tasks: &Tasks,
    host: &dyn Host,
) -> Result<Shown, Refusal> {
    let address = options.operator.metrics_listen;
    let view = Arc::new(view);
    let seen = Arc::clone(&view);
    let source = Arc::new(Source {
        metrics: METRICS,
        instance: tasks.owner().instance().to_owned(),
        read: Box::new(move || seen.numbers()),
    });
    let listener =
        address.map(|address| Listener::shared(address, tasks.owner()).map_err(|why| (address, why)));
    let listener = listener.transpose().map_err(|(address, why)| {
        Refusal::new(format_args!(
            "option 'metrics_listen': '{address}' can't be listened at: {why}; choose an address that is free"
        ))
    })?;
    if let Some(listener) = &listener {
        listener.show(&source);
    }
    match host.metrics(METRICS) {
        Ok(gauges) => {
            debug!(
                "metrics: with those of the host, at its /api/v2/metrics/prometheus where http_server is on"
            );
            let shown = Arc::clone(&source);
            tasks.spawn(every(SHOWN_EVERY, move || gauges.set(&(shown.read)())));
        }
        Err(why) => {
            let instead =
                if address.is_some() { "only metrics_listen has them" } else { "set metrics_listen" };
            info!("metrics: not among those of the host, since {why}; {instead}");
        }
    }
    tasks.spawn(every(TOLD_EVERY, move || debug!("{}", line(METRICS, &view.numbers()))));
    Ok(Shown { _source: source, _listener: listener })
}

/// Does `work` now and again, for ever.
async fn every(pause: Duration, work: impl Fn()) {
    loop {
        tokio::time::sleep(pause).await;
        work();
    }
}

/// Asks which permissions are missing, and says so.
pub(super) fn check_access(options: &KubeOptions, connection: &Connection, tasks: &Tasks) {
    let needs = needs(options);
    if options.operator.self_check && !needs.is_empty() {
        let connection = connection.clone();
        tasks.spawn(async move { access::check(connection.client(), &needs).await });
    }
}

/// What these options need of the API server.
fn needs(options: &KubeOptions) -> Vec<Need> {
    const FOLLOW: &[&str] = &["list", "watch"];
    let fields = &options.fields;
    let mut needs = Vec::new();
    let mut need = |is_asked: bool, verbs, resource, without| {
        if is_asked {
            needs.push(Need { verbs, resource, without });
        }
    };
    // A kubelet that refuses says itself what it wants.
    let pods = options.wants_pods() && !options.source.use_kubelet;
    need(
        pods,
        FOLLOW,
        "pods",
        "pods that no list names are looked up one by one (which needs get), and their changes show late",
    );
    need(
        pods && options.source.scope == Scope::Node,
        &["get"],
        "pods",
        "pods that no list names, such as those that ended before the agent began, stay unknown",
    );
    need(
        fields.namespace_labels || fields.namespace_annotations,
        FOLLOW,
        "namespaces",
        "records gain no labels and annotations of their namespace",
    );
    need(
        (fields.node_labels || fields.node_annotations) && !fields.namespace_metadata_only,
        &["get", "list", "watch"],
        "nodes",
        "records gain no labels and annotations of their node",
    );
    needs
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::options::Options as _;

    fn with(pairs: &[(&str, &str)]) -> KubeOptions {
        let get = |key: &str| pairs.iter().find(|(k, _)| *k == key).map(|(_, value)| (*value).to_owned());
        KubeOptions::load(&get).unwrap()
    }

    fn resources(pairs: &[(&str, &str)]) -> Vec<&'static str> {
        needs(&with(pairs)).iter().map(|need| need.resource).collect()
    }

    #[test]
    fn only_what_the_options_need_is_asked_for() {
        assert_eq!(resources(&[]), ["pods", "pods"]);
        assert_eq!(resources(&[("namespace_labels", "on")]), ["pods", "pods", "namespaces"]);
        assert_eq!(resources(&[("node_annotations", "on")]), ["pods", "pods", "nodes"]);
        assert_eq!(resources(&[("use_kubelet", "on")]), [""; 0]);
        assert_eq!(resources(&[("use_kubelet", "on"), ("node_labels", "on")]), ["nodes"]);
        assert_eq!(resources(&[("kube_scope", "cluster")]), ["pods"]);
        let alone = [("namespace_metadata_only", "on"), ("namespace_labels", "on"), ("node_labels", "on")];
        assert_eq!(resources(&alone), ["namespaces"]);
    }

    #[test]
    fn an_address_to_listen_at_has_a_port() {
        let get = |key: &str| (key == "metrics_listen").then(|| "localhost".to_owned());
        let said = KubeOptions::load(&get).err().unwrap().to_string();
        assert!(said.contains("option 'metrics_listen': 'localhost' is no address with a port"), "{said}");
        assert!(with(&[("metrics_listen", "[::1]:2021")]).operator.metrics_listen.is_some());
    }

    #[tokio::test]
    async fn what_is_told_every_so_often_is_told_again_and_again() {
        let told = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&told);
        let telling = every(Duration::from_millis(1), move || _ = count.fetch_add(1, Ordering::Relaxed));
        let enough = async {
            while told.load(Ordering::Relaxed) < 3 {
                tokio::task::yield_now().await;
            }
        };
        tokio::select! {
            () = telling => {}
            () = enough => {}
        }
    }
}
