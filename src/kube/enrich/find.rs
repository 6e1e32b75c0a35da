//! The pod that a tag or a record means, also where that says less than its name and namespace.
//!
//! Serves `enrich`. Invariant: a pod is found only if it is the only one that can be meant.

use std::sync::Arc;

use crate::kube::{
    object::pod::{Container, Pod},
    origin::container_ref::{ContainerRef, Cut},
    store::Store,
};

/// Whether `origin` names a pod by its whole name and namespace.
pub(crate) fn is_named(origin: &ContainerRef) -> bool {
    let is_cut = matches!(origin.cut, Some(Cut::Pod | Cut::Namespace));
    !origin.pod.is_empty() && !origin.namespace.is_empty() && !is_cut
}

/// What the store knows of the pod that `origin` means. An id tells more than a name, which another pod may have by now.
pub(crate) fn pod(store: &Store, origin: &ContainerRef) -> Option<Arc<Pod>> {
    if is_named(origin) {
        let by_id = || origin.docker_id.as_deref().and_then(|id| store.lookup_id(id));
        return match &origin.uid {
            None => by_id().filter(|pod| has_name(pod, origin)),
            Some(_) => None,
        }
        .or_else(|| store.lookup_run(&origin.namespace, &origin.pod, origin.uid.as_deref()));
    }
    let name = |pod: &Pod| pod.meta.name.as_deref().unwrap_or_default().to_owned();
    match origin.cut {
        // Another pod with this beginning may be still to come.
        Some(Cut::Pod | Cut::Namespace) if !store.has_listed_pods() => None,
        Some(Cut::Pod) => store.lookup_only(|pod| name(pod).starts_with(&origin.pod)),
        Some(Cut::Namespace) => store.lookup_only(|pod| {
            let namespace = pod.meta.namespace.as_deref().unwrap_or_default();
            name(pod) == origin.pod && namespace.starts_with(&origin.namespace)
        }),
        _ => {
            let ids = [&origin.docker_id, &origin.uid];
            ids.into_iter().flatten().find_map(|id| store.lookup_id(id))
        }
    }
}

fn has_name(pod: &Pod, origin: &ContainerRef) -> bool {
    let is = |field: &Option<Box<str>>, text: &str| field.as_deref() == Some(text);
    is(&pod.meta.name, &origin.pod) && is(&pod.meta.namespace, &origin.namespace)
}

/// Whether `pod` is known to be the one that `origin` comes from: by its uid, or by the id of a run of its containers.
pub(crate) fn is_sure(store: Option<&Store>, origin: &ContainerRef, pod: &Pod) -> bool {
    if origin.uid.is_some() {
        return meant(origin, Some(pod)).is_some();
    }
    let Some(id) = origin.docker_id.as_deref() else { return false };
    let is_known = || {
        store
            .and_then(|store| store.lookup_id(id))
            .is_some_and(|known| has_name(&known, origin) && known.meta.uid == pod.meta.uid)
    };
    pod.containers.iter().any(|container| has_run(container, id)) || is_known()
}

/// Whether `pod`, which has the name that `origin` tells, may have been replaced by another: it is not watched, and the
/// container's id is none of those that its runs have had.
pub(crate) fn is_doubtful(store: &Store, origin: &ContainerRef, pod: &Pod) -> bool {
    let is_other = |container: &Container| {
        container.id.is_some() && origin.container.as_deref().is_none_or(|name| *container.name == *name)
    };
    origin.docker_id.is_some()
        && is_named(origin)
        && !store.is_watched(&origin.namespace, &origin.pod)
        && pod.containers.iter().any(is_other)
        && !is_sure(Some(store), origin, pod)
}

fn has_run(container: &Container, id: &str) -> bool {
    [&container.id, &container.last_id].into_iter().any(|own| own.as_deref() == Some(id))
}

/// `pod`, unless its uid differs from the container's: then another pod has its name now. A static pod's folder is named
/// by the hash of its file.
pub(crate) fn meant<'a>(origin: &ContainerRef, pod: Option<&'a Pod>) -> Option<&'a Pod> {
    pod.filter(|pod| match (&origin.uid, &pod.meta.uid) {
        (Some(tag), Some(api)) => **tag == **api || pod.is_mirror,
        _ => true,
    })
}

/// `origin` with all that follows from its pod; none if neither names anything.
pub(crate) fn complete(origin: &ContainerRef, pod: Option<&Pod>) -> Option<ContainerRef> {
    let mut origin = origin.clone();
    if !is_named(&origin) {
        let text = |field: &Option<Box<str>>| field.as_deref().unwrap_or_default().to_owned();
        match pod {
            Some(pod) => {
                (origin.pod, origin.namespace) = (text(&pod.meta.name), text(&pod.meta.namespace));
            }
            // The beginning of a name is not a name.
            None if origin.cut == Some(Cut::Pod) => return None,
            None if origin.cut == Some(Cut::Namespace) => origin.namespace.clear(),
            // Without the uid it may be a container of something else.
            None if origin.uid.is_none() => return None,
            None => {}
        }
    }
    let containers = pod.map_or(&[][..], |pod| &pod.containers);
    if let Some(Cut::Container(text)) = &origin.cut {
        if let Some((container, id)) = only(containers, text) {
            origin.container = Some(container.name.to_string());
            origin.docker_id = id.map(str::to_owned);
        }
    } else if origin.container.is_none()
        && let Some(id) = origin.docker_id.as_deref()
    {
        let has_it = containers.iter().find(|container| has_run(container, id));
        origin.container = has_it.map(|container| container.name.to_string());
    }
    Some(origin)
}

/// The only container, and the run of it, whose `<name>-<id>` begins with `text`.
fn only<'a>(containers: &'a [Container], text: &str) -> Option<(&'a Container, Option<&'a str>)> {
    let runs = containers.iter().flat_map(|container| {
        let ids = [container.id.as_deref(), container.last_id.as_deref()];
        ids.into_iter().flatten().map(move |id| (container, id))
    });
    let mut fitting = runs.filter(|(container, id)| format!("{}-{id}", container.name).starts_with(text));
    let (first, id) = fitting.next()?;
    // Two runs of one container may fit, where nothing of the id is left.
    let mut others = fitting.peekable();
    let id = others.peek().is_none().then_some(id);
    others.all(|(container, _)| container.name == first.name).then_some((first, id))
}
