//! The labels and annotations of a container's pod, namespace and node, within a size.
//!
//! Serves `metadata`. Invariant: what is too much goes by whole entries, the largest first, whichever map they are of.

use std::cmp::Reverse;

use super::{
    known::Known,
    layout::Layout,
    select::{Entry, Naming, Select, entries},
};
use crate::{kube::object::msgpack::Msgpack, record::msgpack::reader::Map};

/// The maps that a layout asks for, as far as they are known.
#[derive(Default)]
pub(super) struct Maps<'a> {
    pub(super) labels: Option<Vec<Entry<'a>>>,
    pub(super) annotations: Option<Vec<Entry<'a>>>,
    pub(super) namespace_labels: Option<Vec<Entry<'a>>>,
    pub(super) namespace_annotations: Option<Vec<Entry<'a>>>,
    pub(super) node_labels: Option<Vec<Entry<'a>>>,
    pub(super) node_annotations: Option<Vec<Entry<'a>>>,
}

impl<'a> Maps<'a> {
    pub(super) fn choose(layout: &'a Layout, known: Known<'a>) -> Self {
        let choose =
            |select: &Option<Select>, map: Option<&'a Msgpack>| shown(select.as_ref()?, map?, &layout.names);
        let (pod, namespace, node) = (known.pod, known.namespace, known.node);
        Self {
            labels: choose(&layout.labels, pod.and_then(|pod| pod.labels.as_ref())),
            annotations: choose(&layout.annotations, pod.and_then(|pod| pod.annotations.as_ref())),
            namespace_labels: choose(&layout.namespace_labels, namespace.and_then(|it| it.labels.as_ref())),
            namespace_annotations: choose(
                &layout.namespace_annotations,
                namespace.and_then(|it| it.annotations.as_ref()),
            ),
            node_labels: choose(&layout.node_labels, node.and_then(|node| node.labels.as_ref())),
            node_annotations: choose(
                &layout.node_annotations,
                node.and_then(|node| node.annotations.as_ref()),
            ),
        }
    }

    /// Removes entries of `excess` bytes or a little more, the largest first; returns whether there were any.
    pub(super) fn cut(&mut self, excess: usize) -> bool {
        let all = [
            &mut self.labels,
            &mut self.annotations,
            &mut self.namespace_labels,
            &mut self.namespace_annotations,
            &mut self.node_labels,
            &mut self.node_annotations,
        ];
        let mut sizes = Vec::new();
        for (map, entries) in all.iter().enumerate() {
            let entries = entries.iter().flatten().enumerate();
            sizes.extend(entries.map(|(at, entry)| (entry.name.len() + entry.value.len(), map, at)));
        }
        sizes.sort_by_key(|(size, ..)| Reverse(*size));
        let mut freed = 0;
        sizes.retain(|(size, ..)| {
            let goes = freed < excess;
            freed += size;
            goes
        });
        sizes.sort_unstable_by_key(|(_, map, at)| (*map, *at));
        // From the end, so that places stay what they are.
        for (_, map, at) in sizes.iter().rev() {
            if let Some(entries) = all[*map] {
                entries.remove(*at);
            }
        }
        for entries in all {
            if entries.as_ref().is_some_and(Vec::is_empty) {
                *entries = None;
            }
        }
        !sizes.is_empty()
    }
}

/// What is no map, or has nothing that is taken, is not shown; what was empty is, as the built-in filter shows it.
fn shown<'a>(select: &Select, map: &'a Msgpack, names: &'a Naming) -> Option<Vec<Entry<'a>>> {
    let map = Map::of(map.bytes())?;
    Some(entries(map, select, names)).filter(|entries| map.len == 0 || !entries.is_empty())
}
