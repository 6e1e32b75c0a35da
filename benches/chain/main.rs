//! Whole chains beside each other, on the same lines and into a real VictoriaLogs: the floor that `tail` alone costs, the
//! built-in chain, vlagent's Kubernetes collector, ours.
//!
//! Counted are the CPU time of the whole process from its start to its end, its peak memory, what it sent, and the CPU
//! time of the VictoriaLogs that took it. A chain whose rows are not exactly the lines ends the bench. Each round runs
//! every chain once, and a ratio is of one round, so that a change of the machine's speed meets all; the table has
//! medians over the rounds. Prints the table of the README and leaves all numbers in `target/bench.json`.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a bench that can't go on fails")]

mod agent;
mod measure;

use std::{env, fs, path::Path};

use agent::{CHAINS, Chain, Place};
use flb_kube_testing::{
    root,
    servers::{find, fluent_bit, version, victoria_logs::VictoriaLogs},
};
use measure::Usage;

const DEFAULT_LINES: usize = 500_000;
const DEFAULT_ROUNDS: usize = 3;
const FILES: [usize; 2] = [1, 110];

fn main() {
    if env::args().any(|argument| argument == "--test" || argument == "--list") {
        return; // cargo test looks at benches too
    }
    let Some(host) = fluent_bit::programs().into_iter().next() else {
        println!("chain: no fluent-bit here (FLUENT_BIT, PATH, /opt/fluent-bit*/bin): nothing to compare");
        return;
    };
    let Some(logs) = VictoriaLogs::program() else {
        println!("chain: no victoria-logs here (make servers): nothing to ship to");
        return;
    };
    let vlagent = find("VLAGENT", "vlagent");
    let number = |key: &str, default| env::var(key).ok().and_then(|n| n.parse().ok()).unwrap_or(default);
    let (lines, rounds) = (number("BENCH_LINES", DEFAULT_LINES), number("BENCH_ROUNDS", DEFAULT_ROUNDS));
    let text = env::var("BENCH_TEXT").is_ok();
    println!(
        "{lines} {} lines, {rounds} rounds; Fluent Bit {}, VictoriaLogs {}, vlagent {}\n",
        if text { "text" } else { "JSON" },
        fluent_bit::version(&host),
        VictoriaLogs::version(&logs),
        vlagent.as_ref().map_or("missing".to_owned(), |program| version(program, "-version")),
    );
    let place = Place::new(host, logs, vlagent, lines, text);
    println!("{HEAD}");
    let mut results = Vec::new();
    for files in FILES {
        let folder = place.write_logs(files);
        let chains: Vec<&Chain> = CHAINS.iter().filter(|chain| place.can(chain)).collect();
        let mut runs: Vec<Vec<Usage>> = chains.iter().map(|_| Vec::new()).collect();
        for _ in 0..rounds {
            for (chain, runs) in chains.iter().zip(&mut runs) {
                runs.push(place.run(chain, &folder, files));
            }
        }
        for (chain, own) in chains.iter().zip(&runs) {
            let row =
                Row { chain, files, lines, runs: own, floor: &runs[0], rival: rival(chain, &chains, &runs) };
            println!("{row}");
            results.push(row.json());
        }
        fs::remove_dir_all(folder).unwrap();
    }
    let json = serde_json::to_string_pretty(&results).unwrap();
    fs::write(root().join("target/bench.json"), json + "\n").unwrap();
}

/// The runs of the built-in chain that does the same as `chain`.
fn rival<'r>(chain: &Chain, chains: &[&Chain], runs: &'r [Vec<Usage>]) -> Option<&'r [Usage]> {
    let at = chains.iter().position(|other| Some(other.name) == chain.rival)?;
    Some(&runs[at])
}

const HEAD: &str = "\
| chain | files | CPU, s per million lines | to the floor | to the built-in | peak memory, MiB | bytes sent per line | \
CPU of VictoriaLogs, s per million |
|---|---|---|---|---|---|---|---|";

/// One line of the table.
struct Row<'r> {
    chain: &'r Chain,
    files: usize,
    lines: usize,
    runs: &'r [Usage],
    floor: &'r [Usage],
    rival: Option<&'r [Usage]>,
}

impl Row<'_> {
    fn median(&self, of: impl Fn(&Usage) -> f64) -> f64 {
        median(self.runs.iter().map(of))
    }

    /// The ratio of CPU to that of other runs of the same rounds.
    fn ratio(&self, others: &[Usage]) -> f64 {
        median(self.runs.iter().zip(others).map(|(own, other)| own.cpu / other.cpu))
    }

    fn per_million(&self, seconds: f64) -> f64 {
        seconds * 1e6 / self.lines as f64
    }

    fn json(&self) -> serde_json::Value {
        let all = |of: fn(&Usage) -> f64| self.runs.iter().map(of).collect::<Vec<_>>();
        serde_json::json!({
            "chain": self.chain.name, "files": self.files, "lines": self.lines,
            "cpu_s": all(|run| run.cpu), "peak_bytes": all(|run| run.peak as f64),
            "sent_bytes": all(|run| run.sent as f64), "server_cpu_s": all(|run| run.server_cpu),
        })
    }
}

impl std::fmt::Display for Row<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let when = |is: bool, text: String| if is { text } else { "–".to_owned() };
        let ships = self.chain.ships;
        write!(
            f,
            "| {} | {} | {:.2} | {:.1} | {} | {:.0} | {} | {} |",
            self.chain.name,
            self.files,
            self.per_million(self.median(|run| run.cpu)),
            self.ratio(self.floor),
            self.rival.map_or("–".to_owned(), |rival| format!("{:.2}", self.ratio(rival))),
            self.median(|run| run.peak as f64) / f64::from(1 << 20),
            when(ships, format!("{:.0}", self.median(|run| run.sent as f64) / self.lines as f64)),
            when(ships, format!("{:.2}", self.per_million(self.median(|run| run.server_cpu)))),
        )
    }
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Where a program or a folder lies, for a configuration.
fn shown(path: &Path) -> String {
    path.display().to_string()
}
