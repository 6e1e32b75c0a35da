//! The built-in filter's own cases with an API server in place of files.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that can't go on fails")]

use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    path::Path,
    sync::Arc,
    thread::Builder,
};

use flb_kube_testing::{
    ordered::{entry, json, read},
    replay::{corpus, hosts, replay},
};
use rmpv::Value;

#[test]
fn line_1_all_cases_of_the_built_in_filter_pass_through_every_host_with_metadata_from_an_api_server() {
    let case = "the built-in's cases on Fluent Bit, with an API server";
    let Some(corpus) = corpus(case) else { return };
    let url = serve(Lists::of(&corpus.join("kubernetes/meta")));
    let settings = [
        "kube_meta_preload_cache_dir=".into(),
        format!("kube_url={url}"),
        // The node of all pods in the files that have one.
        "kube_node_name=ip-10-49-18-80.eu-west-1.compute.internal".into(),
        // A kubelet speaks TLS, and this server is none.
        "use_kubelet=false".into(),
    ];
    for host in hosts(case) {
        assert_eq!(replay(&corpus, &host, &settings), 93);
    }
}

/// What the files of the cases hold, as an API server lists it. The scripted API server gives each object a uid, sorts
/// keys and minds the node; these objects have no uid, some have no node, and owner references come in an order of their own.
struct Lists {
    pods: String,
    namespaces: String,
}

impl Lists {
    fn of(folder: &Path) -> Self {
        let (mut pods, mut namespaces) = (Vec::new(), Vec::new());
        for file in fs::read_dir(folder).unwrap() {
            let path = file.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            let object = || read(&fs::read_to_string(&path).unwrap());
            if let Some((namespace, pod)) = name.strip_suffix(".meta").and_then(|name| name.split_once('_')) {
                let mut object = object();
                match entry(&mut object, "items", Value::Nil) {
                    Value::Array(items) => pods.append(items),
                    _ => pods.push(named(object, pod, Some(namespace))),
                }
            } else if let Some(namespace) = name.strip_suffix(".namespace_meta") {
                namespaces.push(named(object(), namespace, None));
            }
        }
        Self { pods: list("PodList", pods), namespaces: list("NamespaceList", namespaces) }
    }
}

fn named(mut object: Value, name: &str, namespace: Option<&str>) -> Value {
    let meta = entry(&mut object, "metadata", Value::Map(Vec::new()));
    *entry(meta, "name", Value::Nil) = name.into();
    if let Some(namespace) = namespace {
        *entry(meta, "namespace", Value::Nil) = namespace.into();
    }
    object
}

fn list(kind: &str, items: Vec<Value>) -> String {
    let items = json(&Value::Array(items));
    format!(r#"{{"kind":"{kind}","apiVersion":"v1","metadata":{{"resourceVersion":"1"}},"items":{items}}}"#)
}

/// Serves the lists, and watches on which nothing comes, until this process ends.
fn serve(lists: Lists) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let lists = Arc::new(lists);
    let named = |name: &str| Builder::new().name(name.to_owned());
    let accept = move || {
        for stream in listener.incoming().flatten() {
            let lists = Arc::clone(&lists);
            named("lists").spawn(move || converse(stream, &lists)).unwrap();
        }
    };
    named("accept").spawn(accept).unwrap();
    url
}

fn converse(mut stream: TcpStream, lists: &Lists) -> Option<()> {
    let mut input = BufReader::new(stream.try_clone().ok()?);
    loop {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            if input.read_until(b'\n', &mut head).ok()? == 0 {
                return None;
            }
        }
        let head = String::from_utf8(head).ok()?;
        let target = head.split(' ').nth(1)?;
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let body = match path {
            _ if query.split('&').any(|pair| matches!(pair, "watch=1" | "watch=true")) => {
                stream.write_all(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n").ok()?;
                // Until the other side ends it.
                input.read_to_end(&mut Vec::new()).ok()?;
                return None;
            }
            "/api/v1/pods" => Some(&lists.pods),
            "/api/v1/namespaces" => Some(&lists.namespaces),
            _ => None,
        };
        let status = if body.is_some() { "200 OK" } else { "404 Not Found" };
        let body = body.map_or("{}", String::as_str);
        let length = body.len();
        let head = format!(
            "HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n"
        );
        stream.write_all(&[head.as_bytes(), body.as_bytes()].concat()).ok()?;
    }
}
