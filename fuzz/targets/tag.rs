//! Tags: whatever they are, the names that they yield can stand in a path of the API.

#![no_main]

use flb_kube::kube::origin::{container_ref::Cut, tag::parse};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    // The first line is the operator's prefix.
    let at = data.iter().position(|byte| *byte == b'\n').unwrap_or(0);
    let Ok(prefix) = std::str::from_utf8(&data[..at]) else { return };
    let tag = &data[(at + 1).min(data.len())..];
    names_in_a_file(data);
    let Some(parts) = parse(tag, prefix) else { return };
    let is_part_of_the_tag = |text: &str| tag.windows(text.len()).any(|window| window == text.as_bytes());
    for (name, may_have_dots) in [(&parts.pod, true), (&parts.namespace, false)] {
        // A file's name that was cut may end before the namespace, or within either name.
        let is_cut_off = parts.cut.is_some() && name.is_empty() && !may_have_dots;
        let is_begun = match parts.cut {
            Some(Cut::Pod) => may_have_dots,
            Some(Cut::Namespace) => !may_have_dots,
            _ => false,
        };
        let whole = if is_begun { name.trim_end_matches(['-', '.']) } else { name };
        assert!(is_cut_off || is_dns_name(whole, may_have_dots), "{name:?}");
        if is_cut_off {
            continue;
        }
        assert!(is_part_of_the_tag(name), "{name:?}");
    }
    for text in [&parts.container, &parts.docker_id, &parts.container_hash, &parts.uid].into_iter().flatten()
    {
        let is_cut_off = parts.cut.is_some() && text.is_empty();
        assert!(is_cut_off || !text.is_empty() && is_part_of_the_tag(text), "{text:?}");
    }
    assert!(parts.docker_id.is_none_or(|id| id.len() == 64));
});

/// A file of the pods' folder yields exactly the names that it is made of, whatever legal name the pod has.
fn names_in_a_file(data: &[u8]) {
    let Ok(pod) = std::str::from_utf8(data) else { return };
    if pod.len() > 253 || !is_dns_name(pod, true) {
        return;
    }
    for (prefix, tag_prefix) in [("kube.var.log.pods.", "kube.var.log.containers."), ("kube.", "kube.")] {
        let tag = format!("{prefix}shop_{pod}_5f2e-11.app.7.log");
        let Some(found) = parse(tag.as_bytes(), tag_prefix) else { panic!("{tag}: names no pod") };
        assert_eq!((&*found.pod, &*found.namespace, found.restarts), (pod, "shop", Some(7)), "{tag}");
        assert_eq!(
            (found.container.as_deref(), found.uid.as_deref()),
            (Some("app"), Some("5f2e-11")),
            "{tag}"
        );
    }
}

/// Whether each label is letters, digits and inner hyphens.
fn is_dns_name(name: &str, may_have_dots: bool) -> bool {
    let is_label = |label: &str| {
        let is_inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        !label.is_empty() && label.bytes().all(is_inner) && !label.starts_with('-') && !label.ends_with('-')
    };
    name.split('.').all(is_label) && (may_have_dots || !name.contains('.'))
}
