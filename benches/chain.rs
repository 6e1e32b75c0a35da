//! The built-in chain beside ours, in a real `fluent-bit`, on the same file: CPU of the whole process, as a ratio.
//!
//! Runs alternate, so that a change of the machine's speed meets both; the spread of the ratios is the noise. The
//! host is found as the tests find it. Without one the bench says so and ends. Results: `target/bench.json`.

use std::{
    env, fmt, fs,
    io::{self, Read as _, Write as _},
    net::{TcpListener, TcpStream},
    path::Path,
    process::{Command, Stdio},
    thread,
};

use flb_kube_testing::servers::fluent_bit;

const DEFAULT_LINES: usize = 500_000;
const DEFAULT_RUNS: usize = 5;
const CONTAINER: &str = "web-7d9f8c6b5-x2x4z_shop_nginx-";
const PREFIX: &str = "kube.var.log.containers.";
const CLOCK_TICKS: f64 = 100.0; // of /proc/self/stat, on every Linux that Fluent Bit ships for

fn main() -> io::Result<()> {
    if env::args().any(|argument| argument == "--test" || argument == "--list") {
        return Ok(()); // cargo test looks at benches too
    }
    let hosts = fluent_bit::programs();
    if hosts.is_empty() {
        println!("chain: no fluent-bit here (FLUENT_BIT, PATH, /opt/fluent-bit*/bin): nothing to compare");
        return Ok(());
    }
    let number = |key: &str, default| env::var(key).ok().and_then(|n| n.parse().ok()).unwrap_or(default);
    let bench = Bench {
        folder: tempfile::tempdir()?,
        lines: number("BENCH_LINES", DEFAULT_LINES),
        runs: number("BENCH_RUNS", DEFAULT_RUNS),
        server: discard()?,
    };
    bench.prepare()?;
    println!(
        "{} lines a run, {} runs of each, in turn; CPU seconds of the whole process",
        bench.lines, bench.runs
    );
    let only: Vec<String> = env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    let mut results = Vec::new();
    for host in &hosts {
        let version = fluent_bit::version(host);
        for case in CASES.iter().filter(|case| only.iter().all(|word| case.name.contains(word))) {
            let result = bench.compare(host, case)?;
            println!("fluent-bit {version}  {:<36} {result}", case.name);
            results.push(serde_json::json!({
                "fluent_bit": version, "case": case.name, "lines": bench.lines,
                "built_in_cpu_s": result.theirs, "our_cpu_s": result.ours, "ratio": result.ratios,
            }));
        }
    }
    let json = serde_json::to_string_pretty(&results)?;
    fs::write(Path::new(env!("CARGO_MANIFEST_DIR")).join("target/bench.json"), json + "\n")
}

/// One chain: from which file, read how, through which filter, to which output.
struct Chain {
    file: &'static str,
    /// Further lines of the input.
    input: &'static str,
    filter: &'static str,
    output: &'static str,
}

/// What is compared.
struct Case {
    name: &'static str,
    theirs: Chain,
    ours: Chain,
    /// A chain without the step that the case is about: what both cost beyond it is compared.
    without: Option<Chain>,
}

const NULL: &str = "    Name null\n";
const PARSER: &str = "    Parser json\n";
const CRI_TIME: &str = "2026-11-20T10:00:00.123456789Z";
const CRI: &str = "    multiline.parser cri\n";

const fn chain(file: &'static str, input: &'static str, filter: &'static str) -> Chain {
    Chain { file, input, filter, output: NULL }
}

const CASES: &[Case] = &[
    Case {
        name: "filter, text",
        theirs: chain("text.log", "", "    Name kubernetes\n"),
        ours: chain("text.log", "", "    Name kube\n"),
        without: None,
    },
    Case {
        name: "filter, JSON merged",
        theirs: chain("json.log", PARSER, "    Name kubernetes\n    Merge_Log on\n"),
        ours: chain("json.log", PARSER, "    Name kube\n    Merge_Log on\n"),
        without: None,
    },
    Case {
        name: "CRI lines with JSON, parsed and merged",
        theirs: chain("cri.log", CRI, "    Name kubernetes\n    Merge_Log on\n    Keep_Log off\n"),
        ours: chain("cri.log", "", "    Name kube\n    cri on\n    Merge_Log on\n    Keep_Log off\n"),
        without: None,
    },
    Case {
        name: "the step from CRI lines to records",
        theirs: chain("cri.log", CRI, "    Name kube\n"),
        ours: chain("cri.log", "", "    Name kube\n    cri on\n"),
        without: Some(chain("cri.log", "", "    Name kube\n")),
    },
    Case {
        name: "filter and output, text",
        theirs: Chain {
            file: "text.log",
            input: "",
            filter: "    Name kubernetes\n",
            output: "    Name http\n    Host 127.0.0.1\n    Port {port}\n    uri /insert/jsonline\n    format \
                     json_lines\n    json_date_format iso8601\n    compress gzip\n    workers 1\n",
        },
        ours: Chain {
            file: "text.log",
            input: "",
            filter: "    Name kube\n",
            output: "    Name victorialogs\n    url http://127.0.0.1:{port}\n    threads 1\n",
        },
        without: None,
    },
];

struct Bench {
    folder: tempfile::TempDir,
    lines: usize,
    runs: usize,
    server: u16,
}

/// CPU seconds and their ratios ours / theirs, each as minimum, median, maximum.
struct Comparison {
    theirs: [f64; 3],
    ours: [f64; 3],
    ratios: [f64; 3],
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [least, median, most] = self.ratios;
        write!(
            f,
            "built-in {:.2}  ours {:.2}  ratio {median:.2} ({least:.2} to {most:.2})",
            self.theirs[1], self.ours[1]
        )
    }
}

impl Bench {
    /// Writes the log files, the pod that both filters know, and the three names of the plugins.
    fn prepare(&self) -> io::Result<()> {
        let folder = self.folder.path();
        let text = "10.0.0.1 - - [20/Nov/2026:10:00:00 +0000] \"GET /cart/items HTTP/1.1\" 200 1234 \"-\" \"curl/8\" 12ms";
        let json = r#"{"time":"2026-11-21T14:30:00.123456789Z","level":"info","msg":"request served","status":200,"took":0.0123,"http":{"method":"GET","path":"/v1/carts/4711","host":"shop.example"},"user":"u-1a","ok":true}"#;
        let lines = [
            ("text.log", format!("{text}\n")),
            ("json.log", format!("{}\n", serde_json::json!({"log": json}))),
            ("cri.log", format!("{CRI_TIME} stdout F {json}\n")),
        ];
        for (name, line) in lines {
            fs::write(folder.join(name), line.repeat(self.lines))?;
            fs::write(folder.join(format!("few-{name}")), line.repeat(10))?;
        }
        fs::write(folder.join("token"), "token")?;
        fs::write(folder.join("parsers.conf"), "[PARSER]\n    Name json\n    Format json\n")?;
        let labels: Vec<String> =
            (0..10).map(|n| format!("\"app.kubernetes.io/label-{n}\":\"some-value-{n}\"")).collect();
        let annotations: Vec<String> = (0..5)
            .map(|n| format!("\"example.com/annotation-{n}\":\"a rather longer annotation value {n}\""))
            .collect();
        let pod = format!(
            r#"{{"metadata":{{"name":"web-7d9f8c6b5-x2x4z","namespace":"shop","uid":"5c9d7d9e-1c1f-4d5e-9b1a-0123456789ab",
            "labels":{{{}}},"annotations":{{{}}}}},"spec":{{"nodeName":"node-1"}},"status":{{"podIP":"10.0.0.7",
            "containerStatuses":[{{"name":"nginx","image":"nginx:1.27","imageID":"docker.io/nginx@sha256:{}",
            "containerID":"containerd://{}"}}]}}}}"#,
            labels.join(","),
            annotations.join(","),
            "a".repeat(64),
            "0".repeat(64),
        );
        fs::write(folder.join("shop_web-7d9f8c6b5-x2x4z.meta"), pod)?;
        let built = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/release/libflb_kube.so");
        for name in ["flb-filter_kube.so", "out_victorialogs.so"] {
            std::os::unix::fs::symlink(&built, folder.join(name))?;
        }
        Ok(())
    }

    fn compare(&self, host: &Path, case: &Case) -> io::Result<Comparison> {
        let (theirs, ours) = (self.records(host, &case.theirs)?, self.records(host, &case.ours)?);
        if theirs.is_empty() || theirs != ours {
            let first = |records: &[serde_json::Value]| records.first().map(ToString::to_string);
            let (theirs, ours) = (first(&theirs), first(&ours));
            return Err(io::Error::other(format!("{}: {theirs:?} is not {ours:?}", case.name)));
        }
        let (mut theirs, mut ours) = (Vec::new(), Vec::new());
        for run in 0..=self.runs {
            let without = case.without.as_ref().map_or(Ok(0.0), |chain| self.run(host, chain))?;
            let their = self.run(host, &case.theirs)? - without;
            let our = self.run(host, &case.ours)? - without;
            if run > 0 {
                theirs.push(their); // the first of each warms up
                ours.push(our);
            }
        }
        let ratios = ours.iter().zip(&theirs).map(|(our, their)| our / their).collect();
        Ok(Comparison { theirs: spread(theirs), ours: spread(ours), ratios: spread(ratios) })
    }

    /// One run to the end of the file; its CPU seconds.
    fn run(&self, host: &Path, chain: &Chain) -> io::Result<f64> {
        let before = children_cpu()?;
        let mut command = self.command(host, chain, chain.file, chain.output)?;
        let ended = command.stdout(Stdio::null()).status()?;
        if !ended.success() {
            return Err(io::Error::other(format!("{} ended with {ended}", host.display())));
        }
        Ok(children_cpu()? - before)
    }

    /// What a chain makes of a few lines, as the host prints it; the built-in multiline parser leaves the mark of a
    /// whole line and its time in the record, which are left out here.
    fn records(&self, host: &Path, chain: &Chain) -> io::Result<Vec<serde_json::Value>> {
        let output = "    Name stdout\n    Format json_lines\n    json_date_format double\n";
        let file = format!("few-{}", chain.file);
        let printed = self.command(host, chain, &file, output)?.arg("-q").output()?.stdout;
        let read = |line| serde_json::from_str::<serde_json::Value>(line).ok();
        let mut records: Vec<_> = String::from_utf8_lossy(&printed).lines().filter_map(read).collect();
        for record in records.iter_mut().filter_map(|record| record.as_object_mut()) {
            record.remove("_p");
            record.retain(|key, value| key != "time" || value != CRI_TIME);
            // Without a time in the line it is that of reading.
            record
                .remove("date")
                .filter(|_| chain.file == "cri.log")
                .map(|date| record.insert("date".into(), date));
        }
        Ok(records)
    }

    fn command(&self, host: &Path, chain: &Chain, file: &str, output: &str) -> io::Result<Command> {
        let folder = self.folder.path().display();
        let Chain { input, filter, .. } = chain;
        let output = output.replace("{port}", &self.server.to_string());
        let config = format!(
            "[SERVICE]\n    Flush 1\n    Grace 60\n    Log_Level error\n    Parsers_File {folder}/parsers.conf\n\
             [INPUT]\n    Name tail\n    Tag {PREFIX}{CONTAINER}{id}.log\n    Path {folder}/{file}\n{input}    \
             read_from_head on\n    exit_on_eof on\n\
             [FILTER]\n    Match *\n    kube_meta_preload_cache_dir {folder}\n    kube_url http://127.0.0.1:1\n    \
             kube_token_file {folder}/token\n{filter}[OUTPUT]\n    Match *\n{output}",
            id = "0".repeat(64),
        );
        let path = self.folder.path().join("fluent-bit.conf");
        fs::write(&path, config)?;
        let mut command = Command::new(host);
        for plugin in ["flb-filter_kube.so", "out_victorialogs.so"] {
            command.arg("-e").arg(self.folder.path().join(plugin));
        }
        command.arg("-c").arg(&path).env("NODE_NAME", "node-1").stderr(Stdio::null());
        Ok(command)
    }
}

/// CPU seconds of all children that ended.
fn children_cpu() -> io::Result<f64> {
    let stat = fs::read_to_string("/proc/self/stat")?;
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    // After the name: user and system ticks of waited-for children are the 14th and 15th.
    let ticks = |at: usize| fields.get(at).and_then(|n| n.parse::<f64>().ok()).unwrap_or(0.0);
    Ok((ticks(13) + ticks(14)) / CLOCK_TICKS)
}

fn spread(mut values: Vec<f64>) -> [f64; 3] {
    values.sort_by(f64::total_cmp);
    [values[0], values[values.len() / 2], values[values.len() - 1]]
}

/// A server that reads requests and answers 204, so that only the sender's cost counts.
fn discard() -> io::Result<u16> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let port = listener.local_addr()?.port();
    thread::Builder::new().spawn(move || {
        for stream in listener.incoming().filter_map(Result::ok) {
            let _ = thread::Builder::new().spawn(move || swallow(stream));
        }
    })?;
    Ok(port)
}

fn swallow(mut stream: TcpStream) -> io::Result<()> {
    let mut buffer = vec![0; 1 << 20];
    let mut head = Vec::new();
    loop {
        let read = stream.read(&mut buffer)?;
        if read == 0 {
            return Ok(());
        }
        head.extend_from_slice(&buffer[..read]);
        let Some(end) = head.windows(4).position(|w| w == b"\r\n\r\n") else { continue };
        let text = String::from_utf8_lossy(&head[..end]).to_ascii_lowercase();
        let length =
            text.lines().find_map(|line| line.strip_prefix("content-length:")?.trim().parse::<usize>().ok());
        let mut left = length.unwrap_or(0).saturating_sub(head.len() - end - 4);
        while left > 0 {
            left -= stream.read(&mut buffer)?.min(left);
        }
        head.clear();
        stream.write_all(b"HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n")?;
    }
}
