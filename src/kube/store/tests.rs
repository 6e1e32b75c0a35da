//! The store, from both ends.

use super::{lookups::*, *};

const GRACE: Duration = Duration::from_secs(60);

fn empty() -> (Writer, Store) {
    let (writer, store) = channel(Config { delete_grace: GRACE, namespaces: false, ..Default::default() });
    writer.pods().begin();
    writer.pods().end();
    (writer, store)
}

fn pod(name: &str, uid: &str) -> Pod {
    let json = serde_json::json!({"metadata": {"name": name, "namespace": "shop", "uid": uid}});
    serde_json::from_value(json).unwrap()
}

fn uid(store: &Store, name: &str) -> Option<Box<str>> {
    store.lookup("shop", name)?.meta.uid.clone()
}

#[test]
fn a_list_shows_when_it_is_complete() {
    let (writer, store) = channel(Config { delete_grace: GRACE, namespaces: false, ..Default::default() });
    writer.pods().begin();
    writer.pods().apply(pod("web", "1"));
    assert_eq!(uid(&store, "web"), None);
    assert!(!store.is_synced());
    writer.pods().end();
    assert_eq!(uid(&store, "web").as_deref(), Some("1"));
    assert!(store.is_synced());
}

#[test]
fn a_list_that_broke_off_leaves_nothing_behind() {
    let (writer, store) = empty();
    writer.pods().begin();
    writer.pods().apply(pod("half", "1"));
    writer.pods().begin();
    writer.pods().apply(pod("web", "2"));
    writer.pods().end();
    assert_eq!(uid(&store, "half"), None);
    assert_eq!(uid(&store, "web").as_deref(), Some("2"));
}

#[test]
fn wanted_namespaces_belong_to_the_first_sync() {
    let (writer, store) = channel(Config { delete_grace: GRACE, namespaces: true, ..Default::default() });
    writer.pods().begin();
    writer.pods().end();
    assert!(!store.is_synced());
    writer.namespaces().begin();
    writer.namespaces().apply(serde_json::from_str(r#"{"metadata":{"name":"shop"}}"#).unwrap());
    writer.namespaces().end();
    assert!(store.is_synced());
    assert!(store.lookup_namespace("shop").is_some());
}

#[test]
fn a_deleted_pod_stays_for_the_grace_time_through_a_new_list() {
    let (writer, store) = empty();
    writer.pods().apply(pod("web", "1"));
    writer.pods().delete(&pod("web", "1"));
    writer.pods().begin();
    writer.pods().end();
    writer.sweep(Instant::now() + GRACE / 2);
    assert_eq!(uid(&store, "web").as_deref(), Some("1"));
    writer.sweep(Instant::now() + GRACE);
    assert_eq!(uid(&store, "web"), None);
}

#[test]
fn a_pod_that_a_new_list_leaves_out_stays_for_the_grace_time() {
    let (writer, store) = empty();
    writer.pods().apply(pod("web", "1"));
    writer.pods().begin();
    writer.pods().end();
    assert_eq!(uid(&store, "web").as_deref(), Some("1"));
    writer.sweep(Instant::now() + GRACE);
    assert!(store.is_empty());
}

#[test]
fn a_new_pod_takes_the_name_over_and_a_late_deletion_of_the_old_is_not_meant_for_it() {
    let (writer, store) = empty();
    writer.pods().apply(pod("web", "old"));
    writer.pods().apply(pod("web", "new"));
    writer.pods().delete(&pod("web", "old"));
    writer.sweep(Instant::now() + 2 * GRACE);
    assert_eq!(uid(&store, "web").as_deref(), Some("new"));
}

#[test]
fn a_pod_whose_name_was_taken_over_stays_known_by_its_uid_for_the_grace_time() {
    for by_list in [false, true] {
        let (writer, store) = empty();
        writer.pods().apply(pod("web", "old"));
        if by_list {
            writer.pods().begin();
        }
        writer.pods().apply(pod("web", "new"));
        if by_list {
            writer.pods().end();
        }
        let of = |uid| store.lookup_run("shop", "web", uid).and_then(|pod| pod.meta.uid.clone());
        assert_eq!(of(Some("old")).as_deref(), Some("old"));
        assert_eq!(of(Some("new")).as_deref(), Some("new"));
        assert_eq!(of(None).as_deref(), Some("new"));
        writer.sweep(Instant::now() + GRACE);
        assert_eq!(of(Some("old")).as_deref(), Some("new"), "who asks checks the uid");
    }
}

fn before(pods: &[(&str, &str)]) -> Vec<Arc<Pod>> {
    pods.iter().map(|(name, uid)| Arc::new(pod(name, uid))).collect()
}

#[test]
fn pods_from_before_stay_until_the_first_list_and_those_that_it_leaves_out_for_the_grace_time() {
    let (writer, store) = channel(Config { delete_grace: GRACE, namespaces: false, ..Default::default() });
    writer.pods().begin();
    writer.adopt(&before(&[("web", "older"), ("web", "old"), ("gone", "1")]));
    writer.sweep(Instant::now() + 100 * GRACE);
    let of = |uid| store.lookup_run("shop", "web", uid).and_then(|pod| pod.meta.uid.clone());
    assert_eq!(of(Some("older")).as_deref(), Some("older"));
    assert_eq!(of(None).as_deref(), Some("old"));
    writer.pods().apply(pod("web", "new"));
    writer.pods().end();
    assert_eq!(of(None).as_deref(), Some("new"));
    assert!(store.is_synced());
    for known in ["older", "old", "new"] {
        assert_eq!(of(Some(known)).as_deref(), Some(known));
    }
    assert_eq!(uid(&store, "gone").as_deref(), Some("1"));
    writer.sweep(Instant::now() + GRACE);
    assert_eq!((uid(&store, "gone"), store.len()), (None, 1));
}

#[test]
fn pods_from_before_that_come_after_the_first_list_go_in_time_and_replace_nothing() {
    let (writer, store) = empty();
    writer.pods().apply(pod("web", "new"));
    writer.adopt(&before(&[("web", "old"), ("gone", "1")]));
    assert_eq!(uid(&store, "web").as_deref(), Some("new"));
    let run = store.lookup_run("shop", "web", Some("old")).unwrap();
    assert_eq!(run.meta.uid.as_deref(), Some("old"), "its last lines find it");
    assert_eq!(uid(&store, "gone").as_deref(), Some("1"));
    writer.sweep(Instant::now() + GRACE);
    assert_eq!(store.len(), 1);
}

#[test]
fn pods_from_before_that_come_during_the_first_list_are_kept_by_their_uid_too() {
    let (writer, store) = channel(Config { delete_grace: GRACE, namespaces: false, ..Default::default() });
    writer.pods().begin();
    writer.pods().apply(pod("web", "new"));
    writer.adopt(&before(&[("web", "old")]));
    writer.pods().end();
    let of = |uid| store.lookup_run("shop", "web", uid).and_then(|pod| pod.meta.uid.clone());
    assert_eq!(of(Some("old")).as_deref(), Some("old"));
    assert_eq!(of(None).as_deref(), Some("new"));
    writer.sweep(Instant::now() + GRACE);
    assert_eq!(store.len(), 1);
}

#[test]
fn the_beginning_of_a_name_leads_to_its_pod_also_after_another_had_the_name() {
    let (writer, store) = empty();
    let found = || store.lookup_only(|pod| pod.meta.name.as_deref().unwrap().starts_with("we"));
    writer.pods().apply(pod("web", "old"));
    writer.pods().apply(pod("web", "new"));
    assert_eq!(found().unwrap().meta.uid.as_deref(), Some("new"));
    writer.pods().apply(pod("web-1", "other"));
    assert!(found().is_none());
}

#[tokio::test]
async fn a_looked_up_pod_whose_name_another_has_is_looked_up_again_and_a_watched_one_is_not() {
    let (writer, store) = empty();
    let request = LookupRequest { namespace: "shop".into(), pod: "web".into(), named_by: LookupFor::Files };
    writer.pods().apply(pod("watched", "1"));
    store.request_refresh("shop", "watched", LookupFor::Files);
    writer.found(&request, pod("web", "old"));
    store.request_refresh("shop", "web", LookupFor::Files);
    assert_eq!(writer.next_lookup().await, request);
    writer.found(&request, pod("web", "new"));
    let of = |uid| store.lookup_run("shop", "web", Some(uid)).and_then(|pod| pod.meta.uid.clone());
    assert_eq!([of("old"), of("new")], ["old", "new"].map(|uid| Some(uid.into())));
    // Lines of a third, which is nowhere.
    store.request_refresh("shop", "web", LookupFor::Files);
    assert_eq!(writer.next_lookup().await, request);
    writer.found(&request, pod("web", "new"));
    store.request_refresh("shop", "web", LookupFor::Files);
    let soon = tokio::time::timeout(Duration::from_millis(20), writer.next_lookup()).await;
    assert!(soon.is_err(), "asked again at once");
}

#[test]
fn a_pod_that_comes_back_is_no_longer_due() {
    let (writer, store) = empty();
    writer.pods().apply(pod("web", "1"));
    writer.pods().delete(&pod("web", "1"));
    writer.pods().apply(pod("web", "1"));
    writer.sweep(Instant::now() + 2 * GRACE);
    assert_eq!(uid(&store, "web").as_deref(), Some("1"));
}

#[test]
fn what_records_do_not_show_does_not_move_the_generation() {
    let (writer, store) = empty();
    let version = |version: &str| {
        let mut pod = pod("web", "1");
        pod.meta.resource_version = Some(version.into());
        pod
    };
    writer.pods().apply(version("1"));
    let before = (store.generation(), store.lookup("shop", "web").unwrap());
    writer.pods().apply(version("2"));
    assert_eq!(store.generation(), before.0);
    writer.pods().begin();
    writer.pods().apply(version("3"));
    writer.pods().end();
    assert!(Arc::ptr_eq(&before.1, &store.lookup("shop", "web").unwrap()));
}

#[tokio::test]
async fn a_missed_pod_is_wished_for_once_until_it_is_found() {
    let (writer, store) = empty();
    (0..3).for_each(|_| store.missed("shop", "web", LookupFor::Files));
    store.missed("shop", "other", LookupFor::Files);
    let request = writer.next_lookup().await;
    assert_eq!((request.namespace.as_str(), request.pod.as_str()), ("shop", "web"));
    writer.found(&request, pod("web", "1"));
    assert_eq!(uid(&store, "web").as_deref(), Some("1"));

    let other = writer.next_lookup().await;
    assert_eq!(other.pod, "other");
    writer.absent(&other);
    store.missed("shop", "other", LookupFor::Files);
    let soon = tokio::time::timeout(Duration::from_millis(20), writer.next_lookup()).await;
    assert!(soon.is_err(), "asked again at once");
}

#[tokio::test]
async fn a_looked_up_pod_is_looked_up_again_before_it_expires_if_a_reader_asks_for_it() {
    let (writer, store) = empty();
    for name in ["read", "unread"] {
        store.missed("shop", name, LookupFor::Files);
        writer.found(&writer.next_lookup().await, pod(name, "1"));
    }
    let (later, generation) = (Instant::now() + REFRESH_AFTER, store.generation());
    writer.sweep(later);
    assert_ne!(store.generation(), generation, "readers ask again");
    assert!(store.lookup("shop", "read").is_some());
    let request = writer.next_lookup().await;
    assert_eq!((&*request.pod, request.named_by), ("read", LookupFor::Refresh));

    // The API server is away: what is known stays, and is asked for again.
    let expired = Instant::now() + LOOKED_UP_FOR;
    writer.sweep(expired);
    assert!(store.lookup("shop", "read").is_some() && store.lookup("shop", "unread").is_none());
    writer.unanswered(&request);
    writer.sweep(expired);
    let request = writer.next_lookup().await;
    writer.found(&request, pod("read", "2"));
    writer.unanswered(&request);
    assert_eq!(uid(&store, "read").as_deref(), Some("2"));
    // And so it goes on.
    writer.sweep(Instant::now() + REFRESH_AFTER);
    assert!(store.lookup("shop", "read").is_some());
    assert_eq!(writer.next_lookup().await.pod, "read");
}

#[tokio::test]
async fn a_looked_up_pod_that_is_gone_at_its_refresh_expires() {
    let (writer, store) = empty();
    store.missed("shop", "web", LookupFor::Files);
    writer.found(&writer.next_lookup().await, pod("web", "1"));
    writer.sweep(Instant::now() + REFRESH_AFTER);
    assert!(store.lookup("shop", "web").is_some());
    writer.absent(&writer.next_lookup().await);
    assert!(store.lookup("shop", "web").is_some());
    writer.sweep(Instant::now() + LOOKED_UP_FOR);
    assert!(store.lookup("shop", "web").is_none());
}

#[test]
fn nothing_is_wished_for_before_the_first_list() {
    let (writer, store) = channel(Config { delete_grace: GRACE, namespaces: false, ..Default::default() });
    store.missed("shop", "web", LookupFor::Files);
    assert_eq!(writer.0.requests.len(), 0);
}

#[tokio::test]
async fn namespaces_that_can_not_be_listed_keep_no_pod_from_being_looked_up() {
    let (writer, store) = channel(Config { delete_grace: GRACE, namespaces: true, ..Default::default() });
    writer.pods().begin();
    writer.pods().end();
    store.missed("shop", "web", LookupFor::Files);
    assert_eq!(writer.next_lookup().await.pod, "web");
}

#[test]
fn a_watched_pod_is_better_than_a_looked_up_one() {
    let (writer, store) = empty();
    let request = LookupRequest { namespace: "shop".into(), pod: "web".into(), named_by: LookupFor::Files };
    writer.pods().apply(pod("web", "watched"));
    writer.found(&request, pod("web", "looked up"));
    assert_eq!(uid(&store, "web").as_deref(), Some("watched"));
}

#[test]
fn a_looked_up_pod_is_forgotten_in_time() {
    let (writer, store) = empty();
    let request = LookupRequest { namespace: "shop".into(), pod: "web".into(), named_by: LookupFor::Files };
    writer.found(&request, pod("web", "1"));
    writer.sweep(Instant::now() + LOOKED_UP_FOR);
    assert!(store.is_empty());
}

#[test]
fn readers_see_each_pod_while_others_change() {
    let (writer, store) = empty();
    (0..500).for_each(|n| writer.pods().apply(pod(&format!("web-{n}"), "1")));
    std::thread::scope(|scope| {
        let readers: Vec<_> = (0..3)
            .map(|_| {
                scope.spawn(|| {
                    while store.lookup("shop", "end").is_none() {
                        assert!((0..500).all(|n| store.lookup("shop", &format!("web-{n}")).is_some()));
                    }
                })
            })
            .collect();
        (0..500).for_each(|n| writer.pods().apply(pod(&format!("web-{n}"), "2")));
        (0..500).for_each(|n| writer.pods().apply(pod(&format!("more-{n}"), "1")));
        writer.pods().apply(pod("end", "1"));
        readers.into_iter().for_each(|reader| reader.join().unwrap());
    });
    assert_eq!(store.len(), 1501, "500 had their names taken over");
}

#[test]
fn nodes_belong_to_the_first_sync_if_wanted_until_they_come_or_are_refused() {
    let (writer, store) = empty();
    writer.await_nodes();
    assert!(!store.is_synced());
    writer.nodes().begin();
    writer
        .nodes()
        .apply(serde_json::from_str(r#"{"metadata":{"name":"n1","labels":{"zone":"z"}}}"#).unwrap());
    let before = store.generation();
    writer.nodes().end();
    assert!(store.is_synced());
    assert!(store.generation() > before);
    assert!(store.lookup_node("n1").unwrap().labels.is_some());
    writer.nodes().delete(&serde_json::from_str(r#"{"metadata":{"name":"n1"}}"#).unwrap());
    writer.sweep(Instant::now() + GRACE);
    assert!(store.lookup_node("n1").is_none());

    writer.await_nodes();
    assert!(!store.is_synced());
    writer.nodes().await_none();
    assert!(store.is_synced());
}

fn with_container(name: &str, uid: &str, id: &str) -> Pod {
    let status =
        serde_json::json!({"containerStatuses": [{"name": "main", "containerID": format!("x://{id}")}]});
    let metadata = serde_json::json!({"name": name, "namespace": "shop", "uid": uid});
    serde_json::from_value(serde_json::json!({"metadata": metadata, "status": status})).unwrap()
}

#[test]
fn an_id_leads_to_the_pod_that_had_it_and_to_no_other_of_its_name() {
    let (writer, store) = empty();
    let found = |id: &str| store.lookup_id(id).and_then(|pod| pod.meta.uid.clone());
    writer.pods().apply(with_container("early", "u0", "c0"));
    writer.pods().apply(with_container("web", "u1", "c1"));
    assert_eq!(
        [found("c0"), found("c1"), found("u1")],
        [Some("u0".into()), Some("u1".into()), Some("u1".into())]
    );

    let request = LookupRequest { namespace: "shop".into(), pod: "asked".into(), named_by: LookupFor::Files };
    writer.found(&request, with_container("asked", "u9", "c9"));
    assert_eq!(found("c9"), Some("u9".into()), "one that was looked up");

    // The container starts anew, then the pod's name goes to another.
    writer.pods().apply(with_container("web", "u1", "c2"));
    assert_eq!((found("c1"), found("c2")), (Some("u1".into()), Some("u1".into())));
    writer.pods().apply(with_container("web", "u2", "c3"));
    assert_eq!([found("u1"), found("c2"), found("c3")], ["u1", "u1", "u2"].map(|uid| Some(uid.into())));
    writer.sweep(Instant::now() + 2 * GRACE);
    assert_eq!([found("u1"), found("c1"), found("c2"), found("c3")], [None, None, None, Some("u2".into())]);

    writer.pods().begin();
    writer.pods().apply(with_container("listed", "u4", "c4"));
    writer.pods().end();
    assert_eq!((found("c4"), found("c3")), (Some("u4".into()), Some("u2".into())));
    writer.sweep(Instant::now() + 2 * GRACE);
    assert_eq!(found("c3"), None);
}

#[test]
fn what_no_record_shows_is_not_kept_but_for_what_annotations_ask_for() {
    let unshown = Unshown { annotations: true, ..Unshown::default() };
    let (writer, store) = channel(Config { delete_grace: GRACE, unshown, ..Config::default() });
    let meta = serde_json::json!({
        "name": "web", "namespace": "shop", "labels": {"a": "b"},
        "annotations": {"fluentbit.io/exclude": "true", "long": "text"},
    });
    writer.pods().apply(serde_json::from_value(serde_json::json!({"metadata": meta})).unwrap());
    let pod = store.lookup("shop", "web").unwrap();
    assert!(pod.annotations.is_none() && pod.labels.is_some() && pod.rules.is_some());
}
