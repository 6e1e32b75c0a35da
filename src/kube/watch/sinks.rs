//! Where watched objects go: into the store, each kind in its own way.
//!
//! Serves `reflector`. Invariant: what may not be listed is waited for by nobody.

use serde::de::DeserializeOwned;

use crate::kube::{
    api::error::Failure,
    object::{
        node::NodeMeta,
        pod::{Meta, Namespace, Pod},
    },
    store::Writer,
};

/// Where objects go.
pub(crate) trait Sink {
    /// The object as far as it is wanted.
    type Object: DeserializeOwned;
    /// The plural, for the log.
    const RESOURCE: &'static str;

    /// What names an object.
    fn meta(object: &Self::Object) -> &Meta;
    /// A list begins.
    fn begin(&self);
    /// An object as it is now.
    fn apply(&self, object: Self::Object);
    /// An object is there and can't be read: what was known of it stays.
    fn keep(&self, namespace: &str, name: &str);
    /// An object is gone.
    fn delete(&self, object: &Self::Object);
    /// The list is complete.
    fn end(&self);
    /// A list or a watch failed, and is tried again.
    fn failed(&self, _: &Failure) {}
}

pub(crate) struct Pods<'a>(pub(crate) &'a Writer);

impl Sink for Pods<'_> {
    type Object = Pod;
    const RESOURCE: &'static str = "pods";

    fn meta(pod: &Pod) -> &Meta {
        &pod.meta
    }

    fn begin(&self) {
        self.0.begin_list();
    }

    fn apply(&self, pod: Pod) {
        self.0.apply(pod);
    }

    fn keep(&self, namespace: &str, name: &str) {
        self.0.keep(namespace, name);
    }

    fn delete(&self, pod: &Pod) {
        let [namespace, name, uid] = [&pod.meta.namespace, &pod.meta.name, &pod.meta.uid]
            .map(|text| text.as_deref().unwrap_or_default());
        self.0.delete(namespace, name, uid);
    }

    fn end(&self) {
        self.0.end_list();
    }

    fn failed(&self, failure: &Failure) {
        // What is not granted now will not come in time: pods are looked up until then, in a watch of all pods too.
        if failure.code() == Some(403) {
            self.0.enable_lookups();
            self.0.await_no_pods();
        }
    }
}

pub(crate) struct Namespaces<'a>(pub(crate) &'a Writer);

impl Sink for Namespaces<'_> {
    type Object = Namespace;
    const RESOURCE: &'static str = "namespaces";

    fn meta(namespace: &Namespace) -> &Meta {
        &namespace.meta
    }

    fn begin(&self) {
        self.0.begin_namespace_list();
    }

    fn apply(&self, namespace: Namespace) {
        self.0.apply_namespace(namespace);
    }

    fn keep(&self, _: &str, name: &str) {
        self.0.keep_namespace(name);
    }

    fn delete(&self, namespace: &Namespace) {
        self.0.delete_namespace(namespace.meta.name.as_deref().unwrap_or_default());
    }

    fn end(&self) {
        self.0.end_namespace_list();
    }

    fn failed(&self, failure: &Failure) {
        // What is not granted now will not come in time.
        if failure.code() == Some(403) {
            self.0.await_no_namespaces();
        }
    }
}

/// Where watched nodes go.
pub(crate) struct Nodes<'a>(pub(crate) &'a Writer);

impl Sink for Nodes<'_> {
    type Object = NodeMeta;
    const RESOURCE: &'static str = "nodes";

    fn meta(node: &NodeMeta) -> &Meta {
        &node.meta
    }

    fn begin(&self) {
        self.0.begin_node_list();
    }

    fn apply(&self, node: NodeMeta) {
        self.0.apply_node(node);
    }

    fn keep(&self, _: &str, name: &str) {
        self.0.keep_node(name);
    }

    fn delete(&self, node: &NodeMeta) {
        self.0.delete_node(node.meta.name.as_deref().unwrap_or_default());
    }

    fn end(&self) {
        self.0.end_node_list();
    }

    fn failed(&self, _: &Failure) {
        self.0.await_nodes(false);
    }
}
