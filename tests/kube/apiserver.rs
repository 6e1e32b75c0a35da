//! The scripted API server itself: what a client may rely on as with the real one.

use flb_kube::{
    kube::api::{client_config::ClientConfig, connection::Connection},
    runtime::{Owner, Tasks},
};
use flb_kube_testing::apiserver::{ApiServer, Verb};
use http_body_util::BodyExt;
use hyper::Request;
use kube::client::Body;
use serde_json::{Value, json};

struct Client {
    client: kube::Client,
    tasks: Tasks,
}

impl Client {
    fn new(server: &ApiServer) -> Self {
        let config = ClientConfig { url: server.url(), token_file: None, ..ClientConfig::default() };
        let tasks = Tasks::new(Owner { name: "input:kube_events:kube_events.0".into(), level: 3 })
            .expect("a runtime");
        let connection = Connection::new(&config).expect("a good configuration");
        let client = tasks.block_on(async { connection.client() }).expect("a client");
        Self { client, tasks }
    }

    fn call(&self, method: &str, path: &str, body: &Value) -> (u16, Value) {
        let body = if body.is_null() { Vec::new() } else { body.to_string().into_bytes() };
        let request = Request::builder().method(method).uri(path).body(Body::from(body)).expect("a request");
        let answer = self.tasks.block_on(async {
            let answer = self.client.send(request).await.expect("an answer");
            let code = answer.status().as_u16();
            let body = answer.into_body().collect().await.expect("a whole answer").to_bytes();
            (code, serde_json::from_slice(&body).expect("JSON"))
        });
        answer.expect("an answer before the end")
    }

    fn get(&self, path: &str) -> (u16, Value) {
        self.call("GET", path, &Value::Null)
    }
}

const LEASES: &str = "/apis/coordination.k8s.io/v1/namespaces/kube-system/leases";

#[test]
fn an_object_is_created_once_and_replaced_only_in_the_version_that_was_read() {
    let server = ApiServer::start();
    let client = Client::new(&server);
    let lease = json!({"metadata": {"name": "agent"}, "spec": {"holderIdentity": "a"}});
    let (code, created) = client.call("POST", LEASES, &lease);
    assert_eq!(code, 201);
    assert_eq!(created["kind"], "Lease");
    assert_eq!(created["metadata"]["namespace"], "kube-system");
    assert!(created["metadata"]["uid"].is_string());
    let (code, denied) = client.call("POST", LEASES, &lease);
    assert_eq!((code, denied["reason"].as_str()), (409, Some("AlreadyExists")));
    let path = format!("{LEASES}/agent");
    let mut mine = created.clone();
    mine["spec"]["holderIdentity"] = json!("b");
    let (code, taken) = client.call("PUT", &path, &mine);
    assert_eq!((code, &taken["spec"]["holderIdentity"]), (200, &json!("b")));
    assert_eq!(taken["metadata"]["uid"], created["metadata"]["uid"]);
    let (code, denied) = client.call("PUT", &path, &created);
    assert_eq!((code, denied["reason"].as_str()), (409, Some("Conflict")));
    assert_eq!(client.get(&path).1["spec"]["holderIdentity"], "b");
}

#[test]
fn a_patch_of_the_status_merges_and_a_deleted_object_is_gone() {
    let server = ApiServer::start();
    let client = Client::new(&server);
    let pod = json!({"metadata": {"generateName": "web-"}, "spec": {"nodeName": "n1"}});
    let (_, created) = client.call("POST", "/api/v1/namespaces/shop/pods", &pod);
    let path = format!("/api/v1/namespaces/shop/pods/{}", created["metadata"]["name"].as_str().unwrap());
    let (code, patched) =
        client.call("PATCH", &format!("{path}/status"), &json!({"status": {"podIP": "10.0.0.1"}}));
    assert_eq!(code, 200);
    assert_eq!(
        (&patched["status"]["podIP"], &patched["spec"]["nodeName"]),
        (&json!("10.0.0.1"), &json!("n1"))
    );
    assert_eq!(client.call("DELETE", &path, &Value::Null).0, 200);
    assert_eq!(client.get(&path).1["reason"], "NotFound");
    assert_eq!(server.count(Verb::Delete, "pods"), 1);
}

#[test]
fn the_pages_of_a_list_show_one_moment_and_expire() {
    let server = ApiServer::start();
    let client = Client::new(&server);
    let namespace = |name: &str| json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}});
    server.put_all(["a", "b", "c"].map(namespace));
    let (_, first) = client.get("/api/v1/namespaces?limit=2");
    assert_eq!(first["kind"], "NamespaceList");
    assert_eq!(first["items"].as_array().unwrap().len(), 2);
    assert!(first["items"][0].get("kind").is_none(), "items of a list don't repeat the kind");
    server.put(namespace("d"));
    let next =
        format!("/api/v1/namespaces?limit=2&continue={}", first["metadata"]["continue"].as_str().unwrap());
    let (_, second) = client.get(&next);
    assert_eq!(second["items"].as_array().unwrap().len(), 1, "d came after the list began");
    assert_eq!(second["metadata"]["resourceVersion"], first["metadata"]["resourceVersion"]);
    assert!(second["metadata"].get("continue").is_none());
    assert_eq!(client.get(&next).0, 410, "a token is good once");
    assert_eq!(client.get(&format!("{next}&resourceVersion=1")).0, 400);
}

#[test]
fn a_watch_sees_objects_enter_and_leave_its_selection() {
    let server = ApiServer::start();
    let client = Client::new(&server);
    let pod = |node: &str| json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "web", "namespace": "shop"}, "spec": {"nodeName": node}});
    let version = server.put(pod("n2"));
    for node in ["n1", "n1", "n2"] {
        server.put(pod(node));
    }
    let path = format!(
        "/api/v1/pods?watch=1&fieldSelector=spec.nodeName%3Dn1&resourceVersion={version}&timeoutSeconds=0"
    );
    let request = Request::get(path).body(Body::empty()).unwrap();
    let text = client.tasks.block_on(async {
        let body = client.client.send(request).await.expect("a watch").into_body();
        body.collect().await.expect("the whole watch").to_bytes()
    });
    let lines = String::from_utf8(text.unwrap().to_vec()).unwrap();
    let events: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let kinds: Vec<_> = events.iter().map(|event| event["type"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["ADDED", "MODIFIED", "DELETED"]);
}
