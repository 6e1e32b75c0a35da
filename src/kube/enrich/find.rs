//! The pod that a tag or a record means, also where that says less than its name and namespace.
//!
//! Serves `enrich`. Invariant: a pod is found only if it is the only one that can be meant.

use std::sync::Arc;

use crate::kube::{
    object::pod::{Container, Pod},
    origin::container_ref::{ContainerRef, Cut},
    store::Store,
};

/// Whether `origin` name a pod by its whole name and namespace.
pub(crate) fn is_named(origin: &ContainerRef) -> bool {
    let is_cut = matches!(origin.cut, Some(Cut::Pod | Cut::Namespace));
    !origin.pod.is_empty() && !origin.namespace.is_empty() && !is_cut
}

/// What the store knows of the pod that `origin` mean.
pub(crate) fn pod(store: &Store, origin: &ContainerRef) -> Option<Arc<Pod>> {
    if is_named(origin) {
        return store.lookup_run(&origin.namespace, &origin.pod, origin.uid.as_deref());
    }
    fn name(pod: &Pod) -> &str {
        pod.meta.name.as_deref().unwrap_or_default()
    }
    match origin.cut {
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

/// `pod`, unless its uid differs from the container's: then another pod has its name now. A static pod's folder is named
/// by the hash of its file.
pub(crate) fn meant<'a>(origin: &ContainerRef, pod: Option<&'a Pod>) -> Option<&'a Pod> {
    pod.filter(|pod| match (&origin.uid, &pod.meta.uid) {
        (Some(tag), Some(api)) => **tag == **api || pod.is_mirror,
        _ => true,
    })
}

/// `origin` with all that follows from the pod that they mean; none if they and the pod say nothing.
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
        let has_it = |container: &&Container| {
            [&container.id, &container.last_id].into_iter().any(|own| own.as_deref() == Some(id))
        };
        origin.container = containers.iter().find(has_it).map(|container| container.name.to_string());
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
