//! Which container wrote a record of the systemd journal.
//!
//! Serves `record_fields`. Docker (for dockershim and cri-dockerd) and conmon (for CRI-O) set CONTAINER_NAME and
//! CONTAINER_ID_FULL in what a container prints. What a container's process sends to the journal by itself, whatever
//! the runtime, has the cgroup that journald saw: its path names the pod's uid and the container's id. Names of fields
//! may have lost their underscores in front and their capitals, as the systemd input offers. Any process may write
//! CONTAINER_NAME; the fields that journald adds say which did. Invariant: the record of a service, or of a runtime
//! itself, is no container's; a container's process can't write in another's name.

use crate::{
    kube::origin::container_ref::{self, ContainerRef, is_id},
    record::msgpack::reader::{Map, text},
};

/// What a record says of its container.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Container<'a> {
    name: Option<&'a [u8]>,
    id: Option<&'a [u8]>,
    cgroup: Option<&'a [u8]>,
    is_of_runtime: bool,
}

impl<'a> Container<'a> {
    /// None for records that have no field of a container's.
    pub(crate) fn of(body: Map<'a>) -> Option<Self> {
        let mut found = Self::default();
        for pair in body.pairs() {
            let Some(key) = text(pair.key) else { continue };
            // Most names begin with other letters.
            let key = bare(key);
            let field = match key.first().map(u8::to_ascii_lowercase) {
                Some(b'c') if key.eq_ignore_ascii_case(b"CONTAINER_NAME") => &mut found.name,
                Some(b'c') if key.eq_ignore_ascii_case(b"CONTAINER_ID_FULL") => &mut found.id,
                Some(b's') if key.eq_ignore_ascii_case(b"SYSTEMD_CGROUP") => &mut found.cgroup,
                Some(b'c') if key.eq_ignore_ascii_case(b"COMM") => {
                    found.is_of_runtime |= text(pair.value).is_some_and(is_runtime);
                    continue;
                }
                Some(b's') if key.eq_ignore_ascii_case(b"SYSTEMD_UNIT") => {
                    found.is_of_runtime |= text(pair.value).is_some_and(is_unit_of_runtime);
                    continue;
                }
                _ => continue,
            };
            *field = text(pair.value).filter(|value| !value.is_empty());
        }
        if !found.is_of_runtime {
            (found.name, found.id) = (None, None);
        }
        if found.name.is_none() && found.id.is_none() {
            found.cgroup = found.cgroup.filter(|path| memchr::memmem::find(path, b"pod").is_some());
            found.cgroup?;
        } else {
            // That of the runtime, which speaks for the container.
            found.cgroup = None;
        }
        Some(found)
    }

    /// What tells it from others.
    pub(crate) fn values(&self) -> [Option<&'a [u8]>; 3] {
        [self.name, self.id, self.cgroup]
    }

    /// What it says; none if that is no container of Kubernetes'.
    pub(crate) fn container_ref(&self) -> Option<ContainerRef> {
        let text = |value: Option<&'a [u8]>| value.and_then(|value| std::str::from_utf8(value).ok());
        let id = text(self.id).filter(|id| is_id(id)).map(str::to_owned);
        if let Some(name) = text(self.name) {
            return Some(ContainerRef { docker_id: id, ..named(name)? });
        }
        match id {
            Some(_) => Some(ContainerRef { docker_id: id, ..ContainerRef::default() }),
            None => in_cgroup(text(self.cgroup)?),
        }
    }
}

/// The stream of a container's record, by the priority that the runtimes give to each.
pub(crate) fn stream(body: Map<'_>) -> Option<&[u8]> {
    let is_priority = |key: &[u8]| bare(key).eq_ignore_ascii_case(b"PRIORITY");
    let pair = body.pairs().find(|pair| text(pair.key).is_some_and(is_priority))?;
    match (text(pair.value), pair.value) {
        (Some(b"6"), _) | (None, [6]) => Some(b"stdout"),
        (Some(b"3"), _) | (None, [3]) => Some(b"stderr"),
        _ => None,
    }
}

/// Whether this is the name of a process of Docker's or of conmon's (`conmonrs`).
fn is_runtime(comm: &[u8]) -> bool {
    comm == b"dockerd" || comm.starts_with(b"conmon")
}

/// Whether the process that wrote the record is one of this unit's: of Docker's, CRI-O's, or conmon's for a container.
fn is_unit_of_runtime(unit: &[u8]) -> bool {
    unit == b"docker.service" || unit == b"crio.service" || unit.starts_with(b"crio-conmon-")
}

/// A field's name without the underscores in front, which mark what journald vouches for.
fn bare(name: &[u8]) -> &[u8] {
    let start = name.iter().position(|byte| *byte != b'_').unwrap_or(name.len());
    &name[start..]
}

/// `k8s_<container>[.<hash>]_<pod>_<namespace>_<uid>_<attempt>`
fn named(name: &str) -> Option<ContainerRef> {
    let mut parts = name.strip_prefix("k8s_")?.split('_');
    let mut next = || parts.next().filter(|part| !part.is_empty());
    let (container, pod, namespace, uid, _attempt) = (next()?, next()?, next()?, next()?, next()?);
    parts.next().is_none().then_some(())?;
    let (container, hash) =
        container.split_once('.').map_or((container, None), |(name, hash)| (name, Some(hash)));
    Some(ContainerRef {
        pod: container_ref::pod_name(pod).filter(|name| name == pod)?,
        namespace: container_ref::namespace_name(namespace)?,
        container: Some(container.to_owned()),
        container_hash: hash.map(str::to_owned),
        uid: Some(uid.to_owned()),
        ..ContainerRef::default()
    })
}

/// `…-pod<uid>.slice/cri-containerd-<id>.scope`, `…/crio-<id>.scope`, `…/docker-<id>.scope`, or without systemd's names
/// `…/pod<uid>/<id>`; and what the container made below it.
fn in_cgroup(path: &str) -> Option<ContainerRef> {
    let mut folders = path.split('/').skip_while(|folder| !folder.contains("kubepods")).peekable();
    folders.peek()?;
    let uid = folders.find_map(|folder| {
        let folder = folder.strip_suffix(".slice").unwrap_or(folder);
        let uid = folder.strip_prefix("pod").or_else(|| folder.rsplit_once("-pod").map(|(_, uid)| uid))?;
        // systemd has a meaning of its own for dashes.
        let is_uid = uid.len() >= 32 && uid.bytes().all(|b| b.is_ascii_hexdigit() || b == b'_' || b == b'-');
        is_uid.then(|| uid.replace('_', "-"))
    })?;
    let scope = folders.next()?;
    let scope = scope.strip_suffix(".scope").unwrap_or(scope);
    let (runtime, id) = scope.rsplit_once(['-', ':']).unwrap_or(("", scope));
    // What supervises a container writes of itself.
    (is_id(id) && !runtime.ends_with("conmon")).then_some(())?;
    Some(ContainerRef { uid: Some(uid), docker_id: Some(id.to_owned()), ..ContainerRef::default() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::msgpack::write;

    const ID: &str = "c9898099f6d235126d564ed38a020007ea7a6fac6e25e718de683c9dd0076c16";
    const UID: &str = "d6c53deb-05a4-11e8-a8c4-080027435fb7";

    fn parts(fields: &[(&str, &str)]) -> Option<ContainerRef> {
        let mut body = Vec::new();
        write::map_header(&mut body, fields.len());
        for (key, value) in fields {
            write::str(&mut body, key);
            write::str(&mut body, value);
        }
        Container::of(Map::of(&body)?)?.container_ref()
    }

    #[test]
    fn the_name_that_runtimes_give_names_all() {
        let name = format!("k8s_app.4f2a_web-1.a_shop_{UID}_23");
        let expected = ContainerRef {
            pod: "web-1.a".into(),
            namespace: "shop".into(),
            container: Some("app".into()),
            container_hash: Some("4f2a".into()),
            docker_id: Some(ID.into()),
            uid: Some(UID.into()),
            ..ContainerRef::default()
        };
        let named = [("_COMM", "conmon"), ("CONTAINER_NAME", name.as_str()), ("CONTAINER_ID_FULL", ID)];
        assert_eq!(parts(&named), Some(expected.clone()));
        let lowered = [
            ("container_name", name.as_str()),
            ("container_id_full", ID),
            ("systemd_unit", "docker.service"),
        ];
        assert_eq!(parts(&lowered), Some(expected));
    }

    #[test]
    fn the_cgroup_names_the_pods_uid_and_the_containers_id() {
        let expected =
            ContainerRef { uid: Some(UID.into()), docker_id: Some(ID.into()), ..ContainerRef::default() };
        let slice = format!("kubepods-burstable-pod{}.slice", UID.replace('-', "_"));
        for path in [
            format!("/kubepods.slice/kubepods-burstable.slice/{slice}/cri-containerd-{ID}.scope"),
            format!("/kubepods.slice/kubepods-burstable.slice/{slice}/crio-{ID}.scope"),
            format!("/kubepods.slice/kubepods-burstable.slice/{slice}/cri-containerd-{ID}.scope/init.scope"),
            format!("/kubelet.slice/kubelet-kubepods.slice/kubelet-{slice}/docker-{ID}.scope"),
            format!("/kubepods/burstable/pod{UID}/{ID}"),
            format!(
                "/system.slice/containerd.service/{slice}:cri-containerd:{ID}/{slice}/cri-containerd-{ID}"
            ),
        ] {
            assert_eq!(parts(&[("_SYSTEMD_CGROUP", &path)]), Some(expected.clone()), "{path}");
            assert_eq!(parts(&[("systemd_cgroup", &path)]), Some(expected.clone()), "{path}");
        }
    }

    #[test]
    fn services_runtimes_and_other_containers_are_none() {
        let slice = format!("/kubepods.slice/kubepods-pod{}.slice", UID.replace('-', "_"));
        assert_eq!(parts(&[("_SYSTEMD_UNIT", "kubelet.service"), ("MESSAGE", "x")]), None);
        assert_eq!(parts(&[("_SYSTEMD_CGROUP", "/system.slice/podman.service")]), None);
        assert_eq!(parts(&[("_SYSTEMD_CGROUP", &format!("{slice}/crio-conmon-{ID}.scope"))]), None);
        assert_eq!(parts(&[("_SYSTEMD_CGROUP", &slice)]), None);
        let of_docker = ("_COMM", "dockerd");
        assert_eq!(parts(&[of_docker, ("CONTAINER_NAME", "registry"), ("CONTAINER_ID_FULL", ID)]), None);
        assert_eq!(parts(&[of_docker, ("CONTAINER_NAME", "k8s_a_b_c_d")]), None);
    }

    #[test]
    fn the_name_that_another_process_writes_is_not_believed() {
        let name = format!("k8s_app_etcd-0_kube-system_{UID}_0");
        let claim = [("CONTAINER_NAME", name.as_str()), ("CONTAINER_ID_FULL", ID)];
        assert_eq!(parts(&claim), None);
        assert_eq!(parts(&[&claim[..], &[("_COMM", "sh"), ("_SYSTEMD_UNIT", "ssh.service")]].concat()), None);
        // What journald saw of it counts.
        let own = ID.replace('c', "d");
        let cgroup = format!("/kubepods/burstable/pod{UID}/{own}");
        let shown = parts(&[&claim[..], &[("_COMM", "sh"), ("_SYSTEMD_CGROUP", &cgroup)]].concat()).unwrap();
        assert_eq!((shown.docker_id, shown.pod), (Some(own), String::new()));
    }

    #[test]
    fn the_priority_tells_the_stream() {
        let stream = |key: &str, value: &str| {
            let mut body = vec![0x81];
            write::str(&mut body, key);
            write::str(&mut body, value);
            super::stream(Map::of(&body).unwrap()).map(|stream| String::from_utf8(stream.to_vec()).unwrap())
        };
        assert_eq!(stream("PRIORITY", "6").as_deref(), Some("stdout"));
        assert_eq!(stream("priority", "3").as_deref(), Some("stderr"));
        assert_eq!(stream("PRIORITY", "4"), None);
    }
}
