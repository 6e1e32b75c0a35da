//! One filter for many pods: a whole cluster's, of records that name their own, in one watch however many ask.

#![allow(clippy::unwrap_used, clippy::panic, reason = "that is how a test fails")]

use std::time::{Duration, Instant};

use flb_kube::kube::{store::LookupFor, watch::Node};
use flb_kube_testing::{
    apiserver::{ApiServer, Fault, Verb},
    filtering::{beside, bodies, bytes, chunk},
    host::{self, Host, each},
    servers::free_port,
    watching::{config, knows, pod, synced, wait},
};
use serde_json::{Value, json};

const ID: &str = "c9898099f6d235126d564ed38a020007ea7a6fac6e25e718de683c9dd0076c16";
const BY_POD: [(&str, &str); 3] =
    [("kube_scope", "cluster"), ("lookup_pod_key", "pod"), ("lookup_namespace_key", "ns")];

fn of(pod: &str) -> Value {
    json!({"log": "x", "ns": "shop", "pod": pod})
}

fn team(record: &Value) -> &str {
    record["kubernetes"]["labels"]["team"].as_str().unwrap_or_default()
}

/// A pod with a container of this id.
fn with_id(name: &str, team: &str, id: &str) -> Value {
    let mut pod = pod(name, "n1", team);
    pod["status"]["containerStatuses"][0]["containerID"] = json!(format!("containerd://{id}"));
    pod
}

/// The tag of the file that a kubelet makes for a container.
fn tag(pod: &str, namespace: &str, container: &str, id: &str) -> String {
    let name = format!("{pod}_{namespace}_{container}-{id}");
    format!("kube.var.log.containers.{}.log", &name[..name.len().min(251)])
}

#[test]
fn line_3_a_million_lines_of_300_containers_cost_one_list_and_one_watch() {
    let server = ApiServer::start();
    server.put_all((0..300).map(|number| pod(&format!("web-{number}"), "n1", "blue")));
    let filter = beside(&server.url(), &[]).unwrap();
    let lines = chunk(&vec![json!({"log": "a line", "stream": "stdout"}); 200]);
    let tags: Vec<_> = (0..300).map(|number| tag(&format!("web-{number}"), "shop", "main", ID)).collect();
    for round in 0..5_000 {
        let made = bytes(&filter, &tags[round % tags.len()], &lines);
        assert!(made.len() > lines.len(), "round {round}");
    }
    server.wait_for(Verb::Watch, "pods", 1);
    let asked: Vec<_> = server.requests().iter().map(|seen| seen.verb).collect();
    assert_eq!(asked, [Verb::List, Verb::Watch]);
}

#[test]
fn line_16_a_file_name_that_the_kubelet_cut_finds_its_pod_and_never_another() {
    let server = ApiServer::start();
    let (long, longer) = ("p".repeat(225), "q".repeat(244));
    server.put(with_id(&long, "red", ID));
    server.put(with_id(&longer, "green", ID));
    let twins = ["a", "b"].map(|end| "t".repeat(252) + end);
    twins.iter().for_each(|name| drop(server.put(with_id(name, "twin", ID))));
    let single = "s".repeat(253);
    server.put(with_id(&single, "blue", ID));
    let filter = beside(&server.url(), &[]).unwrap();
    let made = |pod: &str, namespace: &str| {
        bodies(&filter, &tag(pod, namespace, "main", ID), &[json!({"log": "x"})]).remove(0)
    };
    // In the container's id.
    let record = made(&long, "shop");
    assert_eq!((team(&record), &record["kubernetes"]["docker_id"]), ("red", &json!(ID)));
    assert_eq!(record["kubernetes"]["container_name"], "main");
    // In the namespace, and in the pod's name.
    for (pod, expected) in [(&longer, "green"), (&single, "blue")] {
        let record = made(pod, "shop");
        assert_eq!((team(&record), &record["kubernetes"]["pod_name"]), (expected, &json!(pod)));
        assert_eq!(record["kubernetes"]["namespace_name"], "shop");
    }
    // Two that may be meant are none; nor is one of another namespace.
    assert_eq!(made(&twins[0], "shop"), json!({"log": "x"}));
    let other = made(&long, "other");
    assert_eq!(team(&other), "");
    assert_eq!(other["kubernetes"]["namespace_name"], "other");
    // As soon as one of the two is gone for good the other is meant; here a third makes the one ambiguous.
    server.put(with_id(&("s".repeat(251) + "z"), "third", ID));
    wait("the third", || made(&single, "shop") == json!({"log": "x"}));
}

#[test]
fn line_16_tags_of_both_folders_lead_to_the_pod_behind_any_prefix_that_nobody_configured() {
    let server = ApiServer::start();
    let mut web = with_id("web-1", "blue", ID);
    web["metadata"]["uid"] = json!("22222222-2222-3333-4444-555555555555");
    server.put(web);
    let filter = beside(&server.url(), &[]).unwrap();
    for prefix in ["kube.", "nodes.k8s.", ""] {
        let containers = format!("{prefix}var.log.containers.web-1_shop_main-{ID}.log");
        let pods = format!("{prefix}var.log.pods.shop_web-1_22222222-2222-3333-4444-555555555555.main.0.log");
        for tag in [containers, pods] {
            let record = bodies(&filter, &tag, &[json!({"log": "x"})]).remove(0);
            assert_eq!(
                (team(&record), &record["kubernetes"]["container_name"]),
                ("blue", &json!("main")),
                "{tag}"
            );
        }
    }
}

#[test]
fn line_22_a_pod_of_5_mb_is_enriched_and_what_is_not_shown_takes_no_memory() {
    let server = ApiServer::start();
    let mut huge = pod("huge", "n1", "blue");
    let fields: Vec<_> =
        (0..50_000).map(|n| json!({"name": format!("V{n}"), "value": "x".repeat(80)})).collect();
    huge["spec"]["containers"][0]["env"] = fields.into();
    huge["metadata"]["managedFields"] = json!([{"fieldsV1": {"f:x": "\"[{\\".repeat(10_000)}}]);
    assert!(huge.to_string().len() > 5_000_000);
    server.put(huge.clone());
    let filter = beside(&server.url(), &BY_POD).unwrap();
    assert_eq!(team(&bodies(&filter, "any", &[of("huge")])[0]), "blue");
    huge["metadata"]["labels"]["team"] = json!("red");
    server.put(huge);
    wait("the edit, by the watch", || team(&bodies(&filter, "any", &[of("huge")])[0]) == "red");
}

#[test]
fn line_22_a_hundred_pods_take_less_than_a_megabyte_of_the_host() {
    each(Host::few(), |host| {
        let server = ApiServer::start();
        server.put(pod("last", "n1", "red"));
        let config = format!(
            "[SERVICE]\n    Flush 0.1\n    Grace 1\n[INPUT]\n    Name dummy\n    Rate 5\n    Tag any\n    Dummy {}\n\
             [FILTER]\n    Name kube\n    Match *\n    Kube_URL {}\n    Kube_Scope cluster\n    Lookup_Pod_Key pod\n    \
             Lookup_Namespace_Key $ns\n[OUTPUT]\n    Name stdout\n    Match *\n    Format json_lines\n",
            of("last"),
            server.url()
        );
        let mut running = host.start(&config).plugins(&[host::FILTER]).run();
        running.wait_for_lines("\"team\":\"red\"", 3);
        let before = running.holdings().memory;
        let with_env = |number: usize| {
            let mut pod = pod(&format!("web-{number}"), "n2", "blue");
            pod["spec"]["containers"][0]["env"] = json!([{"name": "A", "value": "x".repeat(20_000)}]);
            pod
        };
        server.put_all((0..1000).map(with_env).chain([pod("last", "n1", "green")]));
        running.wait_for_lines("\"team\":\"green\"", 1);
        let grown = running.holdings().memory.saturating_sub(before);
        assert!(grown < 10 << 10, "{}: {grown} KiB for 1000 pods", host.name);
        running.stop();
    });
}

#[test]
fn line_27_records_of_many_pods_in_a_chunk_each_gain_those_of_the_pod_that_they_name() {
    let server = ApiServer::start();
    server
        .put_all((0..500).map(|number| {
            with_id(&format!("web-{number}"), &format!("t{number}"), &format!("{number:064}"))
        }));
    let by_path = [
        ("kube_scope", "cluster"),
        ("lookup_pod_key", "$k['pod']"),
        ("lookup_namespace_key", "k.ns"),
        ("lookup_container_key", "$['c.name']"),
    ];
    let filter = beside(&server.url(), &by_path).unwrap();
    let record = |number: usize| json!({"log": "x", "k": {"ns": "shop", "pod": format!("web-{}", number * 7 % 500)}, "c.name": "main"});
    let records: Vec<_> = (0..2000).map(record).collect();
    for (number, made) in bodies(&filter, "any", &records).iter().enumerate() {
        let pod = number * 7 % 500;
        assert_eq!(team(made), format!("t{pod}"));
        assert_eq!(made["kubernetes"]["docker_id"], format!("{pod:064}"));
    }

    let by_id = [("kube_scope", "cluster"), ("lookup_container_id_key", "id")];
    let filter = beside(&server.url(), &by_id).unwrap();
    let records = [json!({"id": format!("containerd://{:064}", 7)}), json!({"id": ID}), json!({"log": 1})];
    let made = bodies(&filter, "any", &records);
    assert_eq!((team(&made[0]), &made[0]["kubernetes"]["container_name"]), ("t7", &json!("main")));
    assert_eq!(made[1..], records[1..], "what names no pod passes");
    assert_eq!(server.count(Verb::Get, "pods"), 0);
    assert_eq!(server.count(Verb::List, "pods"), 1, "the second filter asks the same watch");
}

#[test]
fn line_27_a_record_keeps_what_its_sender_knew_of_a_pod_that_is_not_known_here() {
    let server = ApiServer::start();
    let keys = [
        ("kube_scope", "cluster"),
        ("lookup_pod_key", "kubernetes.pod_name"),
        ("lookup_namespace_key", "kubernetes.namespace_name"),
    ];
    let filter = beside(&server.url(), &keys).unwrap();
    let sent =
        json!({"kubernetes": {"pod_name": "far", "namespace_name": "shop", "labels": {"team": "own"}}});
    let sent = std::slice::from_ref(&sent);
    assert_eq!(bodies(&filter, "any", sent), sent);
    server.put(pod("far", "n9", "ours"));
    wait("the pod", || team(&bodies(&filter, "any", sent)[0]) == "ours");
}

#[test]
fn line_27_in_node_scope_a_pod_that_a_record_names_and_no_list_has_is_looked_up() {
    let server = ApiServer::start();
    server.put(pod("far", "n2", "red"));
    let keys = [("lookup_pod_key", "pod"), ("lookup_namespace_key", "ns")];
    let filter = beside(&server.url(), &keys).unwrap();
    wait("the look-up", || team(&bodies(&filter, "any", &[of("far")])[0]) == "red");
    assert_eq!(server.count(Verb::Get, "pods"), 1);
}

#[test]
fn line_27_a_real_host_enriches_what_another_forwards_to_it() {
    for host in Host::real() {
        let server = ApiServer::start();
        server.put_all((0..20).map(|number| pod(&format!("web-{number}"), "n1", &format!("t{number}x"))));
        let port = free_port();
        let receiver = format!(
            "[SERVICE]\n    Flush 0.1\n    Grace 1\n[INPUT]\n    Name forward\n    Listen 127.0.0.1\n    Port {port}\n\
             [FILTER]\n    Name kube\n    Match *\n    Kube_URL {}\n    Kube_Scope cluster\n    \
             Lookup_Pod_Key $kubernetes['pod']\n    Lookup_Namespace_Key kubernetes.ns\n[OUTPUT]\n    Name stdout\n    \
             Match *\n    Format json_lines\n",
            server.url()
        );
        let lines: String = (0..400)
            .map(|n| {
                format!(
                    "{}\n",
                    json!({"n": n, "kubernetes": {"pod": format!("web-{}", n % 20), "ns": "shop"}})
                )
            })
            .collect();
        let sender = format!(
            "[SERVICE]\n    Flush 0.1\n    Grace 1\n    Parsers_File FOLDER/parsers.conf\n[INPUT]\n    Name tail\n    \
             Tag app\n    Path FOLDER/lines.json\n    Parser json\n    Read_from_Head on\n[OUTPUT]\n    Name forward\n    \
             Match *\n    Host 127.0.0.1\n    Port {port}\n"
        );
        let mut receiving = host.start(&receiver).plugins(&[host::FILTER]).run();
        let mut sending = host
            .start(&sender)
            .plugins(&[])
            .file("lines.json", &lines)
            .file("parsers.conf", "[PARSER]\n    Name json\n    Format json\n")
            .run();
        receiving.wait_for_lines("\"n\":", 400);
        sending.stop();
        receiving.stop();
        let log = receiving.log();
        let mut numbers = Vec::new();
        for record in log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok()) {
            let number = record["n"].as_u64().unwrap();
            assert_eq!(team(&record), format!("t{}x", number % 20), "{record}");
            numbers.push(number);
        }
        numbers.sort_unstable();
        assert_eq!(numbers, (0..400).collect::<Vec<_>>(), "{}: none lost, none doubled", host.name);
    }
}

#[test]
fn line_28_a_cluster_wide_watch_lists_all_nodes_at_once_and_knows_every_pod() {
    let server = ApiServer::start();
    server.put_all(
        (0..10_000).map(|number| pod(&format!("web-{number}"), &format!("n{}", number / 30), "blue")),
    );
    let mut config = config(&server);
    config.node = Node::All;
    server.script(Verb::List, "pods", 1, Fault::Split(1000));
    let watch = synced(&config);
    assert_eq!(watch.store().len(), 10_000);
    let lists = server.requests_of(Verb::List, "pods");
    assert_eq!(lists.len(), 1);
    assert_eq!((lists[0].param("fieldSelector"), lists[0].param("resourceVersion")), (None, Some("0")));
    // A pod that is not there is not asked for: it comes by the watch.
    watch.store().missed("shop", "later", LookupFor::Files);
    server.put(pod("later", "n5", "red"));
    wait("the later one", || knows(&watch, "later"));
    assert_eq!(server.count(Verb::Get, "pods"), 0);
}

#[test]
fn line_30_two_filters_of_one_host_share_one_list_and_one_watch() {
    each(Host::few(), |host| {
        let server = ApiServer::start();
        server.put(pod("web", "n1", "blue"));
        let filter = |tag: &str, more: &str| {
            format!(
                "[FILTER]\n    Name kube\n    Match {tag}.*\n    Kube_URL {}\n    Kube_Node_Name n1\n    \
                 Self_Check off\n    Kube_Tag_Prefix {tag}.var.log.containers.\n{more}",
                server.url()
            )
        };
        let input = |name: &str| {
            let tag = tag("web", "shop", "main", ID).replacen("kube", name, 1);
            format!(
                "[INPUT]\n    Name dummy\n    Rate 20\n    Tag {tag}\n    Dummy {{\"log\":\"from {name}\"}}\n"
            )
        };
        let config = [
            "[SERVICE]\n    Flush 0.1\n    Grace 1\n".to_owned(),
            input("one"),
            input("two"),
            filter("one", ""),
            filter("two", "    Annotations off\n"),
            "[OUTPUT]\n    Name stdout\n    Match *\n    Format json_lines\n".to_owned(),
        ]
        .concat();
        let mut running = host.start(&config).plugins(&[host::FILTER]).run();
        for name in ["one", "two"] {
            running.wait(&format!("lines from {name}"), |host| {
                let log = host.log();
                let own = log.lines().filter(|line| line.contains(&format!("from {name}")));
                own.filter(|line| line.contains("\"team\":\"blue\"")).count() >= 20
            });
        }
        server.wait_for(Verb::Watch, "pods", 1);
        let asked: Vec<_> = server.requests().iter().map(|seen| (seen.verb, seen.path.clone())).collect();
        let path = "/api/v1/pods".to_owned();
        assert_eq!(asked, [(Verb::List, path.clone()), (Verb::Watch, path)], "{}", host.name);
        running.stop();
    });
}

#[test]
fn instances_that_end_hold_up_none_that_begins() {
    let server = ApiServer::start();
    server.put(pod("web", "n1", "blue"));
    for round in 0..100 {
        let since = Instant::now();
        // Each has a watch of its own.
        drop(beside(&server.url(), &[("delete_grace", &format!("{}s", 60 + round))]).unwrap());
        assert!(since.elapsed() < Duration::from_secs(1), "round {round}: {:?}", since.elapsed());
    }
}

#[test]
fn keys_that_lead_to_no_pod_refuse_the_start() {
    for (options, said) in [
        (&[("lookup_pod_key", "pod")][..], "lookup_namespace_key"),
        (&[("lookup_pod_key", "a..b"), ("lookup_namespace_key", "ns")], "'a..b'"),
        (&[("lookup_namespace_key", "ns")], "lookup_pod_key"),
        (&[("lookup_pod_uid_key", "uid"), ("use_journal", "on")], "use_journal"),
    ] {
        let why = beside("http://127.0.0.1:1", options).err().unwrap().to_string();
        assert!(why.starts_with("option '") && why.contains(said), "{why}");
    }
}

#[test]
fn one_of_a_list_that_can_not_be_read_costs_none_of_the_others() {
    let server = ApiServer::start();
    let mut bad = pod("bad", "n1", "blue");
    bad["status"]["containerStatuses"] = json!({"not": "a list"});
    server.put_all([pod("before", "n1", "blue"), bad, pod("later", "n1", "blue")]);
    let watch = synced(&config(&server));
    assert!(knows(&watch, "before") && knows(&watch, "later") && !knows(&watch, "bad"));
}
