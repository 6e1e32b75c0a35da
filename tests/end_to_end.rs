//! smoke
#[allow(dead_code, reason = "each test binary uses its part")]
#[path = "support/servers/mod.rs"]
mod servers;
use serde_json::json;

#[test]
fn smoke() {
    let t = std::time::Instant::now();
    let k = servers::kubernetes::Kubernetes::shared().unwrap();
    println!("{:?} {:?}", t.elapsed(), servers::kubernetes::Programs::find().unwrap().versions());
    k.create("/api/v1/namespaces", &json!({"metadata":{"name":"shop"}}));
    let pod = k.create("/api/v1/namespaces/shop/pods", &json!({"metadata":{"name":"web"},"spec":{"nodeName":"n1","containers":[{"name":"c","image":"i:1"}]},"status":{"podIP":"10.0.0.1","phase":"Running"}}));
    println!("{pod:#}");
    for p in servers::fluent_bit::programs() {
        println!("{p:?} {}", servers::fluent_bit::version(&p));
    }
    let p = servers::victoria_logs::VictoriaLogs::program().unwrap();
    println!("{}", servers::victoria_logs::VictoriaLogs::version(&p));
    let v = servers::victoria_logs::VictoriaLogs::start(&p, &[]);
    println!("{:?} {}", v.query("*"), v.url());
    k.delete("/api/v1/namespaces/shop/pods/web");
}
