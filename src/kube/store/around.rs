//! What is around pods: namespaces and nodes, as the watch writes them.
//!
//! Serves `watch`. Invariant: they are an addition: where they are refused, nothing waits for them.

use super::{Namespace, NodeMeta, Writer};

impl Writer {
    /// A list of namespaces begins; an unfinished one is forgotten.
    pub fn begin_namespace_list(&self) {
        self.0.namespaces.begin();
    }

    /// A namespace as listed, or as it is now.
    pub fn apply_namespace(&self, mut namespace: Namespace) {
        namespace.meta.resource_version = None;
        if let Some(name) = namespace.meta.name.clone() {
            self.0.changed(self.0.namespaces.put(&name, namespace));
        }
    }

    /// A namespace is listed and can't be read: what was known of it stays.
    pub fn keep_namespace(&self, name: &str) {
        self.0.namespaces.keep(name);
    }

    /// A namespace is gone.
    pub fn delete_namespace(&self, name: &str) {
        self.0.namespaces.expire(name, self.0.grace(), |_| true);
    }

    /// The list of namespaces is complete: it replaces what was known.
    pub fn end_namespace_list(&self) {
        self.0.namespaces.end(self.0.grace());
        self.0.changed(true);
        self.await_no_namespaces();
    }

    /// The first sync waits for the list of pods no more: it is refused, or there is none. Pods are looked up from now
    /// on; what is known stays until a list says otherwise.
    pub fn await_no_pods(&self) {
        self.0.missing.send_if_modified(|missing| std::mem::take(&mut missing.pods));
    }

    /// The first sync waits for namespaces no more.
    pub fn await_no_namespaces(&self) {
        self.0.missing.send_if_modified(|missing| std::mem::take(&mut missing.namespaces));
    }

    /// Whether the first sync waits for nodes too; unless told so, it does not.
    pub fn await_nodes(&self, wanted: bool) {
        self.0.missing.send_if_modified(|missing| std::mem::replace(&mut missing.nodes, wanted) != wanted);
    }

    /// A list of nodes begins; an unfinished one is forgotten.
    pub fn begin_node_list(&self) {
        self.0.nodes.begin();
    }

    /// A node as listed, or as it is now.
    pub fn apply_node(&self, mut node: NodeMeta) {
        node.meta.resource_version = None;
        if let Some(name) = node.meta.name.clone() {
            self.0.changed(self.0.nodes.put(&name, node));
        }
    }

    /// A node is listed and can't be read: what was known of it stays.
    pub fn keep_node(&self, name: &str) {
        self.0.nodes.keep(name);
    }

    /// A node is gone.
    pub fn delete_node(&self, name: &str) {
        self.0.nodes.expire(name, self.0.grace(), |_| true);
    }

    /// The list of nodes is complete: it replaces what was known.
    pub fn end_node_list(&self) {
        self.0.nodes.end(self.0.grace());
        self.0.changed(true);
        self.await_nodes(false);
    }
}
