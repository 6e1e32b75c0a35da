//! Tests of `enrich`.

use std::time::Duration;

use super::*;
use crate::kube::store::{Config, Writer, channel};

fn known() -> (Writer, Resolver) {
    let (writer, store) =
        channel(Config { delete_grace: Duration::from_secs(60), namespaces: false, ..Default::default() });
    writer.begin_list();
    writer.end_list();
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
    writer.apply(pod("web", "before"));
    assert!(has(&resolver.resolve(&tag("web")).unwrap(), "before"));
    writer.apply(pod("web", "after"));
    assert!(has(&resolver.resolve(&tag("web")).unwrap(), "after"));
}

#[test]
fn a_change_of_another_pod_costs_no_new_encoding() {
    let (writer, resolver) = known();
    writer.apply(pod("web", "a"));
    let before = resolver.resolve(&tag("web")).unwrap();
    writer.apply(pod("other", "a"));
    assert!(Arc::ptr_eq(&before, &resolver.resolve(&tag("web")).unwrap()));
}

#[test]
fn a_file_about_another_run_of_the_pod_does_not_hide_what_the_watch_knows() {
    let folder = tempfile::tempdir().unwrap();
    let other = r#"{"metadata":{"name":"web","namespace":"shop","uid":"0","labels":{"app":"filed"}}}"#;
    std::fs::write(folder.path().join("shop_web.meta"), other).unwrap();
    let (writer, mut resolver) = known();
    resolver.preload = Preload::read(folder.path()).unwrap();
    writer.apply(pod("web", "watched"));
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
    resolver.names.iter().map(|shard| shard.read().unwrap().known.len()).sum()
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
