//! The options of the filter, in groups: the API, tags, metadata, lines, and what is accepted from the built-in.
//!
//! Serves the filter. Invariant: each of the 52 keys of the built-in filter is here, with its default, but for
//! `tls.verify_hostname`, which is on.

use std::{net::SocketAddr, time::Duration};

use crate::{
    choices,
    kube::metadata::{LabelsFormat, Renames},
    option_groups, options,
    options::{Secret, Size},
    record::splice::{merge::Format, treatment::Existing},
};

option_groups! {
    /// Options of the filter.
    pub struct KubeOptions {
        /// How the API server is reached.
        api: ApiOptions,
        /// Where pods come from.
        source: SourceOptions,
        /// How records lead to their pod.
        record: RecordOptions,
        /// Which metadata records gain.
        fields: FieldOptions,
        /// How lines are read.
        line: LineOptions,
        /// What operators see.
        operator: OperatorOptions,
        /// What the built-in filter has for AWS.
        aws: AwsOptions,
        /// What has no effect any more.
        obsolete: ObsoleteOptions,
    }
}

options! {
    /// How the API server is reached.
    pub struct ApiOptions {
        /// URL of the API server.
        "kube_url" => url: String = "https://kubernetes.default.svc",
        /// File of the certificates that the API server's is checked against.
        "kube_ca_file" => ca_file: Option<String> = "/var/run/secrets/kubernetes.io/serviceaccount/ca.crt",
        /// Folder of such files.
        "kube_ca_path" => ca_path: Option<String> = "",
        /// File of the token for the API server.
        "kube_token_file" => token_file: Option<String> = "/var/run/secrets/kubernetes.io/serviceaccount/token",
        /// Command that prints the token, run by /bin/sh off the pipeline, instead of the file; images without a shell, such
        /// as Fluent Bit's own, have none to run it.
        "kube_token_command" => token_command: Option<Secret> = "",
        /// Reads the token again when it is older than this; also when its file changes and when it is refused.
        "kube_token_ttl" => token_ttl: Duration = "10m",
        /// File of the agent's own namespace, to find its node where nothing else names it.
        "kube_namespace_file" => namespace_file: Option<String> =
            "/var/run/secrets/kubernetes.io/serviceaccount/namespace",
        /// Checks the certificates of the API server and of the kubelet.
        "tls.verify" => tls_verify: bool = "on",
        /// Checks that the certificate is for the server's name; a kubelet's only where it is not asked by a loopback
        /// address, for which it has none.
        "tls.verify_hostname" => tls_verify_hostname: bool = "on",
        /// Name that the certificate is for, if it is not the URL's host.
        "tls.vhost" => tls_vhost: Option<String> = "",
    }
}

options! {
    /// Where pods come from.
    pub struct SourceOptions {
        /// Node whose pods are watched; env NODE_NAME if unset, else the node of the agent's own pod.
        "kube_node_name" => node_name: Option<String> = "",
        /// Which pods are watched: those of the node, or all of the cluster, for an aggregator.
        "kube_scope" => scope: Scope = "node",
        /// Folder of files to know pods from, before the API server: `<namespace>_<pod>.meta`,
        /// `<namespace>.namespace_meta` and `<node>.node_meta`; read once, at the start.
        "kube_meta_preload_cache_dir" => preload_dir: Option<String> = "",
        /// How long the start waits for the first list of pods, so that the first records are enriched too.
        "wait_for_sync" => wait_for_sync: Duration = "5s",
        /// How long a deleted pod stays known, for its last lines.
        "delete_grace" => delete_grace: Duration = "2m",
        /// Another name of delete_grace, which wins if it is set.
        "kube_meta_linger" => linger: Option<Duration> = "",
        /// SQLite file that keeps what is known of pods, so that after a restart, or without an API server, lines of
        /// pods already gone still gain their metadata.
        "db" => db: Option<String> = "",
        /// How many pods the file keeps; those seen longest ago go first.
        "db_max_pods" => db_max_pods: usize = "10000",
        /// Asks the node's kubelet for its pods, instead of the API server.
        "use_kubelet" => use_kubelet: bool = "off",
        /// Host of the kubelet.
        "kubelet_host" => kubelet_host: String = "127.0.0.1",
        /// Port of the kubelet.
        "kubelet_port" => kubelet_port: u16 = "10250",
        /// File of the certificates that the kubelet's is checked against; kube_ca_file if unset.
        "kubelet_ca_file" => kubelet_ca_file: Option<String> = "",
        /// Checks the kubelet's certificate; tls.verify if unset.
        "kubelet_tls_verify" => kubelet_tls_verify: Option<bool> = "",
        /// How often the kubelet is asked; sooner, but rarely, for a pod that it did not name.
        "kubelet_poll_interval" => kubelet_poll_interval: Duration = "10s",
    }
}

options! {
    /// How records lead to their pod.
    pub struct RecordOptions {
        /// What tags begin with; both /var/log/containers and /var/log/pods are found behind any prefix.
        "kube_tag_prefix" => tag_prefix: String = "kube.var.log.containers.",
        /// Regex parser of the host's parsers file that reads tags of another form, the prefix cut off; its groups are
        /// pod_name, namespace_name, container_name, docker_id, container_hash.
        "regex_parser" => regex_parser: Option<String> = "",
        /// Takes records of the systemd journal: a container's gain metadata, all others pass.
        "use_journal" => use_journal: bool = "off",
        /// Field of the record that names its pod, instead of the tag: `pod`, `kubernetes.pod_name` or
        /// `$kubernetes['pod_name']` within a map, `$['k8s.pod.name']` for a name with dots.
        "lookup_pod_key" => pod_key: Option<String> = "",
        /// Field that names its namespace.
        "lookup_namespace_key" => namespace_key: Option<String> = "",
        /// Field that names its container.
        "lookup_container_key" => container_key: Option<String> = "",
        /// Field with its container's id.
        "lookup_container_id_key" => container_id_key: Option<String> = "",
        /// Field with its pod's uid.
        "lookup_pod_uid_key" => pod_uid_key: Option<String> = "",
        /// Honours the pod's annotation fluentbit.io/exclude: its records are dropped. Its namespace's counts for pods
        /// that have none, where namespaces are watched: namespace_labels or namespace_annotations is on.
        "k8s-logging.exclude" => exclude: bool = "off",
        /// Honours the pod's annotation fluentbit.io/parser: its lines are read by that parser of the host's, with or
        /// without merge_log. Its namespace's counts for pods that have none, as with k8s-logging.exclude.
        "k8s-logging.parser" => parser: bool = "off",
    }
}

options! {
    /// Which metadata records gain.
    pub struct FieldOptions {
        /// Adds the pod's labels.
        "labels" => labels: bool = "on",
        /// Adds the pod's annotations.
        "annotations" => annotations: bool = "on",
        /// Adds the pod's owner references.
        "owner_references" => owner_references: bool = "off",
        /// Adds the namespace's labels, in kubernetes_namespace.
        "namespace_labels" => namespace_labels: bool = "off",
        /// Adds the namespace's annotations, in kubernetes_namespace.
        "namespace_annotations" => namespace_annotations: bool = "off",
        /// Adds the namespace's metadata only, and nothing of the pod; pods are not watched then, unless
        /// k8s-logging.exclude or k8s-logging.parser asks for their annotations.
        "namespace_metadata_only" => namespace_metadata_only: bool = "off",
        /// Puts the namespace's metadata into kubernetes, as namespace_labels and namespace_annotations.
        "namespace_nested" => namespace_nested: bool = "off",
        /// Adds the node's labels, as node_labels.
        "node_labels" => node_labels: bool = "off",
        /// Adds the node's annotations, as node_annotations.
        "node_annotations" => node_annotations: bool = "off",
        /// Adds what runs the pod: workload_kind and workload_name, such as Deployment and web.
        "workload" => workload: bool = "off",
        /// Adds how often the container had been restarted when it wrote the line, as restart_count.
        "restart_count" => restart_count: bool = "off",
        /// Adds the id of the container's image, as container_image_id.
        "image_id" => image_id: bool = "off",
        /// Adds container_type: container, init (sidecars that are declared as such too) or ephemeral.
        "container_type" => container_type: bool = "off",
        /// Adds all addresses of the pod, as pod_ips.
        "pod_ips" => pod_ips: bool = "off",
        /// Adds when the pod started, as pod_start_time.
        "pod_start_time" => pod_start_time: bool = "off",
        /// Adds the pod's phase, as pod_phase.
        "pod_phase" => pod_phase: bool = "off",
        /// Adds enriched, false, to the metadata of records whose pod is not known.
        "mark_unenriched" => mark_unenriched: bool = "off",
        /// Labels to add, by name or glob (`*` any text, `?` any character); all if unset.
        "labels_allow" => labels_allow: Vec<String> = "",
        /// Labels not to add, by name or glob, even if they are allowed.
        "labels_deny" => labels_deny: Vec<String> = "",
        /// Annotations to add, by name or glob; all if unset.
        "annotations_allow" => annotations_allow: Vec<String> = "",
        /// Annotations not to add, by name or glob.
        "annotations_deny" => annotations_deny: Vec<String> = "",
        /// Labels of the namespace to add, by name or glob; all if unset.
        "namespace_labels_allow" => namespace_labels_allow: Vec<String> = "",
        /// Labels of the namespace not to add, by name or glob.
        "namespace_labels_deny" => namespace_labels_deny: Vec<String> = "",
        /// Annotations of the namespace to add, by name or glob; all if unset.
        "namespace_annotations_allow" => namespace_annotations_allow: Vec<String> = "",
        /// Annotations of the namespace not to add, by name or glob.
        "namespace_annotations_deny" => namespace_annotations_deny: Vec<String> = "",
        /// Labels of the node to add, by name or glob; all if unset.
        "node_labels_allow" => node_labels_allow: Vec<String> = "",
        /// Labels of the node not to add, by name or glob.
        "node_labels_deny" => node_labels_deny: Vec<String> = "",
        /// Annotations of the node to add, by name or glob; all if unset.
        "node_annotations_allow" => node_annotations_allow: Vec<String> = "",
        /// Annotations of the node not to add, by name or glob.
        "node_annotations_deny" => node_annotations_deny: Vec<String> = "",
        /// Other names for labels and annotations of pod, namespace and node: `old=new`, several separated by commas;
        /// dots and slashes of the new name stay.
        "rename" => rename: Renames = "",
        /// What stands for dots in the names of labels and annotations; dots stay if unset.
        "dedot" => dedot: Option<String> = "",
        /// What stands for slashes in them; slashes stay if unset.
        "deslash" => deslash: Option<String> = "",
        /// How labels of pod, namespace and node are written: map, flat (a field labels.NAME each), or text (one text,
        /// NAME=value separated by commas).
        "labels_format" => labels_format: LabelsFormat = "map",
        /// How large the added fields of a record may be; labels and annotations beyond it are left out, the largest
        /// first. No limit if 0.
        "metadata_max_size" => metadata_max_size: Size = "32K",
        /// How many bytes of fields may be added to a chunk, or 16 times its own bytes if that is more; records beyond it
        /// get no labels and annotations, unless all their fields have no more than 4 KiB. No limit if 0.
        "metadata_max_growth" => metadata_max_growth: Size = "2M",
        /// What becomes of a field kubernetes that a record has already: replace, keep, or merge, where new fields go
        /// before old ones of the same name.
        "existing_metadata" => existing_metadata: Existing = "replace",
        /// Adds only what the tag says, and asks no API server.
        "use_tag_for_meta" => use_tag_for_meta: bool = "off",
        /// Adds the time instead of metadata, for trying out.
        "dummy_meta" => dummy_meta: bool = "off",
    }
}

options! {
    /// How lines are read.
    pub struct LineOptions {
        /// Takes lines as a container runtime writes them, CRI or Docker, from a tail without parser: time, stream and
        /// text, parts of a long line joined. They are read from the first of log_keys that a record has.
        "cri" => cri: bool = "off",
        /// How long a joined line may get; what is longer is emitted in pieces, marked by partial_message.
        "cri_max_size" => cri_max_size: Size = "2M",
        /// How long the parts of a line may wait for the rest; then they are emitted, marked by partial_message.
        "cri_max_age" => cri_max_age: Duration = "30s",
        /// Merges the fields of a structured log line into its record. Fields of the line that are called kubernetes or
        /// kubernetes_namespace are left out, and the line is kept then.
        "merge_log" => merge_log: bool = "off",
        /// How lines are structured: json, logfmt, klog, or auto for whichever of these a line is. logfmt: values are
        /// texts, a key without `=` is true. klog, as Kubernetes' own components write it: severity, time (in UTC, with
        /// the year), thread, source, message and the line's own keys, which get a `_` at their end where they are called
        /// like one of these; the record's own time stays.
        "merge_format" => merge_format: Format = "json",
        /// Parser of the host's that reads lines instead.
        "merge_parser" => merge_parser: Option<String> = "",
        /// Fields that may hold the line; the first that a record has counts.
        "log_keys" => log_keys: LogKeys = "log",
        /// Puts merged fields under this key.
        "merge_log_key" => merge_log_key: Option<String> = "",
        /// Takes line ends off the end of merged texts.
        "merge_log_trim" => merge_log_trim: bool = "on",
        /// Keeps the field that held the line when it was merged.
        "keep_log" => keep_log: bool = "on",
        /// Adds the record's severity under this key, in place of what is there: trace, debug, info, notice, warning,
        /// error, critical, alert, emergency or fatal. It is read off severity, level, lvl, loglevel, log_level,
        /// log.level, levelname, level_name, @level, @l, severity_text, severity_number, PRIORITY or MongoDB's s, in any
        /// case, of the merged fields (those of klog have it too), else of the record: words and letters, in brackets or
        /// colours too, pino's numbers 10 to 60, OpenTelemetry's 1 to 24 in severity_number, and syslog's 0 to 7 in the
        /// PRIORITY of a record of the journal.
        "severity_key" => severity_key: Option<String> = "",
    }
}

options! {
    /// What operators see.
    pub struct OperatorOptions {
        /// Address to serve metrics at, such as 127.0.0.1:2021, in addition to the host's own.
        "metrics_listen" => metrics_listen: Option<SocketAddr> = "",
        /// Asks the API server at the start which permissions are missing.
        "self_check" => self_check: bool = "on",
    }
}

options! {
    /// What the built-in filter has for AWS.
    pub struct AwsOptions {
        /// Adds aws_entity_* fields from the CloudWatch agent's map of pods to services.
        "aws_use_pod_association" => use_pod_association: bool = "off",
        /// Another name of aws_use_pod_association.
        "use_pod_association" => use_pod_association_too: bool = "off",
        /// Host of the agent that has the map.
        "aws_pod_association_host" => host: String = "cloudwatch-agent.amazon-cloudwatch",
        /// Path of the map.
        "aws_pod_association_endpoint" => endpoint: String = "/kubernetes/pod-to-service-env-map",
        /// Port of the agent.
        "aws_pod_association_port" => port: u16 = "4311",
        /// How long an entry of the map counts, in seconds; for ever if 0.
        "aws_pod_service_map_ttl" => map_ttl: Duration = "0",
        /// Seconds between two requests for the map.
        "aws_pod_service_map_refresh_interval" => refresh_interval: Duration = "60",
        /// File `<path>.map` that stands for the agent's answer.
        "aws_pod_service_preload_cache_dir" => preload: Option<String> = "",
        /// File of the certificates that the agent's is checked against.
        "aws_pod_association_host_server_ca_file" => ca_file: Option<String> =
            "/etc/amazon-cloudwatch-observability-agent-server-cert/tls-ca.crt",
        /// File of the certificate that the agent asks for.
        "aws_pod_association_host_client_cert_file" => cert_file: Option<String> =
            "/etc/amazon-cloudwatch-observability-agent-client-cert/client.crt",
        /// File of its key.
        "aws_pod_association_host_client_key_file" => key_file: Option<String> =
            "/etc/amazon-cloudwatch-observability-agent-client-cert/client.key",
        /// Checks the agent's certificate.
        "aws_pod_association_host_tls_verify" => tls_verify: bool = "on",
    }
}

options! {
    /// What has no effect any more; a value that is not the default is warned of once.
    pub struct ObsoleteOptions {
        /// No effect: answers of the API server are read as a stream and have no limit.
        "buffer_size" => buffer_size: Size = "32K",
        /// No effect: what is watched never goes stale.
        "kube_meta_cache_ttl" => meta_cache_ttl: Duration = "0",
        /// No effect: what is watched never goes stale.
        "kube_meta_namespace_cache_ttl" => meta_namespace_cache_ttl: Duration = "15m",
        /// No effect: the container's id is always the one in the tag.
        "cache_use_docker_id" => cache_use_docker_id: bool = "off",
        /// No effect: names are looked up off the pipeline, as often as need be.
        "dns_retries" => dns_retries: i32 = "6",
        /// No effect: names are looked up off the pipeline, with pauses that grow.
        "dns_wait_time" => dns_wait_time: Duration = "30",
        /// No effect: what fails in TLS is in the log.
        "tls.debug" => tls_debug: i32 = "0",
        /// No effect: what fails in TLS is in the log.
        "aws_pod_association_host_tls_debug" => aws_tls_debug: i32 = "0",
        /// No effect, nor has it any in the built-in filter.
        "set_platform" => set_platform: Option<String> = "",
    }
}

/// Which pods are watched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// Those of one node.
    Node,
    /// All of the cluster.
    Cluster,
}

choices! { Scope: "node" => Self::Node, "cluster" => Self::Cluster }

/// The fields that may hold the line, best first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogKeys(pub Vec<String>);

impl options::Value for LogKeys {
    const KIND: options::Kind = options::Kind::List;

    fn parse(text: &str) -> Result<Self, String> {
        match options::Names::parse(text)?.0 {
            keys if keys.is_empty() => Err("names no field; to merge nothing, set merge_log to off".into()),
            keys => Ok(Self(keys)),
        }
    }
}
