//! One kind of objects, as its list and its watch write them into the store.
//!
//! Serves `watch`. Invariants: a list shows when it is complete; what goes stays for the grace time; what may not be
//! listed is waited for by nobody.

use std::{marker::PhantomData, sync::Arc};

use super::{Missing, Writer, key, table::Table};
use crate::kube::object::{
    labelled::{Namespace, NodeMeta},
    meta::Object,
    pod::Pod,
};

/// The objects of one kind.
pub struct Section<'a, T>(&'a Writer, PhantomData<fn() -> T>);

impl Writer {
    /// The pods.
    pub fn pods(&self) -> Section<'_, Pod> {
        Section(self, PhantomData)
    }

    /// The namespaces.
    pub fn namespaces(&self) -> Section<'_, Namespace> {
        Section(self, PhantomData)
    }

    /// The nodes.
    pub fn nodes(&self) -> Section<'_, NodeMeta> {
        Section(self, PhantomData)
    }
}

/// A kind that the store keeps, and what is its own. Only the store has any.
pub(crate) trait Kept: Object {
    /// Whether nobody waits for them once they failed, for whatever reason.
    const IS_EXTRA: bool = false;

    /// Where they are.
    fn table(writer: &Writer) -> &Table<Self>;

    /// Whether the first sync waits for them.
    fn awaited(missing: &mut Missing) -> &mut bool;

    /// What leads to an object of this name.
    fn key(namespace: &str, name: &str) -> String;

    /// Puts an object, and says whether readers see something new.
    fn put(self, key: &str, writer: &Writer) -> bool {
        Self::table(writer).put(key, self)
    }

    /// An object is gone.
    fn gone(&self, key: &str, writer: &Writer) {
        Self::table(writer).expire(key, writer.0.grace(), |_| true);
    }

    /// A list took the place of these.
    fn replaced(_: Vec<(Arc<str>, Arc<Self>)>, _: &Writer) {}

    /// They may not be listed.
    fn refused(_: &Writer) {}
}

#[expect(private_bounds, reason = "the store alone says what it keeps")]
impl<T: Kept> Section<'_, T> {
    /// A list begins; an unfinished one is forgotten.
    pub fn begin(&self) {
        T::table(self.0).begin();
    }

    /// An object as listed, or as it is now.
    pub fn apply(&self, mut object: T) {
        // It moves with every heartbeat, and no record shows it.
        object.meta_mut().resource_version = None;
        if let Some(key) = key_of(&object) {
            let is_news = object.put(&key, self.0);
            self.0.0.changed(is_news);
        }
    }

    /// An object is listed and can't be read: what was known of it stays.
    pub fn keep(&self, namespace: &str, name: &str) {
        T::table(self.0).keep(&T::key(namespace, name));
    }

    /// An object is gone.
    pub fn delete(&self, object: &T) {
        if let Some(key) = key_of(object) {
            object.gone(&key, self.0);
        }
    }

    /// The list is complete: it replaces what was known.
    pub fn end(&self) {
        let replaced = T::table(self.0).end(self.0.0.grace());
        T::replaced(replaced, self.0);
        self.0.0.changed(true);
        self.await_none();
    }

    /// A list or a watch failed, with this HTTP status if there is one, and is tried again. What is not granted now will
    /// not come in time.
    pub fn failed(&self, status: Option<u16>) {
        let is_refused = status == Some(403);
        if is_refused {
            T::refused(self.0);
        }
        if is_refused || T::IS_EXTRA {
            self.await_none();
        }
    }

    /// The first sync waits for them no more.
    pub fn await_none(&self) {
        self.0.0.missing.send_if_modified(|missing| std::mem::take(T::awaited(missing)));
    }
}

fn key_of<T: Kept>(object: &T) -> Option<String> {
    let meta = object.meta();
    Some(T::key(meta.namespace.as_deref().unwrap_or_default(), meta.name.as_deref()?))
}

impl Kept for Pod {
    fn table(writer: &Writer) -> &Table<Self> {
        &writer.0.pods
    }

    fn awaited(missing: &mut Missing) -> &mut bool {
        &mut missing.pods
    }

    fn key(namespace: &str, name: &str) -> String {
        key(namespace, name)
    }

    fn put(mut self, key: &str, writer: &Writer) -> bool {
        let inner = &writer.0;
        inner.config.unshown.strip(&mut self);
        let before = inner.pods.get(key);
        before.iter().for_each(|before| writer.keep_former(key, before, &self));
        let is_news = inner.pods.put(key, self);
        if is_news && let Some(pod) = inner.pods.get(key) {
            inner.ids.add(key, &pod);
            before.inspect(|before| inner.ids.expire(before, Some(&pod), inner.grace()));
        }
        is_news
    }

    /// One of the same name and another uid is not meant; none means any.
    fn gone(&self, key: &str, writer: &Writer) {
        let (inner, until) = (&writer.0, writer.0.grace());
        let uid = self.meta.uid.as_deref().filter(|uid| !uid.is_empty());
        inner.pods.expire(key, until, |pod| {
            let is_it = uid.is_none() || pod.meta.uid.as_deref() == uid;
            if is_it {
                inner.ids.expire(pod, None, until);
            }
            is_it
        });
    }

    fn replaced(replaced: Vec<(Arc<str>, Arc<Self>)>, writer: &Writer) {
        writer.keep_replaced(replaced);
        writer.0.ids.replace(&writer.0.pods, writer.0.grace());
    }

    /// Pods are looked up from then on, in a watch of all pods too.
    fn refused(writer: &Writer) {
        writer.enable_lookups();
    }
}

macro_rules! kept_by_name {
    ($object:ident, $table:ident, is extra: $is_extra:literal) => {
        impl Kept for $object {
            const IS_EXTRA: bool = $is_extra;

            fn table(writer: &Writer) -> &Table<Self> {
                &writer.0.$table
            }

            fn awaited(missing: &mut Missing) -> &mut bool {
                &mut missing.$table
            }

            fn key(_: &str, name: &str) -> String {
                name.to_owned()
            }
        }
    };
}

kept_by_name!(Namespace, namespaces, is extra: false);
kept_by_name!(NodeMeta, nodes, is extra: true);
