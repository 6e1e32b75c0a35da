//! The chains, their configurations, and a run of one from its start to its end.

use std::{
    fs::{self, File},
    io::{BufWriter, Write as _},
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use flb_kube_testing::{
    apiserver::ApiServer,
    root,
    servers::{built, free_port, process::Process, victoria_logs::VictoriaLogs, wait_for},
    varied::{self, Lines},
};
use serde_json::json;

use crate::{
    measure::{self, Usage},
    shown,
};

const NODE: &str = "node-1";
/// How long a run may take.
const LIMIT: Duration = Duration::from_secs(600);

/// A way from files to VictoriaLogs, or a part of it.
pub(crate) struct Chain {
    pub name: &'static str,
    /// The built-in chain that does the same.
    pub rival: Option<&'static str>,
    /// Whether it ends in VictoriaLogs.
    pub ships: bool,
    program: Program,
    /// A field that rows have only if their pod was known and their line was read.
    known: &'static str,
}

enum Program {
    FluentBit { input: &'static str, filter: &'static str, output: &'static str },
    Vlagent,
}

const CRI: &str = "    multiline.parser cri\n";
const KUBERNETES: &str = "    Name kubernetes\n    Merge_Log on\n    Keep_Log off\n";
const KUBE: &str = "    Name kube\n    cri on\n    Merge_Log on\n    Keep_Log off\n";
const NULL: &str = "    Name null\n";
const HTTP: &str = "    Name http\n    Host 127.0.0.1\n    Port PORT\n    uri /insert/jsonline?_stream_fields=\
    kubernetes.namespace_name,kubernetes.pod_name,kubernetes.container_name&_msg_field=msg,log&_time_field=date\n    \
    format json_lines\n    json_date_format iso8601\n    compress gzip\n";
const VICTORIALOGS: &str = "    Name victorialogs\n    url http://127.0.0.1:PORT\n";
const LABEL: &str = "kubernetes.labels.label-9.example.com/of-a-label";

const BUILT_IN: &str = "`multiline.parser cri`, `kubernetes`, `http` with JSON lines and gzip";
const BUILT_IN_NULL: &str = "`multiline.parser cri`, `kubernetes`, `null`";

/// The floor comes first.
pub(crate) const CHAINS: [Chain; 6] = [
    Chain {
        name: "the floor: `tail`, `null`",
        rival: None,
        ships: false,
        program: Program::FluentBit { input: "", filter: "", output: NULL },
        known: "",
    },
    Chain {
        name: BUILT_IN_NULL,
        rival: None,
        ships: false,
        program: Program::FluentBit { input: CRI, filter: KUBERNETES, output: NULL },
        known: "",
    },
    Chain {
        name: "`kube` with `cri`, `null`",
        rival: Some(BUILT_IN_NULL),
        ships: false,
        program: Program::FluentBit { input: "", filter: KUBE, output: NULL },
        known: "",
    },
    Chain {
        name: BUILT_IN,
        rival: None,
        ships: true,
        program: Program::FluentBit { input: CRI, filter: KUBERNETES, output: HTTP },
        known: LABEL,
    },
    Chain {
        name: "vlagent's Kubernetes collector",
        rival: Some(BUILT_IN),
        ships: true,
        program: Program::Vlagent,
        known: "kubernetes.pod_labels.label-9.example.com/of-a-label",
    },
    Chain {
        name: "`kube` with `cri`, `victorialogs`",
        rival: Some(BUILT_IN),
        ships: true,
        program: Program::FluentBit { input: "", filter: KUBE, output: VICTORIALOGS },
        known: LABEL,
    },
];

/// Where chains run: programs, the cluster that they ask, and a folder.
pub(crate) struct Place {
    host: PathBuf,
    logs: PathBuf,
    vlagent: Option<PathBuf>,
    lines: usize,
    text: bool,
    api: ApiServer,
    folder: tempfile::TempDir,
}

impl Place {
    pub(crate) fn new(
        host: PathBuf,
        logs: PathBuf,
        vlagent: Option<PathBuf>,
        lines: usize,
        text: bool,
    ) -> Self {
        let folder = tempfile::Builder::new().prefix("flb-kube-bench-").tempdir().unwrap();
        for name in built::ALL {
            let object = root().join("target/release/libflb_kube.so");
            std::os::unix::fs::symlink(object, folder.path().join(name)).unwrap();
        }
        fs::write(folder.path().join("token"), "token").unwrap();
        let api = ApiServer::start();
        for (kind, name) in [("Node", NODE), ("Namespace", "shop")] {
            api.put(json!({ "apiVersion": "v1", "kind": kind, "metadata": { "name": name } }));
        }
        let kubeconfig = json!({
            "clusters": [{ "name": "c", "cluster": { "server": api.url() } }],
            "users": [{ "name": "u", "user": { "token": "token" } }],
            "contexts": [{ "name": "c", "context": { "cluster": "c", "user": "u" } }],
            "current-context": "c",
        });
        fs::write(folder.path().join("kubeconfig"), kubeconfig.to_string()).unwrap();
        Self { host, logs, vlagent, lines, text, api, folder }
    }

    /// Whether this machine has what a chain needs.
    pub(crate) fn can(&self, chain: &Chain) -> bool {
        !matches!(chain.program, Program::Vlagent) || self.vlagent.is_some()
    }

    /// Writes all lines to the files of so many pods, which the cluster then has.
    pub(crate) fn write_logs(&self, pods: usize) -> PathBuf {
        let folder = self.folder.path().join(pods.to_string());
        fs::create_dir(&folder).unwrap();
        let mut lines = Lines::new(varied::SEED).take(self.lines);
        for pod in 0..pods {
            self.api.put(serde_json::from_str(&varied::pod_json(pod, NODE)).unwrap());
            let file = folder.join(varied::container_file(pod) + ".log");
            let mut file = BufWriter::new(File::create(file).unwrap());
            let share = self.lines / pods + usize::from(pod < self.lines % pods);
            for line in lines.by_ref().take(share) {
                let said = if self.text { line.text() } else { line.json() };
                writeln!(file, "{}", line.cri(&said)).unwrap();
            }
            file.flush().unwrap();
        }
        folder
    }

    /// One run, until all lines are read and stored and the agent has ended.
    pub(crate) fn run(&self, chain: &Chain, logs: &Path, files: usize) -> Usage {
        let server = chain.ships.then(|| VictoriaLogs::start(&self.logs, &["-futureRetention=100y"]));
        let server_began = server.as_ref().map_or(0.0, |server| measure::cpu(server.process_id()));
        let own = tempfile::tempdir_in(self.folder.path()).unwrap();
        let url = server.as_ref().map(VictoriaLogs::url).unwrap_or_default();
        let mut command = self.command(chain, logs, own.path(), &url);
        let began = measure::ended_children_cpu();
        let mut agent = Process::start(chain.name, &mut command, &own.path().join("log"));
        let size: u64 = fs::read_dir(logs).unwrap().map(|file| file.unwrap().metadata().unwrap().len()).sum();
        let mut peak = 0;
        let what = format!("{} with {files} files is done", chain.name);
        wait_for(&what, LIMIT, || {
            agent.must_run();
            peak = measure::peak(agent.id()).unwrap_or(peak);
            // The server is asked as seldom as can be: answers cost it time that would count as the agent's doing.
            let is_read = measure::read_of(agent.id(), logs) >= size;
            let stored = |server: &VictoriaLogs| server.metric("vl_rows_ingested_total") >= self.lines as u64;
            (is_read && server.as_ref().is_none_or(stored)).then_some(())
        });
        let ended = agent.stop(LIMIT);
        assert!(ended.is_some_and(|status| status.success()), "{what}: {ended:?}\n{}", agent.last_lines(20));
        let cpu = measure::ended_children_cpu() - began;
        let Some(server) = server else { return Usage { cpu, peak, sent: 0, server_cpu: 0.0 } };
        let sent = server.metric("vm_tcplistener_read_bytes_total");
        let server_cpu = measure::cpu(server.process_id()) - server_began;
        self.check(chain, &server);
        Usage { cpu, peak, sent, server_cpu }
    }

    /// Every line is a row, once, read and with its pod.
    fn check(&self, chain: &Chain, server: &VictoriaLogs) {
        let read = if self.text { "_msg" } else { "trace" };
        let query = format!(
            "* | stats count() rows, count() if ({:?}:*) known, count() if ({read}:*) read",
            chain.known
        );
        let found = &server.query(&query)[0];
        for count in ["rows", "known", "read"] {
            assert_eq!(found[count], self.lines.to_string(), "{count} of {}: {found}", chain.name);
        }
    }

    fn command(&self, chain: &Chain, logs: &Path, own: &Path, url: &str) -> Command {
        match &chain.program {
            Program::FluentBit { input, filter, output } => {
                let port = url.rsplit(':').next().unwrap_or_default();
                let config = self.config(logs, input, filter, &output.replace("PORT", port));
                let path = own.join("fluent-bit.conf");
                fs::write(&path, config).unwrap();
                let mut command = Command::new(&self.host);
                for plugin in built::ALL {
                    command.arg("-e").arg(self.folder.path().join(plugin));
                }
                command.arg("-c").arg(path).env("NODE_NAME", NODE);
                command
            }
            Program::Vlagent => {
                let mut command = Command::new(self.vlagent.as_ref().unwrap());
                command
                    .arg(format!("-httpListenAddr=127.0.0.1:{}", free_port()))
                    .arg(format!("-remoteWrite.url={url}/insert/native"))
                    .arg(format!("-tmpDataPath={}", own.join("data").display()))
                    .arg("-kubernetesCollector")
                    .arg(format!("-kubernetesCollector.logsPath={}", logs.display()))
                    // As the filters do by default.
                    .arg("-kubernetesCollector.includePodAnnotations")
                    .env("KUBECONFIG", self.folder.path().join("kubeconfig"));
                command
            }
        }
    }

    /// The buffer is bounded, as operators have it, so that the peak of memory says something; chunks leave it five times
    /// a second, so that the bound holds nobody up.
    fn config(&self, logs: &Path, input: &str, filter: &str, output: &str) -> String {
        let prefix = format!("kube.{}.", shown(logs).trim_start_matches('/').replace('/', "."));
        let filter = match filter {
            "" => String::new(),
            filter => format!(
                "[FILTER]\n    Match *\n{filter}    kube_tag_prefix {prefix}\n    kube_url {}\n    kube_token_file \
                 {}\n",
                self.api.url(),
                shown(&self.folder.path().join("token"))
            ),
        };
        format!(
            "[SERVICE]\n    Flush 0.2\n    Grace 60\n    Log_Level warn\n[INPUT]\n    Name tail\n    Tag kube.*\n    \
             Path {}/*.log\n    read_from_head on\n    mem_buf_limit 64M\n{input}{filter}[OUTPUT]\n    Match *\n{output}",
            shown(logs)
        )
    }
}
