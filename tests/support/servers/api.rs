//! A client of a Kubernetes API, for tests to set the scene with: objects in, objects out, all as JSON.
//!
//! Serves the real server and the stand-in alike.

use std::path::Path;

use hyper::{Request, http::request::Builder};
use kube::{Client, Config};
use serde_json::{Value, json};
use tokio::runtime::Runtime;

const MERGE: &str = "application/merge-patch+json";

/// An API server, as one user sees it.
pub struct Api {
    url: String,
    client: Client,
    runtime: Runtime,
}

impl Api {
    /// Of the server at `url`, which `ca` vouches for, on behalf of the bearer of `token`.
    pub fn new(url: &str, ca: Option<&Path>, token: Option<&str>) -> Self {
        let mut runtime = tokio::runtime::Builder::new_multi_thread();
        let runtime = runtime.worker_threads(1).enable_all().build().expect("a runtime starts");
        let mut config = Config::new(url.parse().expect("a URL"));
        config.root_cert_file = ca.map(Path::to_owned);
        config.auth_info.token = token.map(|token| token.to_owned().into());
        let entered = runtime.enter();
        let client = Client::try_from(config).expect("a client");
        drop(entered);
        Self { url: url.to_owned(), client, runtime }
    }

    /// Where the server is.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Creates `object` in the collection at `path`, with its status where it has one: there is no kubelet.
    pub fn create(&self, path: &str, object: &Value) -> Value {
        let created = self.change(Request::post(path), "application/json", object);
        if object.get("status").is_none() {
            return created;
        }
        let name = created["metadata"]["name"].as_str().expect("an object has a name");
        self.patch(&format!("{path}/{name}/status"), &json!({ "status": object["status"] }))
    }

    /// Changes the object at `path` by a merge patch.
    pub fn patch(&self, path: &str, patch: &Value) -> Value {
        self.change(Request::patch(path), MERGE, patch)
    }

    /// Deletes the object at `path`, at once.
    pub fn delete(&self, path: &str) {
        let options = json!({ "kind": "DeleteOptions", "apiVersion": "v1", "gracePeriodSeconds": 0 });
        self.change(Request::delete(path), "application/json", &options);
    }

    /// Reads the object or list at `path`.
    pub fn get(&self, path: &str) -> Value {
        let text = self.text(path).unwrap_or_else(|error| panic!("{path}: {error}"));
        serde_json::from_str(&text).expect("the API answers with JSON")
    }

    /// Reads what is at `path`, as text.
    pub fn text(&self, path: &str) -> Result<String, kube::Error> {
        let request = Request::get(path).body(Vec::new()).expect("a request");
        self.runtime.block_on(self.client.request_text(request))
    }

    fn change(&self, request: Builder, content: &str, body: &Value) -> Value {
        let body = serde_json::to_vec(body).expect("a value is JSON");
        let request = request.header("Content-Type", content).body(body).expect("a request");
        let what = format!("{} {}", request.method(), request.uri());
        self.runtime.block_on(self.client.request(request)).unwrap_or_else(|error| panic!("{what}: {error}"))
    }
}
