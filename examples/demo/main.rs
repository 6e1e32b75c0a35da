//! The demo: container logs of a small shop, through a host, the three plugins and VictoriaLogs, shown as a table.
//!
//! `make demo` runs it. Every part is real where this machine has it, else its stand-in; the last lines say which.
//! What it started ends with it, also on Ctrl-C.

#[allow(dead_code, reason = "the end-to-end tests use more of it")]
#[path = "../../tests/support/rig/mod.rs"]
mod rig;
mod shop;
mod table;

use std::{
    io::{self, IsTerminal as _, Write as _},
    process::ExitCode,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use rig::{
    cluster::Cluster,
    config::Config,
    host::Host,
    logs::Logs,
    node::Node,
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
    let host = Host::real().pop().unwrap_or_else(Host::stand_in);
    let parts = parts(&host);
    println!("Starting: {}", parts.iter().map(|part| part.name.as_str()).collect::<Vec<_>>().join(", "));
    let cluster = Cluster::real().unwrap_or_else(Cluster::stand_in);
    let logs = Logs::real().unwrap_or_else(Logs::stand_in);
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
        "\n{} lines in {} log files became {} rows, {} events became {}, {:.1} s after the host's start.",
        shop.lines(),
        shop.files(),
        lines.len(),
        shop.events(),
        events.len(),
        took.as_secs_f64()
    );
    for part in &parts {
        println!("  {:<8}  {}", if part.real { "real" } else { "stand-in" }, part.name);
    }
    let _ = io::stdout().flush();
    process.stop(Duration::from_secs(10));
    Ok(())
}

/// A part of the demo, as its last lines name it.
struct Part {
    real: bool,
    name: String,
}

fn parts(host: &Host) -> Vec<Part> {
    let host = match host {
        Host::Real(_) => Part { real: true, name: host.name() },
        Host::StandIn(_) => Part {
            real: false,
            name: "Fluent Bit: the test host (no fluent-bit in FLUENT_BIT, on PATH or in /opt/fluent-bit*)"
                .to_owned(),
        },
    };
    let logs = match VictoriaLogs::program() {
        Some(program) => {
            Part { real: true, name: format!("VictoriaLogs {}", VictoriaLogs::version(&program)) }
        }
        None => Part {
            real: false,
            name: "VictoriaLogs: the sink (no victoria-logs in VICTORIA_LOGS or on PATH)".to_owned(),
        },
    };
    let api = match Programs::find() {
        Some(programs) => Part { real: true, name: format!("kube-apiserver {}", programs.versions().1) },
        None => Part {
            real: false,
            name: "kube-apiserver: the scripted API server (make servers builds the real one)".to_owned(),
        },
    };
    vec![host, logs, api]
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
