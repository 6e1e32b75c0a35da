//! Tests of `enrich`.

use std::time::Duration;

use super::*;
use crate::{
    kube::store::{Config, Writer, channel},
    record::splice::treatment::Existing,
};

fn known() -> (Writer, Resolver) {
    let (writer, store) =
        channel(Config { delete_grace: Duration::from_secs(60), namespaces: false, ..Default::default() });
    writer.pods().begin();
    writer.pods().end();
    let form = TagForm::Kubelet("kube.".into());
    (writer, Resolver::new(form, Layout::default(), Preload::default(), Some(store)))
}

fn pod(name: &str, label: &str) -> Pod {
    let meta = serde_json::json!({"name": name, "namespace": "shop", "uid": "1", "labels": {"app": label}});
    serde_json::from_value(serde_json::json!({"metadata": meta})).unwrap()
}

fn tag(pod: &str) -> Vec<u8> {
    format!("kube.var.log.pods.shop_{pod}_1.main.0.log").into_bytes()
}

fn has(treatment: &Treatment, text: &str) -> bool {
    memchr::memmem::find(treatment.pairs(), text.as_bytes()).is_some()
}

#[test]
fn a_change_of_the_pod_shows_in_the_next_chunk() {
    let (writer, resolver) = known();
    writer.pods().apply(pod("web", "before"));
    assert!(has(&resolver.resolve(&tag("web")).unwrap(), "before"));
    writer.pods().apply(pod("web", "after"));
    assert!(has(&resolver.resolve(&tag("web")).unwrap(), "after"));
}

#[test]
fn a_change_of_another_pod_costs_no_new_encoding() {
    let (writer, resolver) = known();
    writer.pods().apply(pod("web", "a"));
    let before = resolver.resolve(&tag("web")).unwrap();
    writer.pods().apply(pod("other", "a"));
    assert!(Arc::ptr_eq(&before, &resolver.resolve(&tag("web")).unwrap()));
}

#[test]
fn a_file_about_another_run_of_the_pod_does_not_hide_what_the_watch_knows() {
    let folder = tempfile::tempdir().unwrap();
    let other = r#"{"metadata":{"name":"web","namespace":"shop","uid":"0","labels":{"app":"filed"}}}"#;
    std::fs::write(folder.path().join("shop_web.meta"), other).unwrap();
    let (writer, mut resolver) = known();
    resolver.preload = Preload::read(folder.path()).unwrap();
    writer.pods().apply(pod("web", "watched"));
    assert!(has(&resolver.resolve(&tag("web")).unwrap(), "watched"));
}

#[test]
fn a_tag_of_another_form_resolves_to_nothing() {
    let (_writer, resolver) = known();
    assert!(resolver.resolve(b"cpu.local").is_none());
    assert!(resolver.resolve(b"cpu.local").is_none());
}

#[tokio::test]
async fn an_unknown_pod_is_wished_for_and_enriched_once_found() {
    let (writer, resolver) = known();
    assert!(!has(&resolver.resolve(&tag("web")).unwrap(), "labels"));
    let request = writer.next_lookup().await;
    writer.found(&request, pod("web", "found"));
    assert!(has(&resolver.resolve(&tag("web")).unwrap(), "found"));
}

/// One that needs no store, and so wishes for nothing.
fn by_tag_only() -> Resolver {
    let layout = Layout { tag_only: true, ..Layout::default() };
    Resolver::new(TagForm::Kubelet("kube.".into()), layout, Preload::default(), None)
}

fn remembered(resolver: &Resolver) -> usize {
    resolver.shards.iter().map(|shard| shard.read().unwrap().known.len()).sum()
}

#[test]
fn a_tag_longer_than_that_of_any_file_names_no_pod_and_is_not_remembered() {
    let resolver = by_tag_only();
    let longest = |len: usize| [b"x".repeat(len - tag("web").len()), tag("web")].concat();
    assert!(resolver.resolve(&longest(LONGEST_KEY)).is_some());
    assert!(resolver.resolve(&longest(LONGEST_KEY + 1)).is_none());
    assert!(resolver.resolve(&longest(1 << 20)).is_none());
    assert_eq!(remembered(&resolver), 1);
}

#[test]
fn the_number_of_remembered_tags_is_bounded_by_those_in_use() {
    let resolver = by_tag_only();
    let busy: Vec<_> = (0..2000).map(|n| tag(&format!("busy-{n}"))).collect();
    for n in 0..40_000 {
        resolver.resolve(&tag(&format!("web-{n}")));
        resolver.resolve(&busy[n % busy.len()]);
    }
    assert!(remembered(&resolver) <= 6 * busy.len(), "{}", remembered(&resolver));
    let before = resolver.resolve(&busy[7]).unwrap();
    (0..500).for_each(|n| drop(resolver.resolve(&tag(&format!("more-{n}")))));
    assert!(Arc::ptr_eq(&before, &resolver.resolve(&busy[7]).unwrap()));
}

#[test]
fn the_number_of_remembered_tags_is_bounded_even_if_all_are_in_use() {
    let resolver = by_tag_only();
    for n in 0..SHARDS * MOST_NAMES * 5 / 4 {
        resolver.resolve(&tag(&format!("web-{n}")));
    }
    assert!(remembered(&resolver) <= SHARDS * MOST_NAMES);
    assert!(resolver.resolve(&tag("web-0")).is_some());
}

const A: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
const B: &str = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb";

/// A run of `db-0`, whose containers' ids are known once it has a status.
fn run(uid: &str, status: &[(&str, u32)], annotations: serde_json::Value) -> Pod {
    let statuses: Vec<_> = status
        .iter()
        .map(|(id, restarts)| {
            serde_json::json!({"name": "app", "image": format!("db:{uid}"), "containerID": format!("x://{id}"),
                "restartCount": restarts})
        })
        .collect();
    serde_json::from_value(serde_json::json!({
        "metadata": {"name": "db-0", "namespace": "shop", "uid": uid, "annotations": annotations},
        "spec": {"containers": [{"name": "app", "image": format!("db:{uid}")}]},
        "status": {"containerStatuses": statuses},
    }))
    .unwrap()
}

fn excluded() -> serde_json::Value {
    serde_json::json!({"fluentbit.io/exclude": "true"})
}

fn link(id: &str) -> Vec<u8> {
    format!("kube.var.log.containers.db-0_shop_app-{id}.log").into_bytes()
}

fn obeying() -> (Writer, Resolver) {
    let (writer, resolver) = known();
    (writer, resolver.with_annotation_policy(AnnotationPolicy::new(true, None)))
}

#[test]
fn the_last_lines_of_a_pod_keep_its_metadata_when_another_takes_its_name() {
    let (writer, resolver) = obeying();
    writer.pods().apply(run("u1", &[(A, 0)], serde_json::json!({})));
    writer.pods().delete(&run("u1", &[(A, 0)], serde_json::json!({})));
    // Before its first status, and after it.
    for status in [&[][..], &[(B, 0)]] {
        writer.pods().apply(run("u2", status, excluded()));
        let old = resolver.resolve(&link(A)).unwrap();
        assert!(has(&old, "u1") && has(&old, "db:u1") && !old.drops_all());
        let new = resolver.resolve(&link(B)).unwrap();
        assert!(has(&new, "u2") && has(&new, "db:u2") && new.drops_all());
    }
}

#[test]
fn names_and_an_id_in_a_record_mean_the_pod_of_that_id() {
    let (writer, resolver) = known();
    writer.pods().apply(run("u1", &[(A, 0)], serde_json::json!({})));
    writer.pods().apply(run("u2", &[(B, 0)], serde_json::json!({})));
    let named = |id: &str| {
        Some(ContainerRef {
            pod: "db-0".into(),
            namespace: "shop".into(),
            docker_id: Some(id.into()),
            ..ContainerRef::default()
        })
    };
    assert!(has(&resolver.resolve_key(b"a", || named(A)).unwrap(), "db:u1"));
    assert!(has(&resolver.resolve_key(b"b", || named(B)).unwrap(), "db:u2"));
    // An id of another name's pod does not make it this one's.
    let other = || Some(ContainerRef { pod: "db-1".into(), ..named(A)? });
    assert!(!has(&resolver.resolve_key(b"c", other).unwrap(), "db:u1"));
}

#[tokio::test]
async fn a_pod_that_is_not_watched_is_asked_for_again_when_no_run_of_it_has_the_id() {
    for is_polled in [false, true] {
        let (writer, resolver) = obeying();
        if is_polled {
            writer.is_polled();
            writer.pods().apply(run("u1", &[(A, 0)], excluded()));
        } else {
            assert!(!resolver.resolve(&link(A)).unwrap().is_known);
            writer.found(&writer.next_lookup().await, run("u1", &[(A, 0)], excluded()));
        }
        assert!(resolver.resolve(&link(A)).unwrap().drops_all());
        let early = resolver.resolve(&link(B)).unwrap();
        assert!(
            !has(&early, "u1") && !early.drops_all(),
            "the first lines of the pod that took the name over"
        );
        let request = writer.next_lookup().await;
        match is_polled {
            true => writer.pods().apply(run("u2", &[(B, 0)], serde_json::json!({}))),
            false => writer.found(&request, run("u2", &[(B, 0)], serde_json::json!({}))),
        }
        assert!(has(&resolver.resolve(&link(B)).unwrap(), "db:u2"));
        assert!(has(&resolver.resolve(&link(A)).unwrap(), "db:u1"));
    }
}

#[tokio::test]
async fn a_pod_that_is_still_the_same_when_asked_for_again_has_a_new_run() {
    let (writer, resolver) = known();
    resolver.resolve(&link(A));
    writer.found(&writer.next_lookup().await, run("u1", &[(A, 0)], serde_json::json!({})));
    assert!(!has(&resolver.resolve(&link(B)).unwrap(), "u1"));
    let request = writer.next_lookup().await;
    writer.found(&request, run("u1", &[(A, 0)], serde_json::json!({})));
    assert!(has(&resolver.resolve(&link(B)).unwrap(), "u1"));
}

#[test]
fn a_new_run_of_a_watched_pod_is_its_own_at_once_but_for_what_is_of_another_run() {
    let (writer, resolver) = known();
    writer.pods().apply(run("u1", &[(A, 3)], serde_json::json!({})));
    let treatment = resolver.resolve(&link(B)).unwrap();
    assert!(treatment.is_known && has(&treatment, "u1") && !has(&treatment, "container_image"));
}

#[test]
fn earlier_runs_of_a_crash_loop_have_their_image_and_their_count() {
    let (writer, mut resolver) = known();
    resolver.layout.extra.restart_count = true;
    let ids = ["c", "d", "e"].map(|letter| letter.repeat(64));
    for (restarts, id) in ids.iter().enumerate() {
        writer.pods().apply(run("u1", &[(id, restarts as u32)], serde_json::json!({})));
    }
    for (restarts, id) in ids.iter().enumerate() {
        let treatment = resolver.resolve(&link(id)).unwrap();
        let count = [b"restart_count", &[restarts as u8][..]].concat();
        assert!(memchr::memmem::find(treatment.pairs(), &count).is_some(), "{restarts}");
        assert!(has(&treatment, "db:u1"), "{restarts}");
    }
}

#[test]
fn an_unknown_pod_never_replaces_metadata_that_a_record_has() {
    let (writer, resolver) = known();
    assert_eq!(resolver.resolve(&tag("web")).unwrap().existing, Existing::Keep);
    writer.pods().apply(pod("web", "here"));
    assert_eq!(resolver.resolve(&tag("web")).unwrap().existing, Existing::Replace);
}

#[test]
fn a_name_that_was_cut_means_no_pod_before_the_first_list_is_complete() {
    let (writer, store) =
        channel(Config { delete_grace: Duration::from_secs(60), namespaces: false, ..Default::default() });
    let form = TagForm::Kubelet("kube.".into());
    let resolver = Resolver::new(form, Layout::default(), Preload::default(), Some(store));
    let name = "p".repeat(252);
    let cut = format!("kube.var.log.containers.{}.log", &name[..251]).into_bytes();
    writer.pods().apply(pod(&name, "early"));
    assert!(resolver.resolve(&cut).is_none());
    writer.pods().begin();
    writer.pods().apply(pod(&name, "early"));
    writer.pods().end();
    assert!(has(&resolver.resolve(&cut).unwrap(), "early"));
}

#[test]
fn names_that_are_not_used_any_more_are_forgotten_with_what_they_hold() {
    let (writer, resolver) = known();
    for n in 0..100 {
        writer.pods().apply(pod(&format!("job-{n}"), "done"));
        resolver.resolve(&tag(&format!("job-{n}")));
    }
    let busy = tag("job-0");
    let start = Instant::now();
    for turn in 1..=3 * SHARDS as u32 {
        resolver.resolve(&busy);
        resolver.forget_unused(start + turn * FORGET_AFTER);
    }
    assert_eq!(remembered(&resolver), 1);
}
