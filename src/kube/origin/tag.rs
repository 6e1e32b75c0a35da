//! What a tag says of the container whose lines it carries.
//!
//! Serves `enrich`. Knows the files of both folders that a kubelet fills, with slashes turned into dots as `tail`
//! does; other forms come from a parser of the host's. Invariant: a tag that names no pod yields nothing.

/// The folder of links that the kubelet keeps, as it appears in a tag.
const CONTAINERS: &str = "var.log.containers.";
/// The folder of the files themselves, as it appears in a tag.
const PODS: &str = "var.log.pods.";
/// How long a container's id is.
const ID_LEN: usize = 64;
/// How long a file's name may be: the kubelet cuts what stands before `.log`.
const NAME_LEN: usize = 255;
/// How long a container's name may be.
const CONTAINER_LEN: usize = 63;

/// What a tag says; what it does not say is empty or none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TagParts {
    /// The pod's name.
    pub pod: String,
    /// The pod's namespace.
    pub namespace: String,
    /// The container's name.
    pub container: Option<String>,
    /// The container's id.
    pub docker_id: Option<String>,
    /// The image's hash: only parsers of the operator's give it.
    pub container_hash: Option<String>,
    /// The pod's uid.
    pub uid: Option<String>,
    /// How often the container had been restarted when it wrote the file.
    pub restarts: Option<u32>,
    /// Where the name of the file was cut, if it was.
    pub cut: Option<Cut>,
}

/// Where a kubelet cut the name of a file that would have been too long.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cut {
    /// In the pod's name: only its beginning is known.
    Pod,
    /// In the namespace: only its beginning is known.
    Namespace,
    /// After it: this is the beginning of `<container>-<id>`.
    Container(String),
}

/// Reads tags of a form of the operator's own.
pub trait TagParser: Send + Sync {
    /// What `tag`, its prefix cut off, says; `None` if it does not match.
    fn parse(&self, tag: &[u8]) -> Option<TagParts>;
}

impl TagParts {
    /// From the named groups of a regex, by the names that the built-in filter knows. Of a name that comes twice the
    /// first counts.
    pub fn from_groups<'a>(groups: impl IntoIterator<Item = (&'a str, &'a [u8])>) -> Self {
        let mut parts = Self::default();
        for (name, value) in groups {
            let value =
                || Some(String::from_utf8_lossy(value).into_owned()).filter(|value| !value.is_empty());
            let slot = match name {
                "pod_name" if parts.pod.is_empty() => {
                    parts.pod = value().unwrap_or_default();
                    continue;
                }
                "namespace_name" if parts.namespace.is_empty() => {
                    parts.namespace = value().unwrap_or_default();
                    continue;
                }
                "container_name" => &mut parts.container,
                "docker_id" => &mut parts.docker_id,
                "container_hash" => &mut parts.container_hash,
                _ => continue,
            };
            *slot = slot.take().or_else(value);
        }
        parts
    }
}

/// Reads the two forms of the kubelet's own, behind whatever stands before one of its folders. A tag without them
/// begins with `prefix`, or with as many bytes of another: the built-in filter cuts it off by its length alone.
pub fn parse(tag: &[u8], prefix: &str) -> Option<TagParts> {
    let tag = std::str::from_utf8(tag).ok()?;
    let after = |folder| tag.find(folder).map(|at| &tag[at + str::len(folder)..]);
    if let Some(name) = after(CONTAINERS) {
        container_file(name)
    } else if let Some(name) = after(PODS) {
        pod_file(name)
    } else {
        let name = tag.get(prefix.len()..)?;
        container_file(name).or_else(|| pod_file(name))
    }
}

/// `<pod>_<namespace>_<container>-<id>.log`
fn container_file(name: &str) -> Option<TagParts> {
    whole_container_file(name).or_else(|| cut_container_file(name))
}

fn whole_container_file(name: &str) -> Option<TagParts> {
    let (pod, rest) = name.strip_suffix(".log")?.split_once('_')?;
    let (namespace, rest) = rest.split_once('_')?;
    let (container, id) = rest.rsplit_once('-')?;
    let is_id = id.len() == ID_LEN && id.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    (is_id && !container.is_empty()).then_some(())?;
    Some(TagParts {
        pod: pod_name(pod)?,
        namespace: namespace_name(namespace)?,
        container: non_empty(container),
        docker_id: non_empty(id),
        ..TagParts::default()
    })
}

/// The first 251 bytes of `<pod>_<namespace>_<container>-<id>`, and `.log`.
fn cut_container_file(name: &str) -> Option<TagParts> {
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
    Some(TagParts {
        pod: pod.to_owned(),
        namespace: namespace.to_owned(),
        // No container's name is that long: its end is in sight.
        container: container
            .filter(|text| text.len() > CONTAINER_LEN)
            .and_then(|text| Some(text.rsplit_once('-')?.0.to_owned())),
        cut: Some(cut),
        ..TagParts::default()
    })
}

fn is_pod(text: &str) -> bool {
    pod_name(text).is_some_and(|name| name == text)
}

/// `<namespace>_<pod>_<uid>.<container>.<restarts>.log`, and what follows `.log` in a rotated file.
fn pod_file(name: &str) -> Option<TagParts> {
    let (namespace, rest) = name.split_once('_')?;
    let (pod, rest) = rest.split_once('_')?;
    let mut parts = rest.splitn(4, '.');
    let (uid, container, restarts, log) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let restarts = restarts.parse().ok()?;
    (log == "log" || log.starts_with("log.")).then_some(())?;
    Some(TagParts {
        pod: pod_name(pod)?,
        namespace: namespace_name(namespace)?,
        container: Some(non_empty(container)?),
        uid: Some(non_empty(uid)?),
        restarts: Some(restarts),
        ..TagParts::default()
    })
}

fn non_empty(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_owned())
}

pub(crate) fn namespace_name(text: &str) -> Option<String> {
    let is_label = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    non_empty(text)
        .filter(|text| text.bytes().all(is_label) && !text.starts_with('-') && !text.ends_with('-'))
}

/// The longest DNS name at the end of `text`: what stands before it belongs to the tag's own prefix.
pub(crate) fn pod_name(text: &str) -> Option<String> {
    let is_inner = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'.';
    let start = text.bytes().rposition(|b| !is_inner(b)).map_or(0, |at| at + 1);
    let name = text.get(start..)?;
    let is_between = |pair: &[u8]| matches!(pair, b".." | b".-" | b"-.");
    let start = name.as_bytes().windows(2).rposition(is_between).map_or(0, |at| at + 1);
    let name = name.get(start..)?.trim_start_matches(['-', '.']);
    (!name.is_empty() && !name.ends_with(['-', '.'])).then(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const PREFIX: &str = "kube.var.log.containers.";
    const ID: &str = "c9898099f6d235126d564ed38a020007ea7a6fac6e25e718de683c9dd0076c16";

    fn parts(tag: &str) -> Option<TagParts> {
        parse(tag.as_bytes(), PREFIX)
    }

    fn web() -> TagParts {
        TagParts {
            pod: "web-1.a".into(),
            namespace: "shop".into(),
            container: Some("nginx-main".into()),
            docker_id: Some(ID.into()),
            ..TagParts::default()
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
        let expected = TagParts {
            pod: "web-1.a".into(),
            namespace: "shop".into(),
            container: Some("nginx".into()),
            uid: Some("5f2e-11".into()),
            restarts: Some(3),
            ..TagParts::default()
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
        let expect = |pod: usize, cut: Cut, container: Option<&str>, namespace: &str| TagParts {
            pod: "p".repeat(pod),
            namespace: namespace.into(),
            container: container.map(str::to_owned),
            cut: Some(cut),
            ..TagParts::default()
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
    fn groups_fill_what_they_name_and_the_first_of_a_name_counts() {
        let groups: [(&str, &[u8]); 5] = [
            ("namespace_name", b"shop"),
            ("pod_name", b"web"),
            ("pod_name", b"other"),
            ("container_hash", b""),
            ("container_id", b"unknown to the built-in"),
        ];
        let expected = TagParts { pod: "web".into(), namespace: "shop".into(), ..TagParts::default() };
        assert_eq!(TagParts::from_groups(groups), expected);
    }
}
