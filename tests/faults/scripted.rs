//! Troubles that the scripted API server plays.

use std::{fs, sync::Mutex, thread, time::Duration};

use flb_kube_testing::apiserver::{ApiServer, Fault, Verb};

use crate::beats::{Heart, POD, host, now, pod, trouble};

/// A trouble: how it begins.
struct Case {
    name: &'static str,
    strike: Box<dyn Fn(&ApiServer) + Send>,
}

fn case(name: &'static str, strike: impl Fn(&ApiServer) + Send + 'static) -> Case {
    Case { name, strike: Box::new(strike) }
}

/// Every request meets this.
fn always(name: &'static str, fault: Fault) -> Case {
    case(name, move |server| {
        for verb in [Verb::List, Verb::Watch, Verb::Get] {
            server.script(verb, "pods", usize::MAX, fault.clone());
        }
        server.cut();
    })
}

/// The watch meets this, and the list is good.
fn on_watch(name: &'static str, fault: Fault) -> Case {
    case(name, move |server| {
        server.script(Verb::Watch, "pods", usize::MAX, fault.clone());
        server.cut();
    })
}

fn cases() -> Vec<Case> {
    vec![
        case("away", |server| server.set_down(true)),
        always("accepts and never answers", Fault::Stall),
        always("stalls within its answers", Fault::StallAfter(40)),
        always("breaks off", Fault::Cut(40)),
        always("ends too early", Fault::Truncate(40)),
        always("slow", Fault::Slow(Duration::from_secs(3))),
        always("401", Fault::Status(401)),
        always("403", Fault::Status(403)),
        always("410", Fault::Status(410)),
        always("429", Fault::TooMany(1)),
        always("500", Fault::Status(500)),
        on_watch("401 on watch", Fault::Status(401)),
        on_watch("403 on watch", Fault::Status(403)),
        on_watch("410 on watch", Fault::Status(410)),
        on_watch("410 in the watch", Fault::in_stream(410, "Expired")),
        on_watch("429 on watch", Fault::TooMany(1)),
        on_watch("500 in the watch", Fault::in_stream(500, "InternalError")),
        on_watch("no JSON in the watch", Fault::Line("{\"type\":".into())),
    ]
}

fn api(server: &ApiServer) -> String {
    format!("    Kube_URL {}\n    Kube_Token_File none\n", server.url())
}

/// Works through `cases` some at a time.
fn each(cases: Vec<Case>, play: impl Fn(&Case) + Sync) {
    let queue = Mutex::new(cases.into_iter());
    thread::scope(|scope| {
        let work = || {
            loop {
                let next = queue.lock().unwrap().next();
                let Some(case) = next else { return };
                play(&case);
            }
        };
        let sides: Vec<_> = (0..3).map(|_| scope.spawn(work)).collect();
        for side in sides {
            side.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        }
    });
}

#[test]
fn line_21_through_every_trouble_of_the_api_records_pass_and_keep_what_was_last_known_and_the_end_is_quick() {
    each(cases(), |case| {
        let server = ApiServer::start();
        server.put(pod("shop", "blue"));
        let mut heart = Heart::start(case.name, &host(), "shop", &api(&server));
        heart.wait_for(Some("blue"));
        let before = heart.pulse(Some("blue"), trouble());
        (case.strike)(&server);
        let within = heart.pulse(Some("blue"), trouble());
        server.heal();
        server.set_down(false);
        server.cut();
        server.put(pod("shop", "green"));
        heart.wait_for(Some("green"));
        (case.strike)(&server);
        let asked = server.requests().len();
        if case.name != "away" {
            heart.wait("a request that meets the trouble", || server.requests().len() > asked);
        }
        heart.ends(before, within);
    });
}

#[test]
fn line_4_a_label_edit_shows_in_records_within_a_second() {
    let server = ApiServer::start();
    server.put(pod("shop", "blue"));
    let mut heart = Heart::start("label edits", &host(), "shop", &api(&server));
    heart.wait_for(Some("blue"));
    let edits: Vec<Duration> = (0..5)
        .map(|edit| {
            let team = format!("team-{edit}");
            let before = now();
            server.put(pod("shop", &team));
            heart.first(&team).saturating_sub(before)
        })
        .collect();
    println!("label edits showed after {edits:?}");
    // A busy machine may delay one, hardly all.
    assert!(edits.iter().min() <= Some(&Duration::from_secs(1)), "{edits:?}");
}

#[test]
fn a_server_that_never_answers_from_the_start_holds_up_neither_records_nor_the_end() {
    let server = ApiServer::start();
    server.put(pod("shop", "blue"));
    server.script(Verb::List, "pods", usize::MAX, Fault::Stall);
    let wait = format!("{}    Wait_For_Sync 1s\n", api(&server));
    let mut heart = Heart::start("stalled from the start", &host(), "shop", &wait);
    heart.wait_for(None);
    let before = heart.pulse(None, trouble());
    heart.wait("a list", || server.count(Verb::List, "pods") > 0);
    server.heal();
    server.cut();
    heart.wait_for(Some("blue"));
    server.script(Verb::Watch, "pods", usize::MAX, Fault::Stall);
    server.cut();
    let within = heart.pulse(Some("blue"), trouble());
    heart.ends(before, within);
}

#[test]
fn line_19_a_token_that_is_rotated_is_taken_up_under_way() {
    let folder = tempfile::tempdir().unwrap();
    let token = folder.path().join("token");
    fs::write(&token, "first").unwrap();
    let server = ApiServer::start();
    server.require_token("first");
    server.put(pod("shop", "blue"));
    let api = format!("    Kube_URL {}\n    Kube_Token_File {}\n", server.url(), token.display());
    let mut heart = Heart::start("token rotated", &host(), "shop", &api);
    heart.wait_for(Some("blue"));
    let before = heart.pulse(Some("blue"), trouble());
    server.require_token("second");
    server.cut();
    let within = heart.pulse(Some("blue"), trouble());
    fs::write(&token, "second").unwrap();
    server.put(pod("shop", "green"));
    heart.wait_for(Some("green"));
    heart.ends(before, within);
}

#[test]
fn a_pod_deleted_while_the_server_was_away_stays_known_through_the_new_list() {
    let server = ApiServer::start();
    server.put(pod("shop", "blue"));
    let mut heart = Heart::start("deleted unseen", &host(), "shop", &api(&server));
    heart.wait_for(Some("blue"));
    let before = heart.pulse(Some("blue"), trouble());
    server.set_down(true);
    assert!(server.delete("pods", "shop", POD));
    server.compact();
    let lists = server.count(Verb::List, "pods");
    server.set_down(false);
    heart.wait("a list without it", || server.count(Verb::List, "pods") > lists);
    let within = heart.pulse(Some("blue"), trouble());
    assert_eq!(server.count(Verb::Get, "pods"), 0, "a pod that is known is not asked for");
    heart.ends(before, within);
}
