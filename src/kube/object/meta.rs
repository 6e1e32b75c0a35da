//! What all objects of the API have in common.
//!
//! Serves the other files of this room, `store` and `watch`. Invariant: a field that is absent or null is nothing.

use serde::{Deserialize, de::DeserializeOwned};

use super::msgpack::Msgpack;

/// What names an object.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Meta {
    /// Its name.
    pub name: Option<Box<str>>,
    /// Its namespace, if it lives in one.
    pub namespace: Option<Box<str>>,
    /// Its uid.
    pub uid: Option<Box<str>>,
    /// Which state of it this is; the store keeps none.
    pub resource_version: Option<Box<str>>,
}

/// An object that is listed and watched.
pub trait Object: DeserializeOwned + PartialEq {
    /// The plural, for the log.
    const RESOURCE: &'static str;

    /// What names it.
    fn meta(&self) -> &Meta;

    /// The same, to be changed.
    fn meta_mut(&mut self) -> &mut Meta;
}

/// The same as the API sends it.
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct WireMeta {
    name: Option<Box<str>>,
    namespace: Option<Box<str>>,
    uid: Option<Box<str>>,
    resource_version: Option<Box<str>>,
    pub(super) creation_timestamp: Option<Box<str>>,
    pub(super) labels: Option<Msgpack>,
    pub(super) annotations: Option<Msgpack>,
    pub(super) owner_references: Option<Msgpack>,
}

impl WireMeta {
    /// What names it, taken out.
    pub(super) fn names(&mut self) -> Meta {
        Meta {
            name: self.name.take(),
            namespace: self.namespace.take(),
            uid: self.uid.take(),
            resource_version: self.resource_version.take(),
        }
    }
}
