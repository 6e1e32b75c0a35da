//! Hot reload, time and again, while records come in.

use std::{
    collections::BTreeSet,
    fs::{self, OpenOptions},
    io::Write as _,
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
    time::Duration,
};

use flb_kube_testing::{
    host::{Holdings, Host, Running, each},
    scenery::{Scenery, TAG, service},
};

const RELOADS: usize = 20;
const OUTPUTS: usize = 2;
/// What each start of the pipeline says once.
const STARTED: &str = "records go there";
/// What a real host says that is asked too soon.
const BUSY: &str = "reloading in progress, aborting";

#[test]
fn twenty_reloads_under_load_lose_no_record_and_hold_on_to_nothing() {
    each(Host::since(2, 1, 0), |host| {
        let scenery = Scenery::new();
        let tail = "[INPUT]\n    Name tail\n    Tag kube.*\n    Path FOLDER/logs/*.log\n    multiline.parser cri\n    \
                    Read_from_Head on\n    DB FOLDER/tail.db\n    Refresh_Interval 1\n";
        let filter = scenery.filter("    Kube_Tag_Prefix PREFIX\n");
        let config =
            [service("info"), tail.into(), scenery.events("    DB FOLDER/events.db\n"), filter].concat();
        // One has workers of its own accord, one as the operator says.
        let asked = scenery.output("    Alias asked\n    Workers 3\n").replace("Match *", "Match none");
        let config = config + &scenery.output("    Retry_Limit no_limits\n") + &asked;
        let mut running = host.start(&config).run_with(|folder, text| {
            fs::create_dir(folder.join("logs")).unwrap();
            // The tag is the path with dots for slashes, and a host writes dots in a row once.
            let path = folder.display().to_string().replace('/', ".").replace("..", ".");
            text.replace("PREFIX", &format!("kube{path}.logs."))
        });
        running.wait_for_lines(STARTED, OUTPUTS);
        let (written, done) = (AtomicUsize::new(0), AtomicBool::new(false));
        let file = TAG.trim_start_matches("kube.var.log.containers.");
        let log = running.folder().join("logs").join(file);
        let held = std::thread::scope(|scope| {
            scope.spawn(|| {
                let mut file = OpenOptions::new().create(true).append(true).open(&log).unwrap();
                while !done.load(Ordering::Relaxed) {
                    let number = written.load(Ordering::Relaxed);
                    let now = k8s_openapi::jiff::Timestamp::now();
                    // In one write: a real `tail` that is stopped within a line forgets its beginning.
                    file.write_all(format!("{now:.9} stdout F line {number}\n").as_bytes()).unwrap();
                    written.store(number + 1, Ordering::Relaxed);
                    std::thread::sleep(Duration::from_millis(2));
                }
            });
            // It must end however the reloads do.
            let held =
                std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| reloads(&mut running, &scenery)));
            done.store(true, Ordering::Relaxed);
            held.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        });
        let written = written.load(Ordering::Relaxed);
        let delivered = running.comes(|_| messages(&scenery, "line ").len() == written);
        let there = messages(&scenery, "line ");
        let lost: Vec<_> = (0..written).filter(|number| !there.contains(&format!("line {number}"))).collect();
        assert!(delivered, "{}: lost {lost:?} of {written}\n{}", host.name, running.log());
        running.wait("all events are delivered", |_| messages(&scenery, "reload ").len() == RELOADS);
        let rows = scenery.sink.rows();
        let bare = rows.iter().filter(|row| row.message().starts_with("line "));
        let bare = bare.filter(|row| row.field("kubernetes.labels.team") != "blue").count();
        assert_eq!(bare, 0, "{}: lines without their pod's labels", host.name);
        running.stop();
        steady(host, &held);
    });
}

#[test]
fn a_reload_that_the_host_refuses_leaves_the_pipeline_as_it_was() {
    each(Host::since(2, 1, 0), |host| {
        let scenery = Scenery::new();
        let second = scenery.output("    Alias second\n    Extra_Fields via=second\n");
        let config = scenery.all() + &second;
        let mut running = host.start(&config).run();
        let via = |name: &str| scenery.sink.rows().iter().filter(|row| row.field("via") == name).count();
        running.wait("both outputs deliver", |_| via("") > 0 && via("second") > 0);
        let file = running.folder().join("fluent-bit.conf");
        fs::write(&file, config.replace("    Kube_Node_Name n1\n", "    Kube_Node_Nam n1\n")).unwrap();
        // Once only: after one that it refused, a real host takes no other.
        running.signal("HUP");
        running.wait("the reload is refused", |host| {
            host.count("Reloading is halted") + host.count("the new configuration is not taken") > 0
        });
        let before = (via(""), via("second"));
        running.wait("both outputs go on", |_| via("") > before.0 + 5 && via("second") > before.1 + 5);
        running.stop();
        assert_eq!(running.count("this is a defect"), 0, "{}: {}", host.name, running.log());
    });
}

/// Reloads while an event happens each time; answers what the host held after each.
fn reloads(running: &mut Running, scenery: &Scenery) -> Vec<Holdings> {
    let reload = |number: usize| {
        scenery.event(&format!("reload-{number}"), &format!("reload {number}"));
        let before = messages(scenery, "line ").len();
        let mut refused = running.count(BUSY);
        running.signal("HUP");
        running.wait("the next start", |host| {
            // The last reload goes on for a moment after its pipeline started.
            if host.count(BUSY) > refused {
                refused = host.count(BUSY);
                host.signal("HUP");
            }
            host.count(STARTED) >= (number + 2) * OUTPUTS
        });
        running.wait("lines flow again", |_| messages(scenery, "line ").len() > before);
        running.holdings()
    };
    (0..RELOADS).map(reload).collect()
}

/// The messages that begin so, each once.
fn messages(scenery: &Scenery, start: &str) -> BTreeSet<String> {
    let rows = scenery.sink.rows();
    rows.iter().map(|row| row.message().to_owned()).filter(|message| message.starts_with(start)).collect()
}

/// Compares the least of the last reloads with the most of early ones, when all caches are warm: threads come and go
/// with the work, and a busy machine keeps one or two of them for longer, but what is left behind once per reload adds
/// up to eight and more.
fn steady(host: &Host, held: &[Holdings]) {
    let (early, late) = (&held[3..8], &held[RELOADS - 5..]);
    let compare = |what: &str, of: fn(&Holdings) -> usize, slack: usize| {
        let (most, least) = (early.iter().map(of).max().unwrap_or(0), late.iter().map(of).min().unwrap_or(0));
        assert!(least <= most + slack, "{}: {what} grew from {most} to {least}: {held:?}", host.name);
    };
    compare("threads", |held| held.threads, 3);
    compare("descriptors", |held| held.descriptors, 3);
    compare("memory", |held| held.memory, 4096);
}
