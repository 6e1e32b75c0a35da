//! The pod that a tag or a record means, also where that says less than its name and namespace.
//!
//! Serves `enrich`. Invariant: a pod is found only if it is the only one that can be meant.

use std::sync::Arc;

use crate::kube::{
    object::pod::{Container, Pod},
    origin::tag::{Cut, TagParts},
    store::Store,
};

/// Whether `parts` name a pod by its whole name and namespace.
pub(crate) fn is_named(parts: &TagParts) -> bool {
    let is_cut = matches!(parts.cut, Some(Cut::Pod | Cut::Namespace));
    !parts.pod.is_empty() && !parts.namespace.is_empty() && !is_cut
}

/// What the store knows of the pod that `parts` mean.
pub(crate) fn pod(store: &Store, parts: &TagParts) -> Option<Arc<Pod>> {
    if is_named(parts) {
        return store.lookup_run(&parts.namespace, &parts.pod, parts.uid.as_deref());
    }
    fn name(pod: &Pod) -> &str {
        pod.meta.name.as_deref().unwrap_or_default()
    }
    match parts.cut {
        Some(Cut::Pod) => store.lookup_only(|pod| name(pod).starts_with(&parts.pod)),
        Some(Cut::Namespace) => store.lookup_only(|pod| {
            let namespace = pod.meta.namespace.as_deref().unwrap_or_default();
            name(pod) == parts.pod && namespace.starts_with(&parts.namespace)
        }),
        _ => {
            let ids = [&parts.docker_id, &parts.uid];
            ids.into_iter().flatten().find_map(|id| store.lookup_id(id))
        }
    }
}

/// `parts` with all that follows from the pod that they mean; none if they and the pod say nothing.
pub(crate) fn complete(parts: &TagParts, pod: Option<&Pod>) -> Option<TagParts> {
    let mut parts = parts.clone();
    if !is_named(&parts) {
        let text = |field: &Option<Box<str>>| field.as_deref().unwrap_or_default().to_owned();
        match pod {
            Some(pod) => {
                (parts.pod, parts.namespace) = (text(&pod.meta.name), text(&pod.meta.namespace));
            }
            // The beginning of a name is not a name.
            None if parts.cut == Some(Cut::Pod) => return None,
            None if parts.cut == Some(Cut::Namespace) => parts.namespace.clear(),
            // Without the uid it may be a container of something else.
            None if parts.uid.is_none() => return None,
            None => {}
        }
    }
    let containers = pod.map_or(&[][..], |pod| &pod.containers);
    if let Some(Cut::Container(text)) = &parts.cut {
        if let Some((container, id)) = only(containers, text) {
            parts.container = Some(container.name.to_string());
            parts.docker_id = id.map(str::to_owned);
        }
    } else if parts.container.is_none()
        && let Some(id) = parts.docker_id.as_deref()
    {
        let has_it = |container: &&Container| {
            [&container.id, &container.last_id].into_iter().any(|own| own.as_deref() == Some(id))
        };
        parts.container = containers.iter().find(has_it).map(|container| container.name.to_string());
    }
    Some(parts)
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
