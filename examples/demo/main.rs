//! The demo: container logs of a small shop, through a host, the three plugins and VictoriaLogs, shown as a table.
//!
//! `make demo` runs it. Every part is real where this machine has it, else its stand-in; the last lines say which.
//! With `--stand-ins` all of them are. What it started ends with it, also on Ctrl-C.

mod shop;
mod table;

use std::{
    io::{self, IsTerminal as _, Write as _},
    path::PathBuf,
    process::ExitCode,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use flb_kube_testing::{
    rig::{cluster::Cluster, config::Config, host::Host, logs::Logs, node::Node},
    servers::{kubernetes::Programs, process::Process, victoria_logs::VictoriaLogs},
};
use serde_json::Value;
use shop::Shop;
use table::Table;

/// How long the rows may take.
const LIMIT: Duration = Duration::from_secs(60);
/// The host writes to its log what went wrong; so many of its last lines are shown.
const LAST_LINES: usize = 30;

fn main() -> ExitCode {
    let interrupted = watch_for_signals();
    match run(&interrupted) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) if interrupted.load(Ordering::Relaxed) => {
            println!("\ninterrupted; everything that was started has ended");
            ExitCode::from(130)
        }
        Err(why) => {
            println!("\nthe demo failed: {why}");
            ExitCode::FAILURE
        }
    }
}

fn run(interrupted: &AtomicBool) -> Result<(), String> {
    let shop = Shop::read()?;
    let parts = Parts::find(std::env::args().any(|argument| argument == "--stand-ins"));
    println!("Starting {}.", parts.names().join(", "));
    let (host, cluster, logs) = parts.start();
    let folder = tempfile::Builder::new().prefix("flb-kube-demo-").tempdir();
    let folder = folder.map_err(|error| format!("no folder for the node's files: {error}"))?;
    let node = Node::new(folder.path());
    shop.open(&cluster, &node);
    let config = Config {
        folder: folder.path(),
        cluster: &cluster,
        node: &node,
        node_name: shop.node(),
        events: "",
        logs: &logs,
    };
    let started = Instant::now();
    let mut process = host.start(folder.path(), &config.classic());
    let lines =
        collect(&mut process, interrupted, shop.lines(), || shop.rows(&logs, "kubernetes.namespace_name"))?;
    let events =
        collect(&mut process, interrupted, shop.events(), || shop.rows(&logs, "metadata.namespace"))?;
    let took = started.elapsed();
    show(&shop, &lines, &events);
    println!(
        "\n{} lines in {} log files became {} rows, {} events became {} rows, {:.1} s after the host's start.\nThrough",
        shop.lines(),
        shop.files(),
        lines.len(),
        shop.events(),
        events.len(),
        took.as_secs_f64()
    );
    parts.names().iter().for_each(|part| println!("  {part}"));
    let _ = io::stdout().flush();
    process.stop(Duration::from_secs(10));
    Ok(())
}

/// The programs that take part; where there is none, its stand-in does.
struct Parts {
    host: Option<Host>,
    logs: Option<PathBuf>,
    cluster: Option<Programs>,
}

impl Parts {
    fn find(stand_ins: bool) -> Self {
        if stand_ins {
            return Self { host: None, logs: None, cluster: None };
        }
        Self {
            host: Host::real().into_iter().next(),
            logs: VictoriaLogs::program(),
            cluster: Programs::find(),
        }
    }

    fn names(&self) -> [String; 3] {
        let logs = self.logs.as_deref().map(VictoriaLogs::version);
        let api = self.cluster.as_ref().map(|programs| programs.versions().1);
        [
            self.host.as_ref().map_or("a stand-in for Fluent Bit".to_owned(), Host::name),
            logs.map_or("a stand-in for VictoriaLogs".to_owned(), |version| {
                format!("VictoriaLogs {version}")
            }),
            api.map_or("a stand-in for kube-apiserver".to_owned(), |version| {
                format!("kube-apiserver {version}")
            }),
        ]
    }

    fn start(&self) -> (Host, Cluster, Logs) {
        let cluster = self.cluster.as_ref().and_then(|_| Cluster::real());
        let logs = self.logs.as_ref().and_then(|_| Logs::real());
        (
            self.host.clone().unwrap_or_else(Host::stand_in),
            cluster.unwrap_or_else(Cluster::stand_in),
            logs.unwrap_or_else(Logs::stand_in),
        )
    }
}

/// Waits until there are `count` rows.
fn collect(
    host: &mut Process,
    interrupted: &AtomicBool,
    count: usize,
    rows: impl Fn() -> Vec<Value>,
) -> Result<Vec<Value>, String> {
    let deadline = Instant::now() + LIMIT;
    loop {
        let found = rows();
        if found.len() >= count {
            return Ok(found);
        }
        if interrupted.load(Ordering::Relaxed) {
            return Err("interrupted".to_owned());
        }
        if host.ended().is_some() {
            return Err(format!("the host ended:\n{}", host.last_lines(LAST_LINES)));
        }
        if Instant::now() > deadline {
            let (found, log) = (found.len(), host.last_lines(LAST_LINES));
            return Err(format!("only {found} of {count} rows can be queried; the host says:\n{log}"));
        }
        std::thread::sleep(Duration::from_millis(100));
    }
}

fn show(shop: &Shop, lines: &[Value], events: &[Value]) {
    let plain = std::env::var_os("NO_COLOR").is_some() || !io::stdout().is_terminal();
    let width = table::terminal_width();
    let mut table = Table::new(&["NAMESPACE", "POD", "CONTAINER", "WORKLOAD", "LABELS", "MESSAGE"]);
    for row in lines {
        table.push(shop.cells_of_a_line(row));
    }
    println!("\nContainer logs, as {} rows:\n\n{}", lines.len(), table.render(width, plain));
    let mut table = Table::new(&["NAMESPACE", "OBJECT", "TYPE", "REASON", "COUNT", "MESSAGE"]);
    for row in events {
        table.push(shop.cells_of_an_event(row));
    }
    print!("Kubernetes Events, as {} rows:\n\n{}", events.len(), table.render(width, plain));
}

/// Remembers Ctrl-C and SIGTERM instead of dying of them, so that everything is cleaned up.
fn watch_for_signals() -> Arc<AtomicBool> {
    use tokio::signal::unix::{SignalKind, signal};
    let interrupted = Arc::new(AtomicBool::new(false));
    let seen = Arc::clone(&interrupted);
    let (ready, is_ready) = std::sync::mpsc::channel();
    let listen = move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let mut interrupt = signal(SignalKind::interrupt()).expect("SIGINT can be watched");
            let mut terminate = signal(SignalKind::terminate()).expect("SIGTERM can be watched");
            let _ = ready.send(());
            tokio::select! { _ = interrupt.recv() => {}, _ = terminate.recv() => {} }
            seen.store(true, Ordering::Relaxed);
            // A second one is for those who can't wait; the watchers of the servers clean up then.
            tokio::select! { _ = interrupt.recv() => {}, _ = terminate.recv() => {} }
            #[allow(clippy::disallowed_methods, reason = "a program of its own, asked twice to end")]
            std::process::exit(130);
        });
    };
    std::thread::Builder::new().name("signals".into()).spawn(listen).expect("a thread starts");
    let _ = is_ready.recv();
    interrupted
}
