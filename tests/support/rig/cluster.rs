//! A Kubernetes API, real or scripted, that a test fills with objects.

use std::{fs, path::Path};

use serde_json::Value;

use crate::{
    apiserver::ApiServer,
    servers::{
        api::Api,
        kubernetes::{Kubernetes, Programs},
        roster,
    },
};

const TOKEN: &str = "stand-in-token";

/// Where pods, namespaces and events are.
pub enum Cluster {
    /// etcd and kube-apiserver, shared by the tests of this binary.
    Real(&'static Kubernetes),
    /// A scripted server of one test.
    StandIn(Box<(ApiServer, Api)>),
}

impl Cluster {
    /// The real one, where this machine has it.
    pub fn real() -> Option<Self> {
        let Some(programs) = Programs::find() else {
            roster::skipped("etcd and kube-apiserver", "not built: make servers builds them, with Go");
            return None;
        };
        let (etcd, apiserver) = programs.versions();
        roster::real("etcd", etcd);
        roster::real("kube-apiserver", apiserver);
        Kubernetes::shared().map(Self::Real)
    }

    /// The stand-in.
    pub fn stand_in() -> Self {
        let server = ApiServer::start();
        server.require_token(TOKEN);
        let api = Api::new(&server.url(), None, Some(TOKEN));
        roster::stand_in("Kubernetes", "the scripted API server");
        Self::StandIn(Box::new((server, api)))
    }

    /// The API, with all rights.
    pub fn api(&self) -> &Api {
        match self {
            Self::Real(kubernetes) => kubernetes.api(),
            Self::StandIn(parts) => &parts.1,
        }
    }

    /// Creates `object` where its kind lives.
    pub fn create(&self, object: &Value) -> Value {
        self.api().create(&collection(object), object)
    }

    /// The lines by which a plugin reaches the API with the rights of a reader; files go to `folder`.
    pub fn options(&self, folder: &Path) -> String {
        let url = self.api().url();
        match self {
            Self::Real(kubernetes) => format!(
                "    Kube_URL         {url}\n    Kube_CA_File     {}\n    Kube_Token_File  {}\n",
                kubernetes.ca_file().display(),
                kubernetes.reader_token_file().display()
            ),
            Self::StandIn(_) => {
                let token = folder.join("token");
                fs::write(&token, TOKEN).expect("a file can be written");
                format!("    Kube_URL         {url}\n    Kube_Token_File  {}\n", token.display())
            }
        }
    }
}

/// The path of the collection that `object` belongs to.
pub fn collection(object: &Value) -> String {
    let namespace = object["metadata"]["namespace"].as_str().unwrap_or_default();
    match object["kind"].as_str() {
        Some("Namespace") => "/api/v1/namespaces".to_owned(),
        Some("Pod") => format!("/api/v1/namespaces/{namespace}/pods"),
        Some("Event") => format!("/api/v1/namespaces/{namespace}/events"),
        kind => panic!("no collection is known for {kind:?}"),
    }
}
