//! The self-check at the start, and how often troubles are told: through hosts, against the real API server with RBAC
//! where it is built, and the scripted one.

#![allow(clippy::unwrap_used, clippy::panic, reason = "that is how a test fails")]

use std::path::Path;

use flb_kube_testing::{
    apiserver::{Fault, Verb},
    host::{FILTER, Host, Running, each},
    scenery::{STDOUT, Scenery, dummy, service},
    servers::{
        kubernetes::{Kubernetes, Programs},
        roster,
    },
};

/// The sentences about permissions that were told as warnings.
fn missing(running: &Running) -> Vec<String> {
    let log = running.log();
    let lines = log.lines().filter(|line| line.contains("warn") && line.contains("permissions: "));
    lines
        .filter_map(|line| line.split_once("permissions: "))
        .map(|(_, sentence)| sentence.to_owned())
        .collect()
}

const REVIEWS: &str = "selfsubjectaccessreviews";

#[test]
fn line_32_each_missing_permission_is_told_in_one_sentence_with_what_degrades() {
    each(Host::few(), |host| {
        let scenery = Scenery::new();
        for what in ["watch pods", "list namespaces", "watch namespaces", "get nodes"] {
            scenery.api.deny(what);
        }
        let filter = scenery.filter("    Namespace_Labels on\n    Wait_For_Sync 0\n");
        let config = [service("debug"), dummy("hello"), filter, STDOUT.into()].concat();
        let mut running = host.start(&config).plugins(&[FILTER]).run();
        running.wait("two sentences", |running| missing(running).len() >= 2);
        let said = missing(&running);
        assert_eq!(said.len(), 2, "{}: {said:?}", host.name);
        assert!(
            said[0].starts_with(
                "the agent may not watch pods in all namespaces, so pods that no list names are looked up"
            ),
            "{said:?}"
        );
        assert!(
            said[1].starts_with("the agent may not list and watch namespaces in all namespaces, so "),
            "{said:?}"
        );
        assert!(said.iter().all(|sentence| sentence.contains("grant it to")), "{said:?}");
        running.stop();
    });
}

#[test]
fn a_check_that_is_off_or_not_answered_is_silent() {
    let host = Host::stand_in("5.1.1");
    let scenery = Scenery::new();
    scenery.api.deny("list pods");
    scenery.api.script(Verb::Create, REVIEWS, 1, Fault::Status(503));
    scenery.api.script(Verb::Create, REVIEWS, 1, Fault::Status(404));
    let config =
        |more: &str| [service("debug"), dummy("hello"), scenery.filter(more), STDOUT.into()].concat();
    let mut running = host.start(&config("")).plugins(&[FILTER]).run();
    running.wait_for_lines("does not tell what is granted", 1);
    assert_eq!(missing(&running), Vec::<String>::new());
    running.stop();
    assert_eq!(scenery.api.count(Verb::Create, REVIEWS), 2);
    let mut running = host.start(&config("    Self_Check off\n")).plugins(&[FILTER]).run();
    running.wait_for_lines("hello", 3);
    running.stop();
    assert_eq!(scenery.api.count(Verb::Create, REVIEWS), 2);
}

#[test]
fn what_the_real_api_server_grants_is_told_as_it_is() {
    let name = "self-check";
    let Some(programs) = Programs::find() else {
        return roster::skipped(name, "no etcd and kube-apiserver: make servers builds them, with Go");
    };
    let (etcd, apiserver) = programs.versions();
    roster::real("etcd", &etcd);
    roster::real("kube-apiserver", &apiserver);
    let kubernetes = Kubernetes::start(&programs);
    let config = |token: &Path| {
        let (url, ca) = (kubernetes.api().url().to_owned(), kubernetes.ca_file());
        let filter = format!(
            "[FILTER]\n    Name kube\n    Match kube.*\n    Kube_URL {url}\n    Kube_Node_Name n1\n    Kube_CA_File {}\n    \
             Kube_Token_File {}\n    Namespace_Labels on\n    Node_Labels on\n    Wait_For_Sync 0\n",
            ca.display(),
            token.display()
        );
        [service("debug"), dummy("hello"), filter, STDOUT.into()].concat()
    };
    let (reader, nobody) = (config(&kubernetes.reader_token_file()), config(&kubernetes.nobody_token_file()));
    each(Host::few(), |host| {
        let mut running = host.start(&reader).plugins(&[FILTER]).run();
        running.wait("the nodes' sentence", |running| !missing(running).is_empty());
        let said = missing(&running);
        assert_eq!(said.len(), 1, "{}: {said:?}", host.name);
        assert!(
            said[0].starts_with("the agent may not get, list and watch nodes in all namespaces"),
            "{said:?}"
        );
        running.stop();

        let mut running = host.start(&nobody).plugins(&[FILTER]).run();
        running.wait("four sentences", |running| missing(running).len() >= 4);
        let said = missing(&running);
        assert_eq!(said.len(), 4, "{}: {said:?}", host.name);
        for what in
            ["list and watch pods", "get pods", "list and watch namespaces", "get, list and watch nodes"]
        {
            assert!(
                said.iter().any(|sentence| sentence.contains(&format!("may not {what} in"))),
                "{what}: {said:?}"
            );
        }
        running.stop();
    });
}

#[test]
fn line_32_a_trouble_that_records_or_retries_repeat_is_told_once_a_minute() {
    each(Host::few(), |host| {
        let scenery = Scenery::new();
        // Two troubles that take turns.
        for _ in 0..2 {
            scenery.api.script(Verb::List, "pods", 1, Fault::Status(500));
            scenery.api.script(Verb::List, "pods", 1, Fault::Status(403));
        }
        let strange = |n: usize| {
            format!(
                "[INPUT]\n    Name dummy\n    Tag strange.{n}\n    Rate 10\n    Dummy {{\"log\":\"of tag {n}.\"}}\n"
            )
        };
        let inputs: String = (0..12).map(strange).collect();
        let filter = scenery.filter("    Wait_For_Sync 0\n").replace("Match kube.*", "Match *");
        let config = [service("info"), inputs, filter, STDOUT.into()].concat();
        let mut running = host.start(&config).plugins(&[FILTER]).run();
        scenery.api.wait_for(Verb::Watch, "pods", 1);
        running.wait("records of every tag", |running| {
            let log = running.log();
            (0..12).all(|n| log.matches(&format!("of tag {n}.")).count() > 2)
        });
        for (text, times) in [("names no pod", 1), ("list failed", 2)] {
            assert_eq!(running.count(text), times, "{}: {text}\n{}", host.name, running.log());
        }
        running.stop();
    });
}
