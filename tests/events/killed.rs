//! Death at any point: the input runs in a process of its own, which is killed again and again.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use flb_kube::{
    options::Options,
    plugin::{Engine, Input, NotTaken, Wake},
    plugins::in_kube_events::{KubeEvents, KubeEventsOptions},
    runtime::{Owner, Tasks},
};
use flb_kube_testing::{
    apiserver::ApiServer,
    collecting::{DEADLINE, Record, event, records, versions},
};

const FOLDER: &str = "FLB_KUBE_TEST_FOLDER";
const SERVER: &str = "FLB_KUBE_TEST_SERVER";
const TAKEN: &str = "taken";

/// An engine that has taken a batch once it is a file in a folder, as with the host's storage on disk: whole or not
/// at all. The size of the last batch is in another file.
struct OnDisk {
    folder: PathBuf,
    count: usize,
}

impl Engine for OnDisk {
    fn append(&mut self, records: usize, data: &[u8]) -> Result<(), NotTaken> {
        fs::write(self.folder.join("last"), records.to_string()).map_err(|_| NotTaken)?;
        // Time to die in: whoever commits before the engine took the batch loses it here.
        std::thread::sleep(Duration::from_millis(5));
        let (written, taken) = (self.folder.join("written"), self.folder.join(TAKEN));
        fs::write(&written, data).map_err(|_| NotTaken)?;
        fs::rename(written, taken.join(format!("{:06}", self.count))).map_err(|_| NotTaken)?;
        self.count += 1;
        Ok(())
    }
}

/// Not a test but what the test below starts: it runs until it is killed.
#[test]
fn child_that_is_killed() {
    let (Ok(folder), Ok(server)) = (std::env::var(FOLDER), std::env::var(SERVER)) else { return };
    let folder = Path::new(&folder);
    let options = KubeEventsOptions::load(&|key| match key {
        "kube_url" => Some(server.clone()),
        "kube_token_file" | "kube_ca_file" => Some(String::new()),
        "kube_request_limit" => Some("50".into()),
        "db" => Some(folder.join("events.db").to_str().unwrap().into()),
        _ => None,
    });
    let tasks = Tasks::new(Owner { name: "input:kube_events:child".into(), level: 3 }).unwrap();
    let input = KubeEvents::start(options.unwrap(), tasks, Wake::new(|| ())).unwrap();
    fs::create_dir_all(folder.join(TAKEN)).unwrap();
    let count = fs::read_dir(folder.join(TAKEN)).unwrap().count();
    let mut engine = OnDisk { folder: folder.to_owned(), count };
    // It ends by itself if the parent can't end it.
    let deadline = Instant::now() + DEADLINE;
    while Instant::now() < deadline {
        input.collect(&mut engine);
        std::thread::sleep(Duration::from_millis(1));
    }
}

struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn child(folder: &Path, server: &ApiServer) -> Killed {
    let child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "killed::child_that_is_killed", "--quiet"])
        .env(FOLDER, folder)
        .env(SERVER, server.url())
        .stdout(Stdio::null())
        .spawn();
    Killed(child.unwrap())
}

fn taken(folder: &Path) -> Vec<Record> {
    let Ok(batches) = fs::read_dir(folder.join(TAKEN)) else { return Vec::new() };
    let mut batches: Vec<PathBuf> = batches.map(|batch| batch.unwrap().path()).collect();
    batches.sort();
    batches.iter().flat_map(|batch| records(&fs::read(batch).unwrap())).collect()
}

#[test]
fn an_input_that_is_killed_at_any_point_loses_nothing_and_repeats_little() {
    let (server, folder) = (ApiServer::start(), tempfile::tempdir().unwrap());
    let (rounds, batch) = (20, 100);
    server.put_all((0..1_000).map(|n| event(&format!("listed-{n:04}"), 1)));
    let mut under_way = 0;
    for round in 0..rounds {
        let before = taken(folder.path()).len();
        let running = child(folder.path(), &server);
        server.put_all((0..batch).map(|n| event(&format!("round-{round}-{n:03}"), 1)));
        // Somewhere between its first batch and its last one.
        let deadline = Instant::now() + DEADLINE;
        while taken(folder.path()).len() < before + 1 + round * 4 && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(1));
        }
        drop(running);
        let last = fs::read_to_string(folder.path().join("last")).unwrap();
        under_way += last.parse::<usize>().unwrap_or(1_000);
    }
    let total = 1_000 + rounds * batch;
    let last = child(folder.path(), &server);
    let deadline = Instant::now() + DEADLINE;
    while versions(&taken(folder.path())).len() < total {
        assert!(Instant::now() < deadline, "{} of {total}", versions(&taken(folder.path())).len());
        std::thread::sleep(Duration::from_millis(10));
    }
    drop(last);
    let taken = taken(folder.path());
    assert_eq!(versions(&taken).len(), total, "nothing is lost");
    let repeated = taken.len() - total;
    assert!(repeated <= under_way, "{repeated} repeated, {under_way} were in the last batches");
    println!("{repeated} of {total} repeated after {rounds} deaths; {under_way} were in the last batches");
}
