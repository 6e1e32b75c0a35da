//! What a tag says of the container whose lines it carries.
//!
//! Serves `enrich`. Knows the files of both folders that a kubelet fills, with slashes turned into dots as `tail`
//! does; other forms come from a parser of the host's. Invariant: a tag that names no pod yields nothing.

use super::container_ref::{ContainerRef, Cut, is_id, namespace_name, pod_name};

/// The folder of links that the kubelet keeps, as it appears in a tag.
const CONTAINERS: &str = "var.log.containers.";
/// The folder of the files themselves, as it appears in a tag.
const PODS: &str = "var.log.pods.";
/// How long a file's name may be: the kubelet cuts what stands before `.log`.
const NAME_LEN: usize = 255;
/// How long a container's name may be.
const CONTAINER_LEN: usize = 63;

/// Reads the two forms of the kubelet's own, behind whatever stands before one of its folders. A tag without them
/// begins with `prefix`, or with as many bytes of another: the built-in filter cuts it off by its length alone. A pod's
/// name may hold the text of a folder too, so that the first folder in the tag is the one that counts.
pub fn parse(tag: &[u8], prefix: &str) -> Option<ContainerRef> {
    let tag = std::str::from_utf8(tag).ok()?;
    let find = |folder| tag.find(folder).map(|at| (at, &tag[at + str::len(folder)..]));
    let of_prefix = || tag.get(prefix.len()..);
    // A prefix of the operator's own, and no folder: one that follows is in the pod's name.
    if tag.starts_with(prefix)
        && let Some(found) = of_prefix().and_then(pod_file)
    {
        return Some(found);
    }
    match (find(CONTAINERS), find(PODS)) {
        (Some((at, name)), other) if other.is_none_or(|(pods, _)| at < pods) => container_file(name),
        (_, Some((_, name))) => pod_file(name),
        _ => {
            let name = of_prefix()?;
            container_file(name).or_else(|| pod_file(name))
        }
    }
}

/// `<pod>_<namespace>_<container>-<id>.log`
fn container_file(name: &str) -> Option<ContainerRef> {
    whole_container_file(name).or_else(|| cut_container_file(name))
}

fn whole_container_file(name: &str) -> Option<ContainerRef> {
    let (pod, rest) = name.strip_suffix(".log")?.split_once('_')?;
    let (namespace, rest) = rest.split_once('_')?;
    let (container, id) = rest.rsplit_once('-')?;
    (is_id(id) && !container.is_empty()).then_some(())?;
    Some(ContainerRef {
        pod: pod_name(pod)?,
        namespace: namespace_name(namespace)?,
        container: non_empty(container),
        docker_id: non_empty(id),
        ..ContainerRef::default()
    })
}

/// The first 251 bytes of `<pod>_<namespace>_<container>-<id>`, and `.log`.
fn cut_container_file(name: &str) -> Option<ContainerRef> {
    let text = name.strip_suffix(".log").filter(|_| name.len() == NAME_LEN)?;
    // The cut may have left a dash or a dot at the end.
    let is_begun = |text: &str| is_pod(text.trim_end_matches(['-', '.']));
    let (pod, namespace, container) = match text.split_once('_') {
        None | Some((_, "")) => (text.trim_end_matches('_'), "", None),
        Some((pod, rest)) => match rest.split_once('_') {
            None | Some((_, "")) => (pod, rest.trim_end_matches('_'), None),
            Some((namespace, container)) => (pod, namespace, Some(container)),
        },
    };
    let cut = match container {
        _ if namespace.is_empty() => Some(Cut::Pod).filter(|_| container.is_none() && is_begun(pod)),
        None => Some(Cut::Namespace).filter(|_| is_pod(pod)),
        Some(container) => Some(Cut::Container(container.to_owned())).filter(|_| is_pod(pod)),
    }?;
    let is_namespace = namespace.is_empty() || namespace_name(namespace.trim_end_matches('-')).is_some();
    (is_namespace && (container.is_none() || !namespace.ends_with('-'))).then_some(())?;
    Some(ContainerRef {
        pod: pod.to_owned(),
        namespace: namespace.to_owned(),
        // No container's name is that long: its end is in sight.
        container: container
            .filter(|text| text.len() > CONTAINER_LEN)
            .and_then(|text| Some(text.rsplit_once('-')?.0.to_owned())),
        cut: Some(cut),
        ..ContainerRef::default()
    })
}

fn is_pod(text: &str) -> bool {
    pod_name(text).is_some_and(|name| name == text)
}

/// `<namespace>_<pod>_<uid>.<container>.<restarts>.log`, and what follows `.log` in a rotated file.
fn pod_file(name: &str) -> Option<ContainerRef> {
    let (namespace, rest) = name.split_once('_')?;
    let (pod, rest) = rest.split_once('_')?;
    let mut parts = rest.splitn(4, '.');
    let (uid, container, restarts, log) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let restarts = restarts.parse().ok()?;
    (log == "log" || log.starts_with("log.")).then_some(())?;
    Some(ContainerRef {
        pod: pod_name(pod)?,
        namespace: namespace_name(namespace)?,
        container: Some(non_empty(container)?),
        uid: Some(non_empty(uid)?),
        restarts: Some(restarts),
        ..ContainerRef::default()
    })
}

fn non_empty(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const PREFIX: &str = "kube.var.log.containers.";
    const ID: &str = "c9898099f6d235126d564ed38a020007ea7a6fac6e25e718de683c9dd0076c16";

    fn parts(tag: &str) -> Option<ContainerRef> {
        parse(tag.as_bytes(), PREFIX)
    }

    fn web() -> ContainerRef {
        ContainerRef {
            pod: "web-1.a".into(),
            namespace: "shop".into(),
            container: Some("nginx-main".into()),
            docker_id: Some(ID.into()),
            ..ContainerRef::default()
        }
    }

    #[test]
    fn line_16_a_tag_of_the_containers_folder_names_the_container_and_its_id() {
        let name = format!("web-1.a_shop_nginx-main-{ID}.log");
        assert_eq!(parts(&format!("{PREFIX}{name}")), Some(web()));
        assert_eq!(parts(&format!("k8s.node-7.var.log.containers.{name}")), Some(web()));
        assert_eq!(parse(format!("kube.var.log.containers.{name}").as_bytes(), "kube."), Some(web()));
        assert_eq!(parse(format!("c.{name}").as_bytes(), "c."), Some(web()));
    }

    #[test]
    fn a_prefix_of_another_text_is_cut_by_its_length_as_the_built_in_does() {
        let tag = format!("kube.x.{}web-1.a_shop_nginx-main-{ID}.log", ".".repeat(PREFIX.len() - 7));
        assert_eq!(parts(&tag), Some(web()));
    }

    #[test]
    fn line_16_a_tag_of_the_pods_folder_names_the_uid_and_the_restarts_too() {
        let expected = ContainerRef {
            pod: "web-1.a".into(),
            namespace: "shop".into(),
            container: Some("nginx".into()),
            uid: Some("5f2e-11".into()),
            restarts: Some(3),
            ..ContainerRef::default()
        };
        assert_eq!(parts("kube.var.log.pods.shop_web-1.a_5f2e-11.nginx.3.log"), Some(expected.clone()));
        let rotated = "x.var.log.pods.shop_web-1.a_5f2e-11.nginx.3.log.20260101-1";
        assert_eq!(parts(rotated), Some(expected.clone()));
        assert_eq!(parse(b"kube.var.log.pods.shop_web-1.a_5f2e-11.nginx.3.log", "kube."), Some(expected));
    }

    #[test]
    fn a_tag_that_names_no_pod_yields_nothing() {
        let short_id = format!("{PREFIX}web_shop_nginx-{}.log", &ID[1..]);
        let no_namespace = format!("{PREFIX}web__nginx-{ID}.log");
        let no_restarts = "kube.var.log.pods.shop_web_u.nginx.x.log".to_owned();
        for tag in ["", "kube", "cpu.local", PREFIX, &short_id, &no_namespace, &no_restarts] {
            assert_eq!(parts(tag), None, "{tag}");
        }
        assert_eq!(parse(b"kube.\xff\xfe", PREFIX), None);
    }

    #[test]
    fn a_name_that_the_kubelet_cut_tells_where() {
        let cut = |name: String| format!("{PREFIX}{}.log", &name[..NAME_LEN - 4]);
        let tail = format!("_shop-of-teapots_nginx-{ID}");
        let expect = |pod: usize, cut: Cut, container: Option<&str>, namespace: &str| ContainerRef {
            pod: "p".repeat(pod),
            namespace: namespace.into(),
            container: container.map(str::to_owned),
            cut: Some(cut),
            ..ContainerRef::default()
        };
        for (pod, rest, container, namespace) in [
            (220, Cut::Container("nginx-c9898099".into()), None, "shop-of-teapots"),
            (232, Cut::Container("ng".into()), None, "shop-of-teapots"),
            (170, Cut::Container(format!("nginx-{}", &ID[..58])), Some("nginx"), "shop-of-teapots"),
            (240, Cut::Namespace, None, "shop-of-te"),
        ] {
            let tag = cut("p".repeat(pod) + &tail);
            assert_eq!(parts(&tag), Some(expect(pod, rest, container, namespace)), "{tag}");
        }
        assert_eq!(parts(&cut("p".repeat(253) + &tail)), Some(expect(251, Cut::Pod, None, "")));
        for name in [format!("{}._", "p".repeat(100)), format!("{}-", "p".repeat(100)), "a.".into()] {
            assert_eq!(parts(&cut(format!("{name}__{}", "x".repeat(255)))), None, "a name that ends early");
        }
        let uncut = format!("{PREFIX}web_shop_nginx-{}.log", &ID[1..]);
        assert_eq!(parts(&uncut), None);
    }

    #[test]
    fn names_are_such_as_the_api_has() {
        let name = |pod: &str, namespace: &str| {
            let parts = parts(&format!("x.var.log.containers.{pod}_{namespace}_c-{ID}.log"))?;
            Some((parts.pod, parts.namespace))
        };
        for pod in ["web--1.a", "x..web--1.a", "x-.web--1.a", "x.-web--1.a", "-.web--1.a"] {
            assert_eq!(name(pod, "shop"), Some(("web--1.a".into(), "shop".into())), "{pod}");
        }
        for (pod, namespace) in
            [("web-", "shop"), ("web", "-shop"), ("web", "shop-"), (".", "shop"), ("web", "a.b")]
        {
            assert_eq!(name(pod, namespace), None, "{pod} {namespace}");
        }
    }

    #[test]
    fn a_pod_whose_name_holds_the_text_of_a_folder_is_still_that_pod() {
        for hostile in
            ["x.var.log.containers.y", "var.log.pods.y", "x.var.log.pods.y", "var.log.containers.y"]
        {
            let expected =
                ContainerRef { pod: hostile.into(), namespace: "evil".into(), ..ContainerRef::default() };
            let pods = ContainerRef {
                container: Some("app".into()),
                uid: Some("5f2e-11".into()),
                restarts: Some(0),
                ..expected.clone()
            };
            let file = format!("evil_{hostile}_5f2e-11.app.0.log");
            assert_eq!(parts(&format!("kube.var.log.pods.{file}")), Some(pods.clone()), "{hostile}");
            assert_eq!(parse(format!("kube.{file}").as_bytes(), "kube."), Some(pods), "{hostile}");
            let containers =
                ContainerRef { container: Some("app".into()), docker_id: Some(ID.into()), ..expected };
            let tag = format!("{PREFIX}{hostile}_evil_app-{ID}.log");
            assert_eq!(parts(&tag), Some(containers), "{hostile}");
        }
    }
}
